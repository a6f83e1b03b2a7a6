-- A job that is missing or switched off, whose last run failed or is long ago.
begin;
select plan(6);

delete from cron.job_run_details;
select matches(tests.health('job enrichment-sweep'), '^warn: is scheduled; no run is on record yet', 'a job each minute should have run');
select matches(tests.health('job enrichment-prune'), '^ok: is scheduled; no run is on record yet', 'one each night may not have yet');

insert into cron.job_run_details (jobid, runid, status, return_message, start_time, end_time)
select
    j.jobid, 1000000 + j.jobid, case j.jobname when 'enrichment-sweep' then 'failed' else 'succeeded' end, 'permission denied',
    now() - interval '1 hour', now() - interval '1 hour'
from cron.job as j
where j.jobname in ('enrichment-sweep', 'enrichment-reset-stale');
select is(tests.health('job enrichment-sweep'), 'warn: last ran at ' || to_char((now() - interval '1 hour') at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'), 'one that stopped');
update cron.job_run_details set start_time = now() where start_time < now();
select is(tests.health('job enrichment-sweep'), 'fail: its last run failed: permission denied', 'one that fails');

select cron.alter_job(j.jobid, active => false) from cron.job as j where j.jobname = 'enrichment-reset-stale';
select is(tests.health('job enrichment-reset-stale'), 'fail: is scheduled, but not active', 'one that was switched off');
select cron.unschedule('enrichment-prune');
select is(tests.health('job enrichment-prune'), 'fail: is not scheduled', 'one that is gone');

select * from finish();
rollback;
