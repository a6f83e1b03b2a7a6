-- The migration leaves three jobs; scheduling again changes them in place.
begin;
select plan(3);

select bag_eq(
    $$ select j.jobname from cron.job as j where j.jobname like 'enrichment-%' and j.active $$,
    array['enrichment-sweep', 'enrichment-reset-stale', 'enrichment-prune'], 'sweep, stale reset and prune'
);
create temp table before as select j.jobid, j.jobname, j.schedule, j.command from cron.job as j;
select bag_eq(
    $$ select enrichment.schedule_jobs() $$, array['enrichment-sweep', 'enrichment-reset-stale', 'enrichment-prune'], 'a second run names the same three'
);
select bag_eq(
    $$ select j.jobid, j.jobname, j.schedule, j.command from cron.job as j $$, $$ select * from before $$, 'and leaves the same jobs'
);

select * from finish();
rollback;
