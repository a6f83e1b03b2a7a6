-- The log names the reader, the values before and after, and the scores the decision was made on.
begin;
select plan(2);

select tests.create_reader() as ada, tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.add_to_shelf(:'ada', :'work');
select tests.bring_to_review(:'work') as row \gset
select tests.act_as(:'ada');
select fields_applied from public.approve_enrichment(:'row', '{edition.publisher}');
select tests.act_as_owner();

select results_eq(
    $$ select enrichment_queue_id, actor, provider::text, confidence::text, fields_changed, previous_values from public.enrichment_audit_log where action = 'approved' $$,
    format(
        $$ values (%L::uuid, %L::uuid, 'openlibrary', 'high', '{"edition.publisher": {"old": null, "new": "Scholastic Press"}}'::jsonb, '{"edition.publisher": null}'::jsonb) $$,
        :'row', :'ada'
    ), 'one row for the one field'
);
select is((select a.match_details ->> 'sentence' from public.enrichment_audit_log as a where a.action = 'approved'), 'same ISBN, title equal, author equal', 'with its reasons');

select * from finish();
rollback;
