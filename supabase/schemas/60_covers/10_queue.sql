-- Covers waiting to become small copies of our own, in mode thumbnail. A cover that apply or review writes gets in line by a trigger on
-- the audit log; those that were shown before are found by the backfill.

create table enrichment.cover_backfill (
    is_only_row boolean primary key default true check (is_only_row),
    next_work_id uuid
);
alter table enrichment.cover_backfill enable row level security;
revoke all on enrichment.cover_backfill from public, anon, authenticated, service_role;

insert into enrichment.cover_backfill default values;

comment on table enrichment.cover_backfill is
'How far the search for covers that were hot-linked before has come, by work id; null: done. It starts anew when the mode is switched on and each night.';

-- 400 images a minute is what the cover server allows an address; one a second leaves room for the readers behind it.
insert into enrichment.providers (provider, "position", fills, needs_contact, rate_per_second, burst_size, tokens)
values ('openlibrary_covers', 100, '{}', true, 1, 10, 10);

create table enrichment.cover_queue (
    id uuid primary key default enrichment.uuid_v7(),
    work_id uuid not null references public.works (id) on delete cascade,
    queue_id uuid references public.enrichment_queue (id) on delete set null,
    provider text not null,
    source_url text not null,
    status enrichment.queue_status not null default 'pending',
    sha256 text references enrichment.stored_covers (sha256),
    attempt_count smallint not null default 0,
    max_attempts smallint not null default 3,
    next_attempt_after timestamptz not null default now(),
    wait_reason text default 'queued',
    last_error text,
    claim_token uuid,
    claimed_by text,
    created_at timestamptz not null default now(),
    started_at timestamptz,
    finished_at timestamptz,
    updated_at timestamptz not null default now(),
    is_open boolean not null generated always as (status in ('pending', 'in_progress')) stored,
    constraint a_cover_is_not_reviewed check (status <> 'needs_review'),
    constraint finished_at_is_set_when_closed check ((finished_at is not null) = (status in ('completed', 'failed', 'skipped'))),
    constraint a_claim_has_a_token check ((claim_token is not null) = (status = 'in_progress')),
    constraint a_waiting_row_says_why check ((wait_reason is not null) = (status = 'pending')),
    constraint a_completed_row_names_its_image check ((sha256 is not null) = (status = 'completed')),
    constraint attempts_stay_within_their_limit check (attempt_count between 0 and max_attempts),
    constraint google_covers_are_never_stored check (
        provider <> 'googlebooks' and split_part(source_url, '/', 3) !~* '(google|gstatic|ggpht)'
    )
) with (fillfactor = 70);

create unique index covers_one_open_row_per_work on enrichment.cover_queue (work_id) where is_open;
create index covers_due on enrichment.cover_queue (next_attempt_after) where is_open;
create index covers_by_work on enrichment.cover_queue (work_id, created_at desc);
create index covers_by_end on enrichment.cover_queue (finished_at) where finished_at is not null;
create index covers_by_queue_row on enrichment.cover_queue (queue_id) where queue_id is not null;
create index covers_by_image on enrichment.cover_queue (sha256) where sha256 is not null;
alter table enrichment.cover_queue enable row level security;
revoke all on enrichment.cover_queue from public, anon, authenticated, service_role;

comment on table enrichment.cover_queue is 'One row per cover to be stored; at most one open row per work. The transitions are those of the enrichment queue, without review.';
comment on column enrichment.cover_queue.queue_id is 'The enrichment row that had filled the cover, so that undoing it finds the swap; null where it was there before.';
comment on column enrichment.cover_queue.provider is 'Whose image it is; its calls are counted under <provider>_covers.';
comment on column enrichment.cover_queue.source_url is 'What the work showed when the row was made; nothing else is swapped.';
comment on column enrichment.cover_queue.sha256 is 'The stored image, once there is one.';
comment on column enrichment.cover_queue.wait_reason is
'Why a pending row waits: queued, backoff, stale, hotlink_mode, storage_budget, or the provider''s reason (rate, breaker, retry_after, no_contact …).';

create trigger covers_start_as_pending before insert on enrichment.cover_queue
for each row when (new.status <> 'pending') execute function enrichment.refuse_missing_transition();

create trigger covers_follow_transitions before update of status on enrichment.cover_queue
for each row when (old.status <> new.status) execute function enrichment.refuse_missing_transition();

create view enrichment.cover_gate with (security_invoker = true) as
select
    case
        when s.cover_mode <> 'thumbnail' then 'hotlink_mode'
        when u.bytes + s.cover_image_bytes > s.cover_budget_bytes then 'storage_budget'
        else p.wait_reason
    end as wait_reason,
    case
        when s.cover_mode <> 'thumbnail' or u.bytes + s.cover_image_bytes > s.cover_budget_bytes then 'infinity'
        else p.available_at
    end as available_at,
    u.images, u.bytes
from enrichment.settings as s
cross join enrichment.cover_storage as u
join enrichment.provider_states as p on p.provider = 'openlibrary_covers';
revoke all on enrichment.cover_gate from public, anon, authenticated, service_role;
comment on view enrichment.cover_gate is
'Whether covers may be downloaded now (wait_reason is null), and if not, why and until when: hotlink_mode, storage_budget, or the provider''s reason.';

create view enrichment.cover_overview with (security_invoker = true) as
select
    q.status, reason as wait_reason, count(*) as "rows", min(q.created_at) as oldest,
    nullif(min(greatest(q.next_attempt_after, g.available_at)) filter (where q.status = 'pending'), 'infinity') as until
from enrichment.cover_queue as q
cross join enrichment.cover_gate as g
cross join lateral (select case when q.status = 'pending' then coalesce(g.wait_reason, q.wait_reason) end) as waiting (reason)
group by q.status, reason
order by q.status, reason;
revoke all on enrichment.cover_overview from public, anon, authenticated, service_role;
comment on view enrichment.cover_overview is
'Cover rows by state and reason for waiting, the oldest of each, and when the first of them is due (null: not before a setting changes).';

create function enrichment.cover_provider(url text)
returns text
language sql stable set search_path = ''
as $$
    select 'openlibrary'
    from enrichment.settings as s
    cross join lateral lower(split_part(cover_provider.url, '/', 3)) as host
    where cover_provider.url like 'https://%' and host !~ '[^a-z0-9.-]' and exists (
        select 1 from unnest(s.cover_hosts) as allowed
        where host = allowed or (allowed like '*.%' and right(host, length(allowed) - 1) = substr(allowed, 2))
    )
$$;
comment on function enrichment.cover_provider(text) is 'Whose storable image an https URL leads to, by settings.cover_hosts; null for a URL that is not downloaded.';

create function enrichment.queue_covers(work_ids uuid[], queue_ids uuid[])
returns void
language sql set search_path = ''
as $$
    insert into enrichment.cover_queue as c (work_id, queue_id, provider, source_url, max_attempts)
    select distinct on (w.id) w.id, wish.queue_id, source.provider, w.default_cover_url, s.max_attempts
    from unnest(queue_covers.work_ids, queue_covers.queue_ids) as wish (work_id, queue_id)
    join public.works as w on w.id = wish.work_id
    join enrichment.settings as s on s.cover_mode = 'thumbnail'
    cross join lateral enrichment.cover_provider(w.default_cover_url) as source (provider)
    where source.provider is not null
        and not exists (select 1 from enrichment.field_locks as l where l.entity_id = w.id and l.field = 'work.cover_url')
        and not exists (
            select 1 from enrichment.cover_queue as ended
            where ended.work_id = w.id and ended.source_url = w.default_cover_url and ended.status in ('failed', 'skipped')
        )
    order by w.id, wish.queue_id
    on conflict (work_id) where is_open do update
    set source_url = excluded.source_url, queue_id = excluded.queue_id, updated_at = now()
    where c.status = 'pending' and c.source_url <> excluded.source_url
$$;
comment on function enrichment.queue_covers(uuid[], uuid[]) is
'Queues the covers these works hot-link now, each with the enrichment row that filled it, where the mode is thumbnail and nobody locked the cover. An image that failed for good is not tried again while its row is kept.';

create function enrichment.queue_written_covers()
returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    -- The log is our own table and names every cover that any verb writes; a trigger on works would be the host's burden.
    -- @plpgsql_check_options: newtable = new_rows
    if (select s.cover_mode from enrichment.settings as s) = 'thumbnail' then
        perform enrichment.queue_covers(array_agg(n.work_id order by n.id), array_agg(n.enrichment_queue_id order by n.id))
        from new_rows as n
        where n.fields_changed ? 'work.cover_url' and n.action in ('auto_applied', 'approved') and n.provider <> 'googlebooks';
    end if;
    return null;
end
$$;
comment on function enrichment.queue_written_covers() is 'What was just logged as a cover written from a storable provider gets in line to be stored.';

create trigger audit_queues_written_covers after insert on public.enrichment_audit_log
referencing new table as new_rows
for each statement execute function enrichment.queue_written_covers();

create function enrichment.wake_waiting_covers()
returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    if new.cover_mode = 'thumbnail' and old.cover_mode <> 'thumbnail' then
        update enrichment.cover_backfill as b set next_work_id = '00000000-0000-0000-0000-000000000000';
    end if;

    with waiting as (
        select q.id
        from enrichment.cover_queue as q
        where q.is_open and q.status = 'pending'
            and (new.cover_mode <> old.cover_mode or q.wait_reason in ('storage_budget', 'no_contact', 'identify'))
        order by q.id
        for update
    )

    update enrichment.cover_queue as q
    set next_attempt_after = case when new.cover_mode = 'thumbnail' then now() else 'infinity' end,
        wait_reason = case when new.cover_mode = 'thumbnail' then 'queued' else 'hotlink_mode' end,
        updated_at = now()
    from waiting
    where q.id = waiting.id;
    return null;
end
$$;
comment on function enrichment.wake_waiting_covers() is
'Covers wait, or are due, from the moment the mode, the budget or the contact changes; switching the mode on also looks for covers that are hot-linked already.';

create trigger settings_wake_waiting_covers after update on enrichment.settings
for each row when (
    new.cover_mode <> old.cover_mode or new.cover_budget_bytes <> old.cover_budget_bytes
    or new.cover_image_bytes <> old.cover_image_bytes or new.contact is distinct from old.contact
) execute function enrichment.wake_waiting_covers();

create function enrichment.backfill_covers()
returns void
language plpgsql set search_path = ''
as $$
declare
    next_id uuid;
    page uuid[];
begin
    select b.next_work_id into next_id from enrichment.cover_backfill as b where b.next_work_id is not null for update skip locked;
    if found then
        page := array(select w.id from public.works as w where w.id > next_id order by w.id limit 1000);
        perform enrichment.queue_covers(page, null);
        update enrichment.cover_backfill as b set next_work_id = page[1000];
    end if;
end
$$;
comment on function enrichment.backfill_covers() is 'Queues the storable covers among the next 1,000 works, wherever they came from; does nothing once all were seen.';

analyze enrichment.cover_storage, enrichment.cover_backfill;
