-- Looking without touching: badges for a reader, the queue page, when a worker should come back, and the overview for the dashboard.

create function enrichment.enrichment_status_impl(work_ids uuid[])
returns setof enrichment.work_state
language plpgsql stable security definer set search_path = ''
as $$
declare
    reader uuid := enrichment.acting_reader();
begin
    perform enrichment.refuse_long_list(cardinality(enrichment_status_impl.work_ids));
    return query
    select
        w.id, q.id, q.status, q.confidence, q.wait_reason, nullif(q.next_attempt_after, 'infinity'), q.last_error,
        coalesce(q.cover_applied, false), coalesce(q.fields_applied, '{}'), w.default_cover_url, w.last_enriched_at
    from public.works as w
    left join lateral (
        select * from public.enrichment_queue as newest
        where newest.work_id = w.id
        order by newest.created_at desc, newest.id desc
        limit 1
    ) as q on true
    where w.id = any(enrichment_status_impl.work_ids)
        and (reader is null or exists (select 1 from public.library_items as i where i.user_id = reader and i.work_id = w.id))
    order by array_position(enrichment_status_impl.work_ids, w.id);
end
$$;
revoke all on function enrichment.enrichment_status_impl(uuid[]) from public, anon, authenticated, service_role;
grant execute on function enrichment.enrichment_status_impl(uuid[]) to authenticated, service_role;

create function public.enrichment_status(work_ids uuid[])
returns setof enrichment.work_state
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_status_impl(enrichment_status.work_ids)
$$;
comment on function public.enrichment_status(uuid[]) is
'One line per work of the own library: state of its newest queue row (null: never queued), why it waits and until when (null: until a setting changes), what was filled. Works that are not in the library are left out.';
revoke all on function public.enrichment_status(uuid[]) from public, anon, authenticated, service_role;
grant execute on function public.enrichment_status(uuid[]) to authenticated, service_role;

create function enrichment.list_enrichment_impl(status text, page_size integer, cursor text)
returns setof enrichment.listed_row
language plpgsql stable security definer set search_path = ''
as $$
declare
    reader uuid := enrichment.acting_reader();
begin
    if list_enrichment_impl.page_size is null or list_enrichment_impl.page_size not between 1 and 1000 then
        perform enrichment.refuse('PT422', 'page_size is not between 1 and 1,000', 'fifty is the default');
    end if;
    if list_enrichment_impl.status <> all(enum_range(null::enrichment.queue_status)::text[]) then
        perform enrichment.refuse('PT422', format('unknown status %s', list_enrichment_impl.status), 'use pending, in_progress, completed, needs_review, failed or skipped');
    end if;
    if list_enrichment_impl.cursor !~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
        perform enrichment.refuse('PT422', 'cursor is not one that a page ended with', 'send the cursor of the last row, or null for the first page');
    end if;
    return query
    select
        q.id, q.work_id, w.title::text,
        array(
            select a.name::text from public.work_authors as wa join public.authors as a on a.id = wa.author_id
            where wa.work_id = w.id order by a.name
        ),
        q.status, q.confidence, q.wait_reason, nullif(q.next_attempt_after, 'infinity'), q.last_error, w.default_cover_url, q.cover_applied,
        q.fields_applied, q.providers_attempted, q.match_details, q.trigger_source, q.created_at, q.finished_at, q.id::text
    from public.enrichment_queue as q
    join public.works as w on w.id = q.work_id
    where (list_enrichment_impl.status is null or q.status = list_enrichment_impl.status::enrichment.queue_status)
        and (list_enrichment_impl.cursor is null or q.id < list_enrichment_impl.cursor::uuid)
        and (reader is null or exists (select 1 from public.library_items as i where i.user_id = reader and i.work_id = q.work_id))
    order by q.id desc
    limit list_enrichment_impl.page_size;
end
$$;
revoke all on function enrichment.list_enrichment_impl(text, integer, text) from public, anon, authenticated, service_role;
grant execute on function enrichment.list_enrichment_impl(text, integer, text) to authenticated, service_role;

create function public.list_enrichment(status text default null, page_size integer default 50, cursor text default null)
returns setof enrichment.listed_row
language sql stable set search_path = ''
as $$
    select * from enrichment.list_enrichment_impl(list_enrichment.status, list_enrichment.page_size, list_enrichment.cursor)
$$;
comment on function public.list_enrichment(text, integer, text) is
'Queue rows of the own library, newest first; the cursor of the last row gets the next page. PT422 for an unknown status, page_size beyond 1,000 or a foreign cursor.';
revoke all on function public.list_enrichment(text, integer, text) from public, anon, authenticated, service_role;
grant execute on function public.list_enrichment(text, integer, text) to authenticated, service_role;

create view enrichment.overview with (security_invoker = true) as
select
    q.status, q.wait_reason, count(*) as "rows", min(q.created_at) as oldest,
    nullif(min(q.next_attempt_after) filter (where q.status = 'pending'), 'infinity') as until
from public.enrichment_queue as q
group by q.status, q.wait_reason
order by q.status, q.wait_reason;
revoke all on enrichment.overview from public, anon, authenticated, service_role;
comment on view enrichment.overview is
'Rows by state and reason for waiting, the oldest of each, and when the first of them is due (null: not before a setting changes).';

create function enrichment.enrichment_overview_impl()
returns setof enrichment.state_count
language sql stable security definer set search_path = ''
as $$
    select o.status, o.wait_reason, o."rows", o.oldest, o.until from enrichment.overview as o
$$;
revoke all on function enrichment.enrichment_overview_impl() from public, anon, authenticated, service_role;
grant execute on function enrichment.enrichment_overview_impl() to service_role;

create function public.enrichment_overview()
returns setof enrichment.state_count
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_overview_impl()
$$;
comment on function public.enrichment_overview() is 'enrichment.overview for the service role: status, wait_reason, rows, oldest, until.';
revoke all on function public.enrichment_overview() from public, anon, authenticated, service_role;
grant execute on function public.enrichment_overview() to service_role;

create function enrichment.enrichment_providers_impl()
returns setof enrichment.provider_state
language sql stable security definer set search_path = ''
as $$
    select
        p.provider, p.is_enabled, s.wait_reason, nullif(s.available_at, 'infinity'), s.tokens, p.rate_per_second, p.burst_size, s.used_today,
        p.daily_limit, p.daily_reserve, p.failures, p.last_error
    from enrichment.provider_states as s
    join enrichment.providers as p on p.provider = s.provider
    order by p."position"
$$;
revoke all on function enrichment.enrichment_providers_impl() from public, anon, authenticated, service_role;
grant execute on function enrichment.enrichment_providers_impl() to service_role;

create function public.enrichment_providers()
returns setof enrichment.provider_state
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_providers_impl()
$$;
comment on function public.enrichment_providers() is
'One line per provider in the order of asking: wait_reason (null: may be called now; disabled, no_contact, no_key, bad_key, quota_zero, identify, unknown_location, retry_after, breaker, daily, rate) and until when (null: until a setting changes), calls left in its bucket and how they come back, calls of today and their limit, consecutive failures, the last error.';
revoke all on function public.enrichment_providers() from public, anon, authenticated, service_role;
grant execute on function public.enrichment_providers() to service_role;

create function enrichment.enrichment_due_impl()
returns setof enrichment.due
language sql stable security definer set search_path = ''
as $$
    with open_rows as (
        select q.status, q.next_attempt_after, q.wait_reason from public.enrichment_queue as q where q.is_open
    ),

    next_row as (
        select o.next_attempt_after, o.wait_reason
        from open_rows as o
        where o.status = 'pending' and o.next_attempt_after < 'infinity'
        order by o.next_attempt_after
        limit 1
    )

    select
        n.next_attempt_after,
        case when n.next_attempt_after is not null then round(greatest(extract(epoch from n.next_attempt_after - clock_timestamp()), 0), 3) end,
        n.wait_reason,
        (select count(*)::integer from open_rows as o where o.status = 'pending'),
        (select count(*)::integer from open_rows as o where o.status = 'in_progress')
    from (select) as always
    left join next_row as n on true
$$;
revoke all on function enrichment.enrichment_due_impl() from public, anon, authenticated, service_role;
grant execute on function enrichment.enrichment_due_impl() to service_role;

create function public.enrichment_due()
returns setof enrichment.due
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_due_impl()
$$;
comment on function public.enrichment_due() is
'When a worker should come back: due_at and due_in (seconds, 0 for now) of the next pending row, why it waits, and how many are pending and in progress. both are null where nothing will be due by itself.';
revoke all on function public.enrichment_due() from public, anon, authenticated, service_role;
grant execute on function public.enrichment_due() to service_role;
