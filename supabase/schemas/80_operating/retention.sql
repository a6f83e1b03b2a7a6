-- Throwing away what the settings say is old. Never an open row, a row in review, or a record of the host's.

create type enrichment.pruned as (subject text, removed bigint);
comment on type enrichment.pruned is 'How much of one kind was removed by age.';
comment on column enrichment.pruned.subject is 'The table.';
comment on column enrichment.pruned.removed is 'Rows.';

create function enrichment.analyze_small_tables()
returns void
language plpgsql set search_path = ''
as $$
declare
    small regclass;
begin
    for small in
        select c.oid::regclass
        from pg_catalog.pg_class as c
        where c.oid in (to_regclass('public.users'), 'enrichment.settings'::regclass, 'enrichment.providers'::regclass)
            and (c.reltuples < 0 or (c.reltuples = 0 and pg_catalog.pg_relation_size(c.oid) > 0))
            and pg_catalog.pg_has_role(c.relowner, 'usage')
    loop
        execute format('analyze %s', small);
    end loop;
end
$$;
comment on function enrichment.analyze_small_tables() is
'Tells the planner once, as soon as they have rows, how small users, settings and providers are: below fifty changes autoanalyze never comes, and it expects hundreds.';

create function enrichment.prune_rows(kept enrichment.settings)
returns setof enrichment.pruned
language plpgsql set search_path = ''
as $$
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
end
$$;
comment on function enrichment.prune_rows(enrichment.settings) is
'Removes closed queue rows, the log, imports and closed cover rows that are older than the settings say, 10,000 of a kind at most.';

create function enrichment.prune_replies(kept enrichment.settings)
returns setof enrichment.pruned
language plpgsql set search_path = ''
as $$
begin
    return query
    with gone as (
        delete from public.source_records as s
        where s.entity_type in ('isbn_lookup', 'title_lookup') and s.fetched_at < now() - make_interval(
            days => case when s.raw ? 'no_match' then kept.miss_valid_days else kept.record_valid_days end
        )
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
end
$$;
comment on function enrichment.prune_replies(enrichment.settings) is
'Removes replies to our own look-ups that no longer answer, and parsed forms of records that are old or gone.';

create function enrichment.prune_enrichment_impl()
returns setof enrichment.pruned
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    kept enrichment.settings := (select s from enrichment.settings as s);
    cron_runs bigint;
begin
    perform enrichment.analyze_small_tables();
    return query select * from enrichment.prune_rows(kept);

    -- Once a night, covers that the host has hot-linked since are looked for.
    update enrichment.cover_backfill as b
    set next_work_id = '00000000-0000-0000-0000-000000000000'
    where kept.cover_mode = 'thumbnail' and b.next_work_id is null;

    return query select * from enrichment.prune_replies(kept);
    if to_regclass('cron.job_run_details') is not null then
        execute 'delete from cron.job_run_details where end_time < now() - make_interval(days => $1)' using kept.keep_cron_runs_days;
        get diagnostics cron_runs = row_count;
        return query select 'cron.job_run_details', cron_runs;
    end if;
end
$$;
