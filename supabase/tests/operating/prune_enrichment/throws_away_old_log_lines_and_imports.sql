-- Log lines are kept for keep_audit_days, imported files for as long as their queue rows.
begin;
select plan(3);

select tests.create_reader() as reader \gset
insert into public.enrichment_audit_log (work_id, action, created_at)
values
(gen_random_uuid(), 'skipped', now() - tests.span('keep_audit_days') - interval '1 day'),
(gen_random_uuid(), 'failed', now() - tests.span('keep_audit_days') + interval '1 day');
insert into enrichment.imports (id, user_id, import_source, created_at)
values
(gen_random_uuid(), :'reader', 'goodreads', now() - tests.span('keep_queue_days') - interval '1 day'),
(gen_random_uuid(), :'reader', 'storygraph', now() - tests.span('keep_queue_days') + interval '1 day');

select results_eq(
    $$ select p.subject, p.removed
    from public.prune_enrichment() as p where p.removed > 0 and p.subject not like 'cron%' order by p.subject $$,
    $$ values ('enrichment_audit_log', 1::bigint), ('imports', 1) $$, 'one of each'
);
select results_eq($$ select a.action::text from public.enrichment_audit_log as a $$, array['failed'], 'the younger line is kept');
select results_eq($$ select i.import_source from enrichment.imports as i $$, array['storygraph'], 'and the younger file');

select * from finish();
rollback;
