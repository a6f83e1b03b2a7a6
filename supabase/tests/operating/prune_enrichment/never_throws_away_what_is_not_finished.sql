-- A row that waits, runs or is to be decided is never thrown away, however old it is.
begin;
select plan(2);

select tests.enqueue(tests.create_book('Waits'), 'post_import');
select tests.enqueue(tests.create_book('In progress')) as running, tests.enqueue(tests.create_book('In review')) as reviewed \gset
update public.enrichment_queue set status = 'in_progress', claim_token = gen_random_uuid(), wait_reason = null where id in (:'running', :'reviewed');
update public.enrichment_queue set status = 'needs_review', claim_token = null where id = :'reviewed';
update public.enrichment_queue
set created_at = now() - interval '3 years', started_at = now() - interval '3 years', updated_at = now() - interval '3 years';

select is(
    (select sum(p.removed) from public.prune_enrichment() as p where p.subject <> 'cron.job_run_details'),
    0::numeric, 'nothing is thrown away'
);
select is((select count(*) from public.enrichment_queue), 3::bigint, 'all three are there');

select * from finish();
rollback;
