-- A malformed call is refused as a whole, with a code that says what kind of mistake it is, and imports nothing.
begin;
select plan(6);

select tests.create_reader('ada') as ada, tests.create_reader('bob') as bob, gen_random_uuid() as bobs_import \gset
select count(*) from public.import_library(:'bob', 'goodreads', '[]', :'bobs_import');

select throws_ok(
    format($$ select public.import_library(%L, 'goodreads', (select jsonb_agg(tests.csv_row(n)) from generate_series(2, 502) as n)) $$, :'ada'),
    'PT422', null, 'more than 500 rows'
);
select throws_ok(format($$ select public.import_library(%L, 'goodreads', '{}') $$, :'ada'), 'PT422', null, 'no list');
select throws_ok(format($$ select public.import_library(%L, 'librarything', '[]') $$, :'ada'), 'PT422', null, 'a source nobody reads');
select throws_ok($$ select public.import_library(gen_random_uuid(), 'goodreads', '[]') $$, 'PT404', null, 'an unknown reader');
select throws_ok(
    format($$ select public.import_library(%L, 'goodreads', jsonb_build_array(tests.csv_row()), %L) $$, :'ada', :'bobs_import'), 'PT403', null,
    'another reader''s import'
);
select is_empty($$ select 1 from public.works $$, 'nothing is imported');

select * from finish();
rollback;
