-- In the order of the file, a page at a time: outcome, reason, book and the state of its queue row, where it was queued.
begin;
select plan(3);

select tests.create_reader() as ada \gset
select count(*) from tests.import(:'ada', tests.csv_row(4, 'Emma', 'Jane Austen'), tests.csv_row(2), tests.csv_row(3, ''));
select id as import from enrichment.imports \gset
select tests.act_as(:'ada');

select results_eq(
    format('select row_number, title, authors, outcome, reason, work_id is not null, status::text, cursor from public.enrichment_import_rows(%L, 2)', :'import'),
    $$ values (2, 'The Hunger Games', '{Suzanne Collins}'::text[], 'created', null, true, 'pending', 2), (3, null, '{Suzanne Collins}', 'rejected', 'the title is missing', false, null, 3) $$,
    'the first two lines'
);
select results_eq(format('select row_number, title from public.enrichment_import_rows(%L, 2, 3)', :'import'), $$ values (4, 'Emma') $$, 'the last one');
select throws_ok(format('select * from public.enrichment_import_rows(%L, 1001)', :'import'), 'PT422', null, 'no page that PostgREST would cut');

select * from finish();
rollback;
