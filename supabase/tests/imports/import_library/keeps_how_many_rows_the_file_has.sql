-- expected_rows is kept beside the import, whichever chunk says it; another reader cannot change it, and a negative one is refused.
begin;
select plan(4);

select tests.create_reader('ada') as ada, tests.create_reader('bob') as bob, gen_random_uuid() as import \gset
select count(*) from public.import_library(:'ada', 'goodreads', jsonb_build_array(tests.csv_row()), :'import');
select is((select expected_rows from enrichment.imports), null, 'not said');
select count(*) from public.import_library(:'ada', 'goodreads', jsonb_build_array(tests.csv_row(3, 'Dune')), :'import', expected_rows => 900);
select is((select expected_rows from enrichment.imports), 900, 'said');
select throws_ok(format($$ select public.import_library(%L, 'goodreads', '[]', %L, 1) $$, :'bob', :'import'), 'PT403', null, 'not by Bob');
select throws_ok(format($$ select public.import_library(%L, 'goodreads', '[]', %L, -1) $$, :'ada', :'import'), 'PT422', null, 'not less than none');

select * from finish();
rollback;
