-- A contact, the switch on, the jobs running: every line is ok and none has a hint.
begin;
select plan(2);

select tests.switch_on();
select public.configure_enrichment('{"contact": "library@readers.dev"}');
drop publication if exists supabase_realtime;
create publication supabase_realtime for table public.enrichment_queue;
delete from cron.job_run_details;
insert into cron.job_run_details (jobid, runid, status, start_time, end_time)
select j.jobid, 1000000 + j.jobid, 'succeeded', now(), now() from cron.job as j;

select is_empty($$ select c.name, c.message from public.enrichment_health() as c where c.state <> 'ok' $$, 'all is ok');
select is_empty($$ select c.name, c.hint from public.enrichment_health() as c where c.hint is not null $$, 'and there is nothing to do');

select * from finish();
rollback;
