-- What happens by itself: pg_cron runs the sweep, takes back stale claims and throws away what is old. Everything here is a plain
-- function call, so a project without pg_cron may call the same three verbs from anywhere.

create function enrichment.prune_enrichment_impl()
returns setof enrichment.pruned
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    kept enrichment.settings := (select s from enrichment.settings as s);
    cron_runs bigint;
begin
    return query
    with gone as (
        delete from public.enrichment_queue as q
        where q.id in (
            select old.id from public.enrichment_queue as old
            where old.finished_at < now() - make_interval(days => kept.keep_queue_days) limit 10000
        )
        returning 1
    )

    select 'enrichment_queue', count(*) from gone;

    return query
    with gone as (
        delete from public.enrichment_audit_log as a
        where a.id in (
            select old.id from public.enrichment_audit_log as old
            where old.created_at < now() - make_interval(days => kept.keep_audit_days) limit 10000
        )
        returning 1
    )

    select 'enrichment_audit_log', count(*) from gone;

    return query
    with gone as (
        delete from enrichment.imports as i where i.created_at < now() - make_interval(days => kept.keep_queue_days) returning 1
    )

    select 'imports', count(*) from gone;

    return query
    with gone as (
        delete from enrichment.cover_queue as c
        where c.id in (
            select old.id from enrichment.cover_queue as old
            where old.finished_at < now() - make_interval(days => kept.keep_queue_days) limit 10000
        )
        returning 1
    )

    select 'cover_queue', count(*) from gone;

    -- Once a night, covers that the host has hot-linked since are looked for.
    update enrichment.cover_backfill as b
    set next_work_id = '00000000-0000-0000-0000-000000000000'
    where kept.cover_mode = 'thumbnail' and b.next_work_id is null;

    return query
    with gone as (
        delete from public.source_records as s
        where s.entity_type in ('isbn_lookup', 'title_lookup')
            and s.fetched_at < now() - make_interval(days => case when s.raw ? 'no_match' then kept.miss_valid_days else kept.record_valid_days end)
        returning 1
    )

    select 'source_records', count(*) from gone;

    return query
    with gone as (
        delete from enrichment.parsed_records as p
        where p.fetched_at < now() - make_interval(days => case when p.is_miss then kept.miss_valid_days else kept.record_valid_days end)
            or not exists (
                select 1 from public.source_records as s
                where s.provider = p.provider and s.entity_type = p.entity_type and s.provider_id = p.provider_id
            )
        returning 1
    )

    select 'parsed_records', count(*) from gone;

    if to_regclass('cron.job_run_details') is not null then
        execute 'delete from cron.job_run_details where end_time < now() - make_interval(days => $1)' using kept.keep_cron_runs_days;
        get diagnostics cron_runs = row_count;
        return query select 'cron.job_run_details', cron_runs;
    end if;
end
$$;
revoke all on function enrichment.prune_enrichment_impl() from public, anon, authenticated, service_role;
grant execute on function enrichment.prune_enrichment_impl() to service_role;

create function public.prune_enrichment()
returns setof enrichment.pruned
language sql set search_path = ''
as $$
    select * from enrichment.prune_enrichment_impl()
$$;
comment on function public.prune_enrichment() is
'Throws away what the keep_* and *_valid_days settings say is old: finished queue and cover rows, audit rows, imports, our own expired look-ups and their parsed forms, pg_cron''s run log. Never an open row, a row in review, or a record of the host''s.';
revoke all on function public.prune_enrichment() from public, anon, authenticated, service_role;
grant execute on function public.prune_enrichment() to service_role;

create function enrichment.schedule_jobs()
returns setof text
language plpgsql set search_path = ''
as $$
begin
    if to_regprocedure('cron.schedule(text, text, text)') is null then
        raise notice 'pg_cron is not installed: nothing is scheduled; enable it, then select enrichment.schedule_jobs()';
        return;
    end if;
    return query execute
        'select job.name from unnest($1, $2, $3) as job (name, schedule, command)
        cross join lateral cron.schedule(job.name, job.schedule, job.command)'
        using
            array['enrichment-sweep', 'enrichment-reset-stale', 'enrichment-prune'],
            array['* * * * *', '* * * * *', '17 3 * * *'],
            array[
                'select count(*) from public.sweep_enrichment()', 'select count(*) from public.reset_stale_enrichment()',
                'select count(*) from public.prune_enrichment()'
            ];
end
$$;
comment on function enrichment.schedule_jobs() is
'Schedules sweep and stale reset every minute and prune once a night, under fixed names; running it again changes the jobs in place. Names of the jobs; none without pg_cron.';
revoke all on function enrichment.schedule_jobs() from public, anon, authenticated, service_role;

do $$
begin
    if exists (select 1 from pg_available_extensions where name = 'pg_cron' and installed_version is null) then
        create extension pg_cron;
    end if;
exception
    when others then
        raise notice 'pg_cron could not be enabled (%): enable it in the dashboard, then select enrichment.schedule_jobs()', sqlerrm;
end
$$;

select enrichment.schedule_jobs();

-- The works that are here already: once, where no reader waits for it.
select enrichment.parse_new_works((select count(*)::integer from public.works));
