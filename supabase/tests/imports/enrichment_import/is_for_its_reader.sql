-- Another reader's import is refused, whatever is asked about it; the service may look.
begin;
select plan(6);

select tests.create_reader('ada') as ada, tests.create_reader('bob') as bob \gset
select count(*) from tests.import(:'ada', tests.csv_row(2));
select id as import from enrichment.imports \gset
select tests.act_as(:'bob');
select throws_ok(format('select * from public.enrichment_import(%L)', :'import'), 'PT403', null, 'not Bob''s');
select throws_ok(format('select * from public.enrichment_import_rows(%L)', :'import'), 'PT403', null, 'nor its lines');
select throws_ok('select * from public.enrichment_import(gen_random_uuid())', 'PT404', null, 'no such import');
select throws_ok('select * from public.enrichment_import_rows(gen_random_uuid())', 'PT404', null, 'so no lines either');
select tests.act_as_service();
select isnt_empty(format('select * from public.enrichment_import(%L)', :'import'), 'the service may look');
select isnt_empty(format('select * from public.enrichment_import_rows(%L)', :'import'), 'at its lines, too');

select * from finish();
rollback;
