-- While auto_enabled is off, what was not asked for by a person is queued but waits, until a person asks.
begin;
select plan(3);

select tests.create_book() as work \gset
select tests.enqueue(:'work', 'scheduled') as row \gset

select results_eq(
    $$ select q.status::text, q.wait_reason, q.next_attempt_after from public.enrichment_queue as q $$,
    $$ values ('pending', 'auto_disabled', 'infinity'::timestamptz) $$, 'it waits with its reason'
);
select results_eq(
    format($$ select o.queue_id from public.enqueue_enrichment(array[%L]::uuid[]) as o $$, :'work'),
    array[:'row'::uuid], 'a person asks for the same row'
);
select results_eq(
    $$ select q.wait_reason, q.next_attempt_after <= now()
    from public.enrichment_queue as q $$, $$ values ('queued', true) $$, 'and frees it'
);

select * from finish();
rollback;
