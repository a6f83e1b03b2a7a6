-- Whose servers may be asked, how often, and whether they answer. One row per provider holds its limits and its live state, so that all
-- workers share one token bucket, one daily count and one breaker, across processes and restarts. A worker reserves before each call
-- and reports after it; claim and the sweep only read.

create type enrichment.reservation as (granted integer, retry_after numeric, reason text);
comment on type enrichment.reservation is 'Leave to call a provider: to be used within two seconds, or thrown away.';
comment on column enrichment.reservation.granted is 'Calls that may be made; 0 for none.';
comment on column enrichment.reservation.retry_after is
'Seconds after which to ask again; 0 where some were granted. Null: not before a setting changes.';
comment on column enrichment.reservation.reason is
'Why none was granted: rate, daily, breaker, no_contact, no_key, disabled, or what paused the provider (provider_report.paused_reason). Null: some were.';

create type enrichment.provider_report as (
    provider text, failures integer, open_until timestamptz, retry_at timestamptz, paused_reason text
);
comment on type enrichment.provider_report is 'How a provider stands after a report.';
comment on column enrichment.provider_report.failures is 'Calls that failed in a row.';
comment on column enrichment.provider_report.open_until is
'Until then the breaker is open; after that one call probes. Null: it is closed.';
comment on column enrichment.provider_report.retry_at is 'Before then it is not called. Null: nothing asks for that.';
comment on column enrichment.provider_report.paused_reason is
'Why not: retry_after (it asked for that), daily (until its day begins anew), or identify, no_key, bad_key, quota_zero, unknown_location (for an hour, unless contact or keys change earlier). Null: it is not paused.';

create table enrichment.providers (
    provider text primary key,
    "position" smallint not null unique,
    fills text[] not null,
    is_enabled boolean not null default true,
    needs_contact boolean not null default false,
    needs_key boolean not null default false,
    needs_opt_in boolean not null default false,
    keys_per_call integer not null default 1 check (keys_per_call between 1 and 100),
    rate_per_second numeric not null check (rate_per_second > 0),
    burst_size integer not null check (burst_size >= 1),
    daily_limit integer check (daily_limit >= 0),
    daily_reserve integer not null default 0 check (daily_reserve >= 0),
    reset_time_zone text not null default 'UTC',
    breaker_threshold integer not null default 5 check (breaker_threshold >= 1),
    cooldown_seconds integer not null default 60 check (cooldown_seconds >= 1),
    tokens numeric not null,
    refilled_at timestamptz not null default now(),
    used_on date,
    used_today integer not null default 0,
    failures integer not null default 0,
    open_until timestamptz,
    probe_until timestamptz,
    retry_at timestamptz,
    paused_reason text,
    last_error text,
    constraint tokens_stay_within_the_burst check (tokens between 0 and burst_size)
);
alter table enrichment.providers enable row level security;
revoke all on enrichment.providers from public, anon, authenticated, service_role;

comment on table enrichment.providers is 'Limits and live state per provider; an operator may change the limits here.';
comment on column enrichment.providers.provider is 'Name as in source_records.provider.';
comment on column enrichment.providers."position" is 'Order of asking: a later provider is asked only for what the earlier ones left open.';
comment on column enrichment.providers.fills is 'Fields this provider can fill; a row that wants none of them does not need it.';
comment on column enrichment.providers.is_enabled is 'Off: never asked, and nothing waits for it.';
comment on column enrichment.providers.needs_contact is 'Asked only when settings.contact is set; rows wait for that (no_contact).';
comment on column enrichment.providers.needs_key is 'Asked only when settings.provider_keys names it; otherwise rows go on without it.';
comment on column enrichment.providers.needs_opt_in is
'Asked only for readers who opted in (users.enable_google_books); for the system''s own rows any owner of the work will do.';
comment on column enrichment.providers.keys_per_call is 'ISBNs that fit one call.';
comment on column enrichment.providers.rate_per_second is 'Tokens added per second.';
comment on column enrichment.providers.burst_size is 'Tokens the bucket holds.';
comment on column enrichment.providers.daily_limit is 'Calls per day of reset_time_zone; null for no limit.';
comment on column enrichment.providers.daily_reserve is 'Calls of the daily limit that stay unspent.';
comment on column enrichment.providers.breaker_threshold is 'Consecutive failures that open the breaker.';
comment on column enrichment.providers.cooldown_seconds is 'How long the breaker stays open, and how long its one probe may take.';
comment on column enrichment.providers.tokens is 'Tokens left at refilled_at.';
comment on column enrichment.providers.failures is 'Consecutive failures.';
comment on column enrichment.providers.open_until is 'The breaker is open until then; after it one probe is let through.';
comment on column enrichment.providers.probe_until is 'A probe is under way; it lapses then if it never reports.';
comment on column enrichment.providers.retry_at is 'The provider asked not to be called before then (Retry-After, or a pause).';
comment on column enrichment.providers.paused_reason is 'Why it is paused until retry_at: retry_after, bad_key, quota_zero, identify, unknown_location, daily.';

-- Open Library: 0.33/s and burst 10; a client that names itself may be set to 1 or 3 per second.
-- Google Books: 1,000 calls a day per free key, counted from midnight Pacific; stop short of it.
insert into enrichment.providers (
    provider, "position", fills, needs_contact, needs_key, needs_opt_in, keys_per_call,
    rate_per_second, burst_size, daily_limit, daily_reserve, reset_time_zone, tokens
) values
(
    'openlibrary', 1, array(select f.field from enrichment.fields() as f where 'openlibrary' = any(f.known_to)),
    true, false, false, 25, 0.33, 10, null, 0, 'UTC', 10
),
(
    'googlebooks', 2, array(select f.field from enrichment.fields() as f where 'googlebooks' = any(f.known_to)),
    false, true, true, 1, 0.01, 5, 1000, 50, 'America/Los_Angeles', 5
);

create view enrichment.provider_states with (security_invoker = true) as
select
    p.provider,
    p."position",
    p.is_enabled and (not p.needs_key or p.provider = any(s.provider_keys)) as is_permitted,
    state.wait_reason,
    case when state.wait_reason is null then now() else state.available_at end as available_at,
    coalesce(
        state.wait_reason in ('daily', 'quota_zero', 'bad_key', 'no_key', 'unknown_location') or p.retry_at >= today.ends_at, false
    ) as is_out_for_today,
    trunc(bucket.tokens, 2) as tokens,
    today.calls as used_today
from enrichment.providers as p
cross join enrichment.settings as s
cross join lateral (
    select
        date_trunc('day', clock_timestamp() at time zone p.reset_time_zone + interval '1 day') at time zone p.reset_time_zone as ends_at,
        case when p.used_on = (clock_timestamp() at time zone p.reset_time_zone)::date then p.used_today else 0 end as calls
) as today
cross join lateral (
    select
        least(p.burst_size, p.tokens + p.rate_per_second * greatest(extract(epoch from clock_timestamp() - p.refilled_at), 0)) as tokens
) as bucket
cross join lateral (
    select
        case
            when not p.is_enabled then 'disabled'
            when p.needs_contact and s.contact is null then 'no_contact'
            when p.needs_key and not p.provider = any(s.provider_keys) then 'no_key'
            when p.retry_at > clock_timestamp() then coalesce(p.paused_reason, 'retry_after')
            when p.open_until > clock_timestamp() or p.probe_until > clock_timestamp() then 'breaker'
            when today.calls >= p.daily_limit - p.daily_reserve then 'daily'
            -- A nearer token is worth holding a row for; a worker waits for it within reserve_provider_calls().
            when 1 - bucket.tokens > 60 * p.rate_per_second then 'rate'
        end as wait_reason,
        case
            when not p.is_enabled or (p.needs_contact and s.contact is null)
                or (p.needs_key and not p.provider = any(s.provider_keys)) then 'infinity'
            when p.retry_at > clock_timestamp() then p.retry_at
            when p.open_until > clock_timestamp() or p.probe_until > clock_timestamp() then greatest(p.open_until, p.probe_until)
            when today.calls >= p.daily_limit - p.daily_reserve then today.ends_at
            else clock_timestamp() + make_interval(secs => ((1 - bucket.tokens) / p.rate_per_second)::double precision)
        end as available_at
) as state;
revoke all on enrichment.provider_states from public, anon, authenticated, service_role;
comment on view enrichment.provider_states is
'Whether each provider may be called now (wait_reason is null), and if not, why, until when, and whether that is all for today; the calls in its bucket and those of today.';

create function enrichment.reserve_provider_calls_impl(provider text, calls integer)
returns setof enrichment.reservation
language plpgsql security definer set search_path = ''
as $$
declare
    bucket enrichment.providers;
    asked_at timestamptz;
    state enrichment.provider_states;
    today date;
    filled numeric;
    answer enrichment.reservation;
begin
    if reserve_provider_calls_impl.calls is null or reserve_provider_calls_impl.calls < 1 then
        perform enrichment.refuse('PT422', 'calls must be at least 1', 'ask for as many calls as you will make within 2 seconds');
    end if;
    select * into bucket from enrichment.providers as p where p.provider = reserve_provider_calls_impl.provider for update;
    if not found then
        perform enrichment.refuse('PT404', format('no provider %s', reserve_provider_calls_impl.provider), 'see enrichment.providers');
    end if;
    select * into state from enrichment.provider_states as s where s.provider = bucket.provider;
    asked_at := greatest(clock_timestamp(), bucket.refilled_at);
    today := (asked_at at time zone bucket.reset_time_zone)::date;
    filled := least(bucket.burst_size, bucket.tokens + bucket.rate_per_second * extract(epoch from asked_at - bucket.refilled_at));

    if state.wait_reason <> 'rate' then
        answer := row(
            0, case when isfinite(state.available_at) then extract(epoch from state.available_at - clock_timestamp()) end, state.wait_reason
        );
    elsif filled < 1 then
        answer := row(0, round((1 - filled) / bucket.rate_per_second, 3) + 0.001, 'rate');
    else
        answer := row(
            least(
                reserve_provider_calls_impl.calls, floor(filled)::integer,
                case when bucket.open_until is not null then 1 end,
                bucket.daily_limit - bucket.daily_reserve - case when bucket.used_on = today then bucket.used_today else 0 end
            ),
            0::numeric, null::text
        );
    end if;

    update enrichment.providers as p
    set tokens = filled - answer.granted,
        refilled_at = asked_at,
        used_on = today,
        used_today = case when bucket.used_on = today then bucket.used_today else 0 end + answer.granted,
        probe_until = case
            when answer.granted > 0 and bucket.open_until is not null
                then clock_timestamp() + make_interval(secs => bucket.cooldown_seconds)
            else bucket.probe_until
        end
    where p.provider = bucket.provider;
    return next answer;
end
$$;

create function enrichment.report_provider_calls_impl(
    provider text, succeeded integer, failed integer, last_error text, retry_after numeric, reason text
)
returns setof enrichment.provider_report
language plpgsql security definer set search_path = ''
as $$
begin
    return query
    update enrichment.providers as p
    set failures = case
            when report_provider_calls_impl.failed > 0 then p.failures + report_provider_calls_impl.failed
            when report_provider_calls_impl.succeeded > 0 then 0
            else p.failures
        end,
        open_until = case
            when report_provider_calls_impl.failed > 0
                and (p.open_until is not null or p.failures + report_provider_calls_impl.failed >= p.breaker_threshold)
                then clock_timestamp() + make_interval(secs => p.cooldown_seconds)
            when report_provider_calls_impl.succeeded > 0 and p.open_until <= clock_timestamp() then null
            else p.open_until
        end,
        probe_until = null,
        retry_at = case
            when report_provider_calls_impl.retry_after is not null
                then clock_timestamp() + make_interval(secs => least(report_provider_calls_impl.retry_after, 86400)::double precision)
            when report_provider_calls_impl.reason = 'daily'
                then date_trunc('day', clock_timestamp() at time zone p.reset_time_zone + interval '1 day') at time zone p.reset_time_zone
            when report_provider_calls_impl.reason is not null then clock_timestamp() + interval '1 hour'
            when report_provider_calls_impl.succeeded > 0 and p.retry_at <= clock_timestamp() then null
            else p.retry_at
        end,
        paused_reason = case
            when report_provider_calls_impl.reason is not null then report_provider_calls_impl.reason
            when report_provider_calls_impl.retry_after is not null then 'retry_after'
            when report_provider_calls_impl.succeeded > 0 and p.retry_at <= clock_timestamp() then null
            else p.paused_reason
        end,
        last_error = case
            when report_provider_calls_impl.last_error is not null then left(report_provider_calls_impl.last_error, 500) else p.last_error
        end
    where p.provider = report_provider_calls_impl.provider
    returning p.provider, p.failures, p.open_until, p.retry_at, p.paused_reason;
    if not found then
        perform enrichment.refuse('PT404', format('no provider %s', report_provider_calls_impl.provider), 'see enrichment.providers');
    end if;
end
$$;

create function enrichment.forget_pauses()
returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    update enrichment.providers as p
    set retry_at = null, paused_reason = null
    where p.paused_reason in ('no_key', 'bad_key', 'quota_zero', 'identify', 'unknown_location');
    return null;
end
$$;
comment on function enrichment.forget_pauses() is 'A new contact or key deserves a new try: pauses that came from the old one end.';

create trigger settings_end_pauses after update on enrichment.settings
for each row when (new.contact is distinct from old.contact or new.provider_keys <> old.provider_keys)
execute function enrichment.forget_pauses();
