-- What the file knows of a book we had fills its gaps, never what is there; the log holds old and new values, the file's row and the reader.
begin;
select plan(3);

select tests.create_reader() as reader, tests.create_book(isbn13 => '9780439023481') as work, gen_random_uuid() as this_import \gset
update public.editions set publisher = 'Scholastic' where work_id = :'work';

select count(*) from public.import_library(:'reader', 'goodreads', jsonb_build_array(tests.csv_row(2, more => '{
    "isbn": "9780439023481", "publisher": "Another House", "total_pages": 374, "first_publish_year": 2008
}')), :'this_import');

select results_eq(
    $$ select e.publisher::text, e.total_pages, w.first_publish_year::integer
    from public.editions as e join public.works as w on w.id = e.work_id $$,
    $$ values ('Scholastic', 374, 2008) $$, 'the gaps are filled, the publisher is not overwritten'
);
select results_eq(
    $$ select a.work_id, a.action::text, a.provider::text, a.actor, a.import_id, a.source_record ->> 'provider_id'
    from public.enrichment_audit_log as a $$,
    format($$ values (%L::uuid, 'auto_applied', 'goodreads', %L::uuid, %L::uuid, 'goodreads:1002') $$, :'work', :'reader', :'this_import'),
    'the log says who and from where'
);
select results_eq(
    $$ select a.fields_changed, a.previous_values from public.enrichment_audit_log as a $$,
    $$ values (
        '{"edition.total_pages": {"old": null, "new": "374"}, "work.first_publish_year": {"old": null, "new": "2008"}}'::jsonb,
        '{"edition.total_pages": null, "work.first_publish_year": null}'::jsonb
    ) $$, 'and what was there before'
);

select * from finish();
rollback;
