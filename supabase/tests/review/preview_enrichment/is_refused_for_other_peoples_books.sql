-- One foreign book, or one that does not exist, or a list too long: the call as a whole is refused.
begin;
select plan(4);

select tests.create_reader('ada') as ada, tests.create_book() as own, tests.create_book('Dune') as foreign_one \gset
select tests.add_to_shelf(:'ada', :'own');

select tests.act_as(:'ada');
select lives_ok(format('select * from public.preview_enrichment(array[%L]::uuid[])', :'own'), 'the own book is foretold');
select throws_ok(format('select * from public.preview_enrichment(array[%L, %L]::uuid[])', :'own', :'foreign_one'), 'PT403', null, 'not somebody else''s');
select throws_ok('select * from public.preview_enrichment(array(select gen_random_uuid() from generate_series(1, 1001)))', 'PT422', null, 'nor 1,001 of them');
select tests.act_as_service();
select throws_ok('select * from public.preview_enrichment(array[gen_random_uuid()])', 'PT404', null, 'nor one that is not there');

select * from finish();
rollback;
