-- Imported books with gaps are queued behind what people ask for, with the edition of the row, the import and the reader; they wait for the switch.
begin;
select plan(4);

select tests.create_reader() as reader, tests.create_book('Complete') as complete, gen_random_uuid() as this_import \gset
select tests.fill_every_gap(:'complete');

create temp table answers as
select i.* from public.import_library(
    :'reader', 'goodreads', jsonb_build_array(tests.csv_row(2, 'Mockingjay'), tests.csv_row(3, 'Complete')), :'this_import'
) as i;

select results_eq(
    $$ select a.enrichment, a.queue_id is not null from answers as a $$,
    $$ values ('enqueued', true), ('complete', false) $$, 'one is queued, one needs nothing'
);
select results_eq(
    $$ select q.trigger_source::text, q.priority::integer, q.triggered_by, q.import_id from public.enrichment_queue as q $$,
    format($$ values ('post_import', 100, %L::uuid, %L::uuid) $$, :'reader', :'this_import'), 'in the reader''s name'
);
select results_eq(
    $$ select q.work_id, q.edition_id from public.enrichment_queue as q $$,
    $$ select a.work_id, a.edition_id from answers as a where a.queue_id is not null $$,
    'for the edition of the row'
);
select is((select q.wait_reason from public.enrichment_queue as q), 'auto_disabled', 'and says that it waits for the switch');

select * from finish();
rollback;
