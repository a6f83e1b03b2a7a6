-- An unknown row, somebody else's book, a row that is not in review, a field that was not proposed: each has its own refusal, and changes nothing.
begin;
select plan(7);

select tests.create_reader('ada') as ada, tests.create_reader('bob') as bob, tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.add_to_shelf(:'ada', :'work');
select tests.bring_to_review(:'work') as row \gset

select tests.act_as(:'bob');
select throws_ok(format('select * from public.approve_enrichment(%L)', :'row'), 'PT403', null, 'it is not Bob''s book');
select tests.act_as(:'ada');
select throws_ok('select * from public.approve_enrichment(gen_random_uuid())', 'PT404', null, 'no such row');
select throws_ok(format($$ select * from public.approve_enrichment(%L, '{work.description}') $$, :'row'), 'PT422', null, 'no such proposal');
select throws_ok(format($$ select * from public.approve_enrichment(%L, '{null}') $$, :'row'), 'PT422', null, 'nor one without a name');
select is((select first_publish_year from public.works), null, 'nothing was written by any of them');
select lives_ok(format('select * from public.approve_enrichment(%L)', :'row'), 'Ada may approve');
select throws_ok(format('select * from public.approve_enrichment(%L)', :'row'), 'PT409', null, 'but only once');

select * from finish();
rollback;
