-- What an operator sees at a glance: rows by state and reason, who may be called, when a worker should come back.

create type enrichment.provider_state as (
    provider text, is_enabled boolean, wait_reason text, available_at timestamptz, tokens numeric, rate_per_second numeric,
    burst_size integer, used_today integer, daily_limit integer, daily_reserve integer, failures integer, last_error text
);
comment on type enrichment.provider_state is
'A line of the providers'' dashboard: may it be called, how much is left, how it has been doing.';
comment on column enrichment.provider_state.wait_reason is 'Why it may not be called now. Null: it may.';
comment on column enrichment.provider_state.available_at is 'When it may. Null: once a setting changes.';
comment on column enrichment.provider_state.tokens is 'Calls that are free now.';
comment on column enrichment.provider_state.rate_per_second is 'How fast they come back.';
comment on column enrichment.provider_state.burst_size is 'The most that are free at once.';
comment on column enrichment.provider_state.used_today is 'Calls since its day began.';
comment on column enrichment.provider_state.daily_limit is 'Calls a day. Null: no limit.';
comment on column enrichment.provider_state.daily_reserve is 'Calls of the daily limit that stay unspent.';
comment on column enrichment.provider_state.failures is 'Calls that failed in a row.';
comment on column enrichment.provider_state.last_error is 'Null: it met none.';

create type enrichment.due as (due_at timestamptz, due_in numeric, reason text, pending integer, in_progress integer);
comment on type enrichment.due is 'When a worker should come back.';
comment on column enrichment.due.due_at is 'Null: nothing will be due by itself.';
comment on column enrichment.due.due_in is 'Seconds until then, never negative. Null: as due_at.';
comment on column enrichment.due.reason is 'What the row that is due first waits for. Null: as due_at.';
comment on column enrichment.due.pending is 'Queue rows in this state.';
comment on column enrichment.due.in_progress is 'Queue rows in this state.';

create type enrichment.state_count as (
    status enrichment.queue_status, wait_reason text, "rows" bigint, oldest timestamptz, until timestamptz
);
comment on type enrichment.state_count is 'How many queue rows are in one state, for one reason.';
comment on column enrichment.state_count.wait_reason is 'Null: they do not wait.';
comment on column enrichment.state_count.oldest is 'When the oldest was made.';
comment on column enrichment.state_count.until is 'When the first of them is due. Null: once a setting changes, or they do not wait.';

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

create function enrichment.enrichment_providers_impl()
returns setof enrichment.provider_state
language sql stable security definer set search_path = ''
as $$
    select
        p.provider, p.is_enabled, s.wait_reason, nullif(s.available_at, 'infinity'), s.tokens, p.rate_per_second, p.burst_size,
        s.used_today,
        p.daily_limit, p.daily_reserve, p.failures, p.last_error
    from enrichment.provider_states as s
    join enrichment.providers as p on p.provider = s.provider
    order by p."position"
$$;

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
        case
            when n.next_attempt_after is not null then round(greatest(extract(epoch from n.next_attempt_after - clock_timestamp()), 0), 3)
        end,
        n.wait_reason,
        (select count(*)::integer from open_rows as o where o.status = 'pending'),
        (select count(*)::integer from open_rows as o where o.status = 'in_progress')
    from (select) as always
    left join next_row as n on true
$$;
