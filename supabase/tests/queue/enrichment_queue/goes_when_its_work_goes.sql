-- A host may delete a work at any time: its queue rows go with it, what the log says of it stays.
begin;
select plan(2);

select tests.create_book() as work \gset
select tests.enqueue(:'work') as row \gset
insert into public.enrichment_audit_log (enrichment_queue_id, work_id, action) values (:'row', :'work', 'skipped');
delete from public.editions where work_id = :'work';
delete from public.work_authors where work_id = :'work';

delete from public.works where id = :'work';

select is_empty($$ select 1 from public.enrichment_queue $$, 'no row is left');
select results_eq(
    $$ select a.work_id, a.enrichment_queue_id from public.enrichment_audit_log as a $$,
    format($$ values (%L::uuid, null::uuid) $$, :'work'), 'the log still names the work'
);

select * from finish();
rollback;
