-- A book with gaps gets one pending row that is due at once, with the priority of whoever asked.
begin;
select plan(3);

select tests.create_book('Wished for') as wished_for, tests.create_book('Planned') as planned \gset
select tests.switch_on();

select results_eq(
    format($$ select o.outcome
        from public.enqueue_enrichment(array[%L]::uuid[]) as o $$, :'wished_for'), array['enqueued'], 'it is enqueued'
);
select count(*) from public.enqueue_enrichment(array[:'planned']::uuid[], 'scheduled');

select results_eq(
    format(
        $$ select q.status::text, q.priority::integer, q.wait_reason, q.next_attempt_after <= now(), q.attempt_count::integer,
            q.edition_id = tests.edition_of(%1$L)
        from public.enrichment_queue as q where q.work_id = %1$L $$, :'wished_for'
    ),
    $$ values ('pending', 50, 'queued', true, 0, true) $$, 'a person''s wish goes first'
);
select results_eq(
    format($$ select q.trigger_source::text, q.priority::integer from public.enrichment_queue as q where q.work_id = %L $$, :'planned'),
    $$ values ('scheduled', 100) $$, 'what the system asks for comes later'
);

select * from finish();
rollback;
