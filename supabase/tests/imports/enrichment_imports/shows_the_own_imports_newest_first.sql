-- A reader sees the own imports, the service everybody's; the newest comes first, a page at most.
begin;
select plan(4);

select tests.create_reader('ada') as ada, tests.create_reader('bob') as bob \gset
select count(*) from tests.import(:'ada', tests.csv_row(2));
update enrichment.imports set created_at = now() - interval '1 day';
select count(*) from public.import_library(:'ada', 'storygraph', '[]');
select count(*) from tests.import(:'bob', tests.csv_row(2));

select tests.act_as(:'ada');
select results_eq('select import_source, "rows" from public.enrichment_imports()', $$ values ('storygraph', 0), ('goodreads', 1) $$, 'Ada''s two');
select results_eq('select import_source from public.enrichment_imports(1)', array['storygraph'], 'a page of one');
select throws_ok('select * from public.enrichment_imports(0)', 'PT422', null, 'not a page of none');
select tests.act_as_service();
select is((select count(*) from public.enrichment_imports()), 3::bigint, 'all three');

select * from finish();
rollback;
