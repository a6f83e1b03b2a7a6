-- The log gets a line of its own, with the values before and after, and who it was; the lines of before stay.
begin;
select plan(3);

select tests.create_reader() as ada, tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.add_to_shelf(:'ada', :'work');
select tests.bring_to_review(:'work') as row \gset
select tests.act_as(:'ada');
select count(*) from public.approve_enrichment(:'row', '{edition.publisher,work.first_publish_year}');
select count(*) from public.undo_enrichment(:'row');
select tests.act_as_owner();

select results_eq(
    $$ select enrichment_queue_id, actor, fields_changed, previous_values from public.enrichment_audit_log where action = 'undone' $$,
    format($$ values (%L::uuid, %L::uuid, '{
        "work.cover_url": {"old": "https://covers.openlibrary.org/b/id/12646537-M.jpg", "new": null},
        "edition.publisher": {"old": "Scholastic Press", "new": null}, "work.first_publish_year": {"old": 2008, "new": null}
    }'::jsonb, '{
        "work.cover_url": "https://covers.openlibrary.org/b/id/12646537-M.jpg", "edition.publisher": "Scholastic Press", "work.first_publish_year": 2008
    }'::jsonb) $$, :'row', :'ada'), 'one line with old and new'
);
select is((select count(*) from public.enrichment_audit_log where action in ('auto_applied', 'approved')), 2::bigint, 'what was done stays on record');
select is((tests.queue_row(:'row')).undone_by, :'ada', 'the row names her too');

select * from finish();
rollback;
