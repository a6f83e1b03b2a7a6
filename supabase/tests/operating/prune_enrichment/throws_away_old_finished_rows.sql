-- A finished row is kept for keep_queue_days; what the log says of it is kept longer.
begin;
select plan(3);

select tests.enqueue(tests.create_book('Old')) as old, tests.enqueue(tests.create_book('Young')) as young \gset
update public.enrichment_queue set status = 'in_progress', claim_token = gen_random_uuid(), wait_reason = null;
update public.enrichment_queue
set status = 'completed', claim_token = null, finished_at = now() - tests.span('keep_queue_days') + interval '1 day' where id = :'young';
update public.enrichment_queue
set status = 'completed', claim_token = null, finished_at = now() - tests.span('keep_queue_days') - interval '1 day' where id = :'old';
insert into public.enrichment_audit_log (enrichment_queue_id, work_id, action, created_at)
select q.id, q.work_id, 'auto_applied', q.finished_at from public.enrichment_queue as q;

select is((select p.removed from public.prune_enrichment() as p where p.subject = 'enrichment_queue'), 1::bigint, 'one row is thrown away');
select results_eq($$ select q.id from public.enrichment_queue as q $$, array[:'young'::uuid], 'the old one');
select bag_eq(
    $$ select a.enrichment_queue_id from public.enrichment_audit_log as a $$, format($$ values (null::uuid), (%L::uuid) $$, :'young'),
    'the log still has both lines'
);

select * from finish();
rollback;
