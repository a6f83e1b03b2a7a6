-- An unknown row, somebody else's book and a row that is already decided are refused.
begin;
select plan(4);

select tests.create_reader('ada') as ada, tests.create_reader('bob') as bob, tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.add_to_shelf(:'ada', :'work');
select tests.bring_to_review(:'work') as row \gset

select tests.act_as(:'bob');
select throws_ok(format('select * from public.dismiss_enrichment(%L)', :'row'), 'PT403', null, 'it is not Bob''s book');
select tests.act_as(:'ada');
select throws_ok('select * from public.dismiss_enrichment(gen_random_uuid())', 'PT404', null, 'no such row');
select lives_ok(format('select * from public.dismiss_enrichment(%L)', :'row'), 'Ada may dismiss');
select throws_ok(format('select * from public.dismiss_enrichment(%L)', :'row'), 'PT409', null, 'but only once');

select * from finish();
rollback;
