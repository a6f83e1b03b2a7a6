-- What happens by itself: pg_cron runs the sweep, takes back stale claims and throws away what is old. Everything it runs is a plain
-- function call, so a project without pg_cron may call the same three verbs from anywhere. Last, what a living project needs once.

create function enrichment.jobs()
returns table (name text, schedule text, command text, lateness interval)
language sql immutable set search_path = ''
as $$
    values
        ('enrichment-sweep', '* * * * *', 'select count(*) from public.sweep_enrichment()', interval '10 minutes'),
        ('enrichment-reset-stale', '* * * * *', 'select count(*) from public.reset_stale_enrichment()', interval '10 minutes'),
        ('enrichment-prune', '17 3 * * *', 'select count(*) from public.prune_enrichment()', interval '2 days')
$$;
comment on function enrichment.jobs() is
'The jobs that pg_cron runs for us, and how long after its last run each is called late.';

create function enrichment.schedule_jobs()
returns setof text
language plpgsql set search_path = ''
as $$
begin
    if to_regprocedure('cron.schedule(text, text, text)') is null then
        raise notice 'pg_cron is not installed: nothing is scheduled; enable it, then select enrichment.schedule_jobs()';
        return;
    end if;
    -- Dynamic, since a project may have no pg_cron.
    -- @plpgsql_check_options: performance_warnings = off
    return query execute
        'select job.name from enrichment.jobs() as job cross join lateral cron.schedule(job.name, job.schedule, job.command)';
end
$$;
comment on function enrichment.schedule_jobs() is
'Schedules sweep and stale reset every minute and prune once a night, under fixed names; running it again changes the jobs in place. Names of the jobs; none without pg_cron.';

do $$
begin
    if exists (select 1 from pg_available_extensions where name = 'pg_cron' and installed_version is null) then
        create extension pg_cron;
        perform set_config('enrichment.brought', current_setting('enrichment.brought') || ',extension pg_cron', false);
    end if;
exception
    when others then
        raise notice 'pg_cron could not be enabled (%): enable it in the dashboard, then select enrichment.schedule_jobs()', sqlerrm;
end
$$;

select enrichment.schedule_jobs();

-- The works that are here already: once, where no reader waits for it.
select enrichment.parse_new_works((select count(*)::integer from public.works));
