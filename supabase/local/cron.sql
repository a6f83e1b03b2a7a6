-- pg_cron as a hosted project has it: made by the superuser, in database postgres only; postgres schedules
-- through the functions, reads cron.job, and may clear the log of runs.

create extension pg_cron with schema pg_catalog;

grant usage on schema cron to postgres with grant option;
grant execute on all functions in schema cron to postgres with grant option;
grant select on cron.job to postgres with grant option;
grant all on cron.job_run_details to postgres with grant option;
