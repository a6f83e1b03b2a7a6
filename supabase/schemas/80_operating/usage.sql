-- The free-tier meter: how much of the database, of storage and of the day's calls is used.

create type enrichment.usage_line as (meter text, subject text, used bigint, allowed bigint, unit text, until timestamptz);
comment on type enrichment.usage_line is 'A line of the free-tier meter.';
comment on column enrichment.usage_line.meter is 'database, covers, calls or waiting.';
comment on column enrichment.usage_line.subject is 'database, storage, budget, the provider, or the reason for waiting.';
comment on column enrichment.usage_line.allowed is 'Null: no limit.';
comment on column enrichment.usage_line.unit is 'bytes, calls or rows.';
comment on column enrichment.usage_line.until is 'When calls count from zero again, or the first waiting row is due. Null: neither.';

create function enrichment.stored_bytes()
returns bigint
language plpgsql stable set search_path = ''
as $$
declare
    ours bigint := (select u.bytes from enrichment.cover_storage as u);
    whole bigint;
begin
    -- Storage keeps the size of each file; a project may have no Storage, or may not let us look.
    if has_table_privilege(to_regclass('storage.objects'), 'select') then
        select sum(case when o.metadata ->> 'size' ~ '^[0-9]{1,15}$' then (o.metadata ->> 'size')::bigint end)::bigint into whole
        from storage.objects as o;
    end if;
    return greatest(ours, whole);
end
$$;
comment on function enrichment.stored_bytes() is 'Bytes of all files in the project''s Storage; of our own covers alone where Storage does not tell.';

create function enrichment.enrichment_usage_impl()
returns setof enrichment.usage_line
language plpgsql stable security definer set search_path = '' set jit = off set random_page_cost = 1.1
as $$
declare
    reader uuid := enrichment.acting_reader();
    kept enrichment.settings := (select s from enrichment.settings as s);
begin
    return query
    select 'database', 'database', pg_database_size(current_database()), kept.database_budget_bytes, 'bytes', null::timestamptz
    union all
    select 'covers', 'storage', enrichment.stored_bytes(), kept.storage_budget_bytes, 'bytes', null
    union all
    select 'covers', 'budget', u.bytes, kept.cover_budget_bytes, 'bytes', null from enrichment.cover_storage as u;

    return query
    select
        'calls', p.provider, s.used_today::bigint, (p.daily_limit - least(p.daily_reserve, p.daily_limit))::bigint, 'calls',
        date_trunc('day', clock_timestamp() at time zone p.reset_time_zone + interval '1 day') at time zone p.reset_time_zone
    from enrichment.providers as p
    join enrichment.provider_states as s on s.provider = p.provider
    where p.is_enabled
    order by p."position";

    return query
    select 'waiting', q.wait_reason, count(*), null::bigint, 'rows', nullif(min(q.next_attempt_after), 'infinity')
    from public.enrichment_queue as q
    where q.is_open and q.status = 'pending'
        and (reader is null or q.work_id in (select i.work_id from public.library_items as i where i.user_id = reader))
    group by q.wait_reason
    order by q.wait_reason;
end
$$;
