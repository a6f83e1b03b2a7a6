-- A book that waits for a decision is not queued beside it; the answer names the row to decide.
begin;
select plan(2);

select tests.create_book() as work \gset
select tests.enqueue(:'work') as row \gset
update public.enrichment_queue set status = 'in_progress', claim_token = gen_random_uuid(), wait_reason = null;
update public.enrichment_queue set status = 'needs_review', claim_token = null;

select results_eq(
    format($$ select o.outcome, o.queue_id from public.enqueue_enrichment(array[%L]::uuid[]) as o $$, :'work'),
    format($$ values ('in_review', %L::uuid) $$, :'row'), 'it is in review'
);
select is((select count(*) from public.enrichment_queue), 1::bigint, 'no second row is made');

select * from finish();
rollback;
