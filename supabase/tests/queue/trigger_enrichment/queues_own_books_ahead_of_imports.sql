-- A reader's button queues books of the own library with priority 50, whether auto_enabled is on or not.
begin;
select plan(2);

select tests.create_reader() as reader, tests.create_book() as work \gset
select tests.add_to_shelf(:'reader', :'work');

select tests.act_as(:'reader');
select results_eq(
    format($$ select o.outcome from public.trigger_enrichment(array[%L]::uuid[]) as o $$, :'work'), array['enqueued'], 'it is enqueued'
);
select tests.act_as_owner();
select results_eq(
    $$ select q.priority::integer, q.trigger_source::text, q.triggered_by, q.next_attempt_after <= now()
    from public.enrichment_queue as q $$,
    format($$ values (50, 'manual_bulk', %L::uuid, true) $$, :'reader'), 'in front, in the reader''s name, due now'
);

select * from finish();
rollback;
