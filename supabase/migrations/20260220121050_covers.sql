-- Covers of our own. apply writes the provider's URL (hot-link); where cover_mode is thumbnail, each such cover gets a row in a queue of
-- its own here. A worker claims it, downloads, checks and shrinks the image, uploads it to the bucket covers under its hash, and hands in
-- what it stored; only then, and only where the work still shows the provider's URL, the URL is swapped. Google's terms forbid keeping its
-- covers, so they never enter. Locks go works, then cover rows, then the running total.

create table enrichment.stored_covers (
    sha256 text primary key check (sha256 ~ '^[0-9a-f]{64}$'),
    storage_path text not null unique,
    content_type text not null default 'image/webp',
    bytes integer not null check (bytes > 0),
    width integer not null,
    height integer not null,
    created_at timestamptz not null default now(),
    constraint a_dot_is_no_cover check (width > 1 and height > 1)
);
alter table enrichment.stored_covers enable row level security;
revoke all on enrichment.stored_covers from public, anon, authenticated, service_role;
comment on table enrichment.stored_covers is 'Images in the bucket covers, each once, however many works show it.';
comment on column enrichment.stored_covers.sha256 is 'Of the stored bytes, which are what we encoded, not what was downloaded.';
comment on column enrichment.stored_covers.storage_path is 'openlibrary/<first 32 digits of sha256>.webp within the bucket.';

create table enrichment.cover_storage (
    is_only_row boolean primary key default true check (is_only_row),
    images bigint not null default 0 check (images >= 0),
    bytes bigint not null default 0 check (bytes >= 0)
);
alter table enrichment.cover_storage enable row level security;
revoke all on enrichment.cover_storage from public, anon, authenticated, service_role;
insert into enrichment.cover_storage default values;
comment on table enrichment.cover_storage is 'Running total of stored_covers. Its row lock makes claims take turns, so that together they stay within the budget.';

create table enrichment.cover_backfill (
    is_only_row boolean primary key default true check (is_only_row),
    next_work_id uuid
);
alter table enrichment.cover_backfill enable row level security;
revoke all on enrichment.cover_backfill from public, anon, authenticated, service_role;
insert into enrichment.cover_backfill default values;
comment on table enrichment.cover_backfill is
'How far the search for covers that were hot-linked before has come, by work id; null: done. It starts anew when the mode is switched on and each night.';

create table enrichment.placeholder_images (
    digest text primary key check (digest ~ '^([0-9a-f]{32}|[0-9a-f]{64})$'),
    description text not null
);
alter table enrichment.placeholder_images enable row level security;
revoke all on enrichment.placeholder_images from public, anon, authenticated, service_role;
comment on table enrichment.placeholder_images is
'Images that say "there is no image", by md5 or sha256 of the downloaded bytes; add a line where you meet another. Open Library''s, a single pixel, is known by its size.';
insert into enrichment.placeholder_images (digest, description) values
('0de4383ebad0adad5eeb8975cd796657', 'Google Books: image not available'),
('a64fa89d7ebc97075c1d363fc5fea71f', 'Google Books: image not available, other size');

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
comment on table enrichment.cover_queue is 'One row per cover to be stored; at most one open row per work. The arrows are those of the enrichment queue, without review.';
comment on column enrichment.cover_queue.queue_id is 'The enrichment row that had filled the cover, so that undoing it finds the swap; null where it was there before.';
comment on column enrichment.cover_queue.provider is 'Whose image it is; its calls are counted under <provider>_covers.';
comment on column enrichment.cover_queue.source_url is 'What the work showed when the row was made; nothing else is swapped.';
comment on column enrichment.cover_queue.sha256 is 'The stored image, once there is one.';
comment on column enrichment.cover_queue.wait_reason is
'Why a pending row waits: queued, backoff, stale, hotlink_mode, storage_budget, or the provider''s reason (rate, breaker, retry_after, no_contact …).';

create trigger covers_start_as_pending before insert on enrichment.cover_queue
for each row when (new.status <> 'pending') execute function enrichment.refuse_missing_arrow();
create trigger covers_follow_the_arrows before update of status on enrichment.cover_queue
for each row when (old.status <> new.status) execute function enrichment.refuse_missing_arrow();

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
revoke all on function enrichment.cover_provider(text) from public, anon, authenticated, service_role;

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
revoke all on function enrichment.queue_covers(uuid[], uuid[]) from public, anon, authenticated, service_role;

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
revoke all on function enrichment.queue_written_covers() from public, anon, authenticated, service_role;

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
revoke all on function enrichment.wake_waiting_covers() from public, anon, authenticated, service_role;

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
revoke all on function enrichment.backfill_covers() from public, anon, authenticated, service_role;

create type enrichment.claimed_cover as (
    cover_id uuid, claim_token uuid, work_id uuid, provider text, source_url text, attempt_count integer
);

create function enrichment.claim_covers_impl(worker_name text, batch_size integer)
returns setof enrichment.claimed_cover
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    batch integer := coalesce(claim_covers_impl.batch_size, 10);
    kept enrichment.settings := (select s from enrichment.settings as s);
    gate enrichment.cover_gate;
    stored_bytes bigint;
    held_rows bigint;
begin
    if batch not between 1 and 100 then
        perform enrichment.refuse('PT422', format('batch_size %s is not between 1 and 100', batch), 'ten is the default');
    end if;
    if kept.cover_mode <> 'thumbnail' then
        return;
    end if;
    if (select count(*) from (select 1 from enrichment.cover_queue as q where q.is_open and q.status = 'pending' and q.next_attempt_after <= now() limit batch) as due) < batch then
        perform enrichment.backfill_covers();
    end if;

    -- From here on claims take turns.
    select u.bytes into stored_bytes from enrichment.cover_storage as u for update;
    select * into gate from enrichment.cover_gate as g;
    if gate.wait_reason is not null then
        with due as (
            select q.id from enrichment.cover_queue as q
            where q.is_open and q.status = 'pending' and q.next_attempt_after <= now()
            limit 1000
            for update skip locked
        )

        update enrichment.cover_queue as q
        set wait_reason = gate.wait_reason, next_attempt_after = gate.available_at, updated_at = now()
        from due
        where q.id = due.id;
        return;
    end if;

    -- Each row under way sets aside the largest image there may be, so that no upload can go beyond the budget.
    select count(*) into held_rows from enrichment.cover_queue as q where q.is_open and q.status = 'in_progress';
    batch := least(batch, (kept.cover_budget_bytes - stored_bytes) / kept.cover_image_bytes - held_rows)::integer;
    if batch < 1 then
        return;
    end if;

    return query
    with picked as (
        select q.id
        from enrichment.cover_queue as q
        where q.is_open and q.status = 'pending' and q.next_attempt_after <= now()
        order by q.next_attempt_after, q.id
        limit batch
        for update skip locked
    ),

    claimed as (
        update enrichment.cover_queue as q
        set status = 'in_progress', started_at = now(), attempt_count = q.attempt_count + 1, wait_reason = null,
            claim_token = gen_random_uuid(), claimed_by = left(claim_covers_impl.worker_name, 200), updated_at = now()
        from picked
        where q.id = picked.id
        returning q.*
    )

    select c.id, c.claim_token, c.work_id, c.provider, c.source_url, c.attempt_count::integer from claimed as c order by c.id;
end
$$;
revoke all on function enrichment.claim_covers_impl(text, integer) from public, anon, authenticated, service_role;
grant execute on function enrichment.claim_covers_impl(text, integer) to service_role;

create function public.claim_covers(worker_name text, batch_size integer default null)
returns setof enrichment.claimed_cover
language sql set search_path = ''
as $$
    select * from enrichment.claim_covers_impl(claim_covers.worker_name, claim_covers.batch_size)
$$;
comment on function public.claim_covers(text, integer) is
'Takes up to batch_size covers to store (default 10, at most 100), each with a claim_token. Zero rows: hot-link mode, nothing due, the provider paused, or no room left in cover_budget_bytes; enrichment_covers() says which.';
revoke all on function public.claim_covers(text, integer) from public, anon, authenticated, service_role;
grant execute on function public.claim_covers(text, integer) to service_role;

create type enrichment.answered_cover as (
    "position" integer, cover_id uuid, claim_token uuid, sha256 text, storage_path text, cover_url text, bytes integer, width integer,
    height integer, problem text
);

create function enrichment.read_covers(results jsonb)
returns setof enrichment.answered_cover
language sql stable set search_path = ''
as $$
    select
        element.place::integer - 1,
        case when element.value ->> 'cover_id' ~ uuid_shape then (element.value ->> 'cover_id')::uuid end,
        case when element.value ->> 'claim_token' ~ uuid_shape then (element.value ->> 'claim_token')::uuid end,
        element.value ->> 'sha256', element.value ->> 'storage_path', element.value ->> 'cover_url', bytes, width, height,
        case
            when jsonb_typeof(element.value) <> 'object' then 'the element is not a JSON object'
            when coalesce(element.value ->> 'cover_id', '') !~ uuid_shape then 'cover_id is not a uuid'
            when coalesce(element.value ->> 'claim_token', '') !~ uuid_shape then 'claim_token is not a uuid'
            when coalesce(element.value ->> 'sha256', '') !~ '^[0-9a-f]{64}$' then 'sha256 has not 64 hexadecimal digits'
            when element.value ->> 'storage_path' is distinct from 'openlibrary/' || left(element.value ->> 'sha256', 32) || '.webp'
                then 'storage_path is not openlibrary/<32 digits of sha256>.webp'
            when coalesce(element.value ->> 'cover_url', '') !~ '^https?://[^/@\s]+/storage/v1/object/public/covers/[^\s]+$'
                or right(element.value ->> 'cover_url', length(element.value ->> 'storage_path') + 1) <> '/' || (element.value ->> 'storage_path')
                then 'cover_url is not the public URL of storage_path'
            when bytes is null then format('bytes is not between 1 and %s (cover_image_bytes)', s.cover_image_bytes)
            when width is null or height is null then 'width or height is not between 2 and 4,000'
        end
    from jsonb_array_elements(read_covers.results) with ordinality as element (value, place)
    cross join enrichment.settings as s
    cross join lateral enrichment.json_integer(element.value -> 'bytes', 1, s.cover_image_bytes) as bytes
    cross join lateral enrichment.json_integer(element.value -> 'width', 2, 4000) as width
    cross join lateral enrichment.json_integer(element.value -> 'height', 2, 4000) as height
    cross join (values ('^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$')) as pattern (uuid_shape)
$$;
comment on function enrichment.read_covers(jsonb) is 'The elements of an apply_covers call, each with what is wrong with it, if anything.';
revoke all on function enrichment.read_covers(jsonb) from public, anon, authenticated, service_role;

create type enrichment.cover_verdict as (cover_id uuid, outcome text);
create type enrichment.cover_outcome as (
    "position" integer, cover_id uuid, work_id uuid, outcome text, status enrichment.queue_status, message text
);

create function enrichment.weigh_covers(elements enrichment.answered_cover[])
returns setof enrichment.cover_verdict
language sql stable set search_path = ''
as $$
    with new_images as (
        select distinct on (e.sha256) e.sha256, e.bytes, e."position"
        from unnest(weigh_covers.elements) as e
        where not exists (select 1 from enrichment.stored_covers as i where i.sha256 = e.sha256)
        order by e.sha256, e."position"
    ),

    totals as (
        select n.sha256, u.bytes + sum(n.bytes) over (order by n."position") > s.cover_budget_bytes as is_too_much
        from new_images as n
        cross join enrichment.cover_storage as u
        cross join enrichment.settings as s
    )

    select
        e.cover_id,
        case
            when t.is_too_much then 'over_budget'
            when w.default_cover_url is distinct from c.source_url then 'url_changed'
            when exists (select 1 from enrichment.field_locks as l where l.entity_id = w.id and l.field = 'work.cover_url') then 'locked'
            else 'applied'
        end
    from unnest(weigh_covers.elements) as e
    join enrichment.cover_queue as c on c.id = e.cover_id
    join public.works as w on w.id = c.work_id
    left join totals as t on t.sha256 = e.sha256
$$;
comment on function enrichment.weigh_covers(enrichment.answered_cover[]) is
'Whether each stored image may take its work''s cover: over_budget where the total would pass cover_budget_bytes, url_changed, locked, or applied. The caller holds the locks.';
revoke all on function enrichment.weigh_covers(enrichment.answered_cover[]) from public, anon, authenticated, service_role;

create function enrichment.swap_covers(elements enrichment.answered_cover[], verdicts enrichment.cover_verdict[])
returns void
language plpgsql set search_path = ''
as $$
declare
    host_keeps_paths boolean := exists (
        select 1 from pg_catalog.pg_attribute as a
        where a.attrelid = 'public.works'::regclass and a.attname = 'default_cover_storage_path' and not a.attisdropped
    );
begin
    with stored as (
        insert into enrichment.stored_covers (sha256, storage_path, bytes, width, height)
        select distinct on (e.sha256) e.sha256, e.storage_path, e.bytes, e.width, e.height
        from unnest(swap_covers.elements) as e
        join unnest(swap_covers.verdicts) as v on v.cover_id = e.cover_id and v.outcome <> 'over_budget'
        order by e.sha256
        on conflict do nothing
        returning bytes
    )

    update enrichment.cover_storage as u
    set images = u.images + added.images, bytes = u.bytes + added.bytes
    from (select count(*) as images, coalesce(sum(stored.bytes), 0) as bytes from stored) as added
    where added.images > 0;

    -- A host without the column has nowhere to note the path, and static SQL would not compile there.
    execute
        'update public.works as w set default_cover_url = e.cover_url, updated_at = now()'
        || case when host_keeps_paths then ', default_cover_storage_path = e.storage_path' else '' end
        || ' from unnest($1) as e join unnest($2) as v on v.cover_id = e.cover_id and v.outcome = ''applied'''
        || ' join enrichment.cover_queue as c on c.id = e.cover_id where w.id = c.work_id'
    using swap_covers.elements, swap_covers.verdicts;

    insert into public.enrichment_audit_log (
        enrichment_queue_id, work_id, edition_id, import_id, action, provider, fields_changed, previous_values, match_details
    )
    select
        c.queue_id, c.work_id, q.edition_id, q.import_id, 'auto_applied', c.provider,
        jsonb_build_object('work.cover_url', jsonb_build_object('old', c.source_url, 'new', e.cover_url)),
        jsonb_build_object('work.cover_url', c.source_url),
        jsonb_build_object('sentence', 'the cover was stored', 'storage_path', e.storage_path, 'sha256', e.sha256, 'bytes', e.bytes)
    from unnest(swap_covers.elements) as e
    join unnest(swap_covers.verdicts) as v on v.cover_id = e.cover_id and v.outcome = 'applied'
    join enrichment.cover_queue as c on c.id = e.cover_id
    left join public.enrichment_queue as q on q.id = c.queue_id;

    update enrichment.cover_queue as c
    set status = case v.outcome when 'applied' then 'completed' when 'over_budget' then 'pending' else 'skipped' end::enrichment.queue_status,
        sha256 = case when v.outcome = 'applied' then e.sha256 end,
        last_error = case v.outcome when 'url_changed' then 'the work shows another cover now' when 'locked' then 'the cover was locked' end,
        attempt_count = c.attempt_count - (v.outcome = 'over_budget')::integer,
        wait_reason = case when v.outcome = 'over_budget' then 'storage_budget' end,
        next_attempt_after = case when v.outcome = 'over_budget' then 'infinity' else c.next_attempt_after end,
        finished_at = case when v.outcome <> 'over_budget' then now() end,
        claim_token = null, updated_at = now()
    from unnest(swap_covers.elements) as e
    join unnest(swap_covers.verdicts) as v on v.cover_id = e.cover_id
    where c.id = e.cover_id;

    -- A cover that changed meanwhile may be one to store as well.
    perform enrichment.queue_covers(array_agg(c.work_id), null)
    from unnest(swap_covers.verdicts) as v
    join enrichment.cover_queue as c on c.id = v.cover_id
    where v.outcome = 'url_changed';
end
$$;
comment on function enrichment.swap_covers(enrichment.answered_cover[], enrichment.cover_verdict[]) is
'Counts the images, swaps and logs the URLs of those applied, and closes the rows; those over budget wait. The caller holds the locks.';
revoke all on function enrichment.swap_covers(enrichment.answered_cover[], enrichment.cover_verdict[])
from public, anon, authenticated, service_role;

create function enrichment.settle_covers(elements enrichment.answered_cover[])
returns setof enrichment.cover_verdict
language plpgsql set search_path = ''
as $$
declare
    fenced enrichment.answered_cover[];
    verdicts enrichment.cover_verdict[];
    this_one enrichment.answered_cover;
begin
    perform 1 from public.works as w
    where w.id in (select c.work_id from enrichment.cover_queue as c join unnest(settle_covers.elements) as e on e.cover_id = c.id)
    order by w.id for no key update;

    with held as (
        select c.id, c.claim_token
        from enrichment.cover_queue as c
        where c.id in (select e.cover_id from unnest(settle_covers.elements) as e) and c.status = 'in_progress'
        order by c.id
        for update
    )

    select array_agg(first.e) into fenced
    from (
        select distinct on (e.cover_id) e
        from unnest(settle_covers.elements) as e
        join held on held.id = e.cover_id and held.claim_token = e.claim_token
        order by e.cover_id, e."position"
    ) as first;

    perform 1 from enrichment.cover_storage for update;
    select array_agg(v) into verdicts from enrichment.weigh_covers(fenced) as v;
    perform enrichment.swap_covers(fenced, verdicts);
    return query select v.* from unnest(verdicts) as v;
exception
    when others then
        -- Say, a trigger of the host's on works: the one cover it refuses must not take the batch with it.
        if cardinality(settle_covers.elements) = 1 then
            this_one := settle_covers.elements[1];
            return query
            select s.cover_id, 'failed'
            from enrichment.end_cover_attempts(array(
                select c.id from enrichment.cover_queue as c where c.id = this_one.cover_id and c.claim_token = this_one.claim_token for update
            ), sqlstate || ': ' || sqlerrm, 'backoff', false) as s;
        else
            foreach this_one in array settle_covers.elements loop
                return query select * from enrichment.settle_covers(array[this_one]);
            end loop;
        end if;
end
$$;
comment on function enrichment.settle_covers(enrichment.answered_cover[]) is
'Applies stored images whose claims hold, all at once; one at a time where that raises. No line for a claim that is not held.';
revoke all on function enrichment.settle_covers(enrichment.answered_cover[]) from public, anon, authenticated, service_role;

create type enrichment.cover_state as (
    cover_id uuid, status enrichment.queue_status, attempt_count integer, next_attempt_after timestamptz, wait_reason text, last_error text
);

create function enrichment.end_cover_attempts(cover_ids uuid[], error text, wait_reason text, is_lasting boolean)
returns setof enrichment.cover_state
language plpgsql set search_path = ''
as $$
begin
    return query
    update enrichment.cover_queue as c
    set status = ending.status,
        finished_at = case when ending.status <> 'pending' then now() end,
        wait_reason = case when ending.status = 'pending' then end_cover_attempts.wait_reason end,
        next_attempt_after = now() + enrichment.backoff_delay(c.attempt_count),
        last_error = left(end_cover_attempts.error, 2000), claim_token = null, updated_at = now()
    from enrichment.cover_queue as held
    cross join lateral (
        select case
            when end_cover_attempts.is_lasting then 'skipped' when held.attempt_count >= held.max_attempts then 'failed' else 'pending'
        end::enrichment.queue_status
    ) as ending (status)
    where held.id = any(end_cover_attempts.cover_ids) and held.status = 'in_progress' and c.id = held.id
    returning c.id, c.status, c.attempt_count::integer, c.next_attempt_after, c.wait_reason, c.last_error;

    -- A cover that changed while its old image was fetched is the one to store now.
    perform enrichment.queue_covers(array_agg(c.work_id), null)
    from enrichment.cover_queue as c
    where c.id = any(end_cover_attempts.cover_ids);
end
$$;
comment on function enrichment.end_cover_attempts(uuid[], text, text, boolean) is
'Ends attempts at covers: skipped for a lasting error, else back to pending with backoff, or failed when the last one is spent. A work that shows another cover by now gets in line with that one.';
revoke all on function enrichment.end_cover_attempts(uuid[], text, text, boolean) from public, anon, authenticated, service_role;

create function enrichment.apply_covers_impl(results jsonb)
returns setof enrichment.cover_outcome
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    elements enrichment.answered_cover[];
    verdicts enrichment.cover_verdict[];
begin
    if jsonb_typeof(apply_covers_impl.results) is distinct from 'array' then
        perform enrichment.refuse(
            'PT422', 'results is not a JSON array', 'send [{"cover_id", "claim_token", "sha256", "storage_path", "cover_url", "bytes", "width", "height"}]'
        );
    end if;
    perform enrichment.refuse_long_list(jsonb_array_length(apply_covers_impl.results));
    select array_agg(r) into elements from enrichment.read_covers(apply_covers_impl.results) as r;

    select array_agg(v) into verdicts
    from enrichment.settle_covers(array(select e from unnest(elements) as e where e.problem is null)) as v;

    return query
    select
        e."position", e.cover_id, c.work_id,
        case when e.problem is not null then 'rejected' else coalesce(v.outcome, 'stale_claim') end,
        case when v.cover_id is not null then c.status end,
        case
            when e.problem is not null then e.problem
            when v.cover_id is null then 'the claim is no longer yours; nothing was changed'
            else coalesce(c.last_error, c.wait_reason)
        end
    from unnest(elements) as e
    left join unnest(verdicts) as v
        on e.problem is null and v.cover_id = e.cover_id and e."position" = (
            select min(same."position") from unnest(elements) as same where same.cover_id = e.cover_id and same.problem is null
        )
    left join enrichment.cover_queue as c on c.id = e.cover_id
    order by e."position";
end
$$;
revoke all on function enrichment.apply_covers_impl(jsonb) from public, anon, authenticated, service_role;
grant execute on function enrichment.apply_covers_impl(jsonb) to service_role;

create function public.apply_covers(results jsonb)
returns setof enrichment.cover_outcome
language sql set search_path = ''
as $$
    select * from enrichment.apply_covers_impl(apply_covers.results)
$$;
comment on function public.apply_covers(jsonb) is
'Takes what a worker uploaded to the bucket covers: [{"cover_id", "claim_token", "sha256", "storage_path", "cover_url", "bytes", "width", "height"}], up to 1,000. One outcome per element by position (from 0): applied (the URL is swapped), url_changed or locked (the work keeps its cover), over_budget (the row waits), stale_claim, failed or rejected with a message; a bad element fails alone.';
revoke all on function public.apply_covers(jsonb) from public, anon, authenticated, service_role;
grant execute on function public.apply_covers(jsonb) to service_role;

create function enrichment.refuse_lost_cover(cover_id uuid)
returns void
language plpgsql stable set search_path = ''
as $$
begin
    if not exists (select 1 from enrichment.cover_queue as c where c.id = refuse_lost_cover.cover_id) then
        perform enrichment.refuse('PT404', format('no cover row %s', refuse_lost_cover.cover_id), 'it may have been pruned');
    end if;
    perform enrichment.refuse(
        'PT409', format('the claim on cover row %s is no longer yours', refuse_lost_cover.cover_id), 'drop the answer and claim again'
    );
end
$$;
comment on function enrichment.refuse_lost_cover(uuid) is 'Raises PT404 or PT409 for a finish whose token does not hold.';
revoke all on function enrichment.refuse_lost_cover(uuid) from public, anon, authenticated, service_role;

create function enrichment.fail_cover_impl(cover_id uuid, claim_token uuid, error text, is_lasting boolean)
returns setof enrichment.cover_state
language plpgsql security definer set search_path = ''
as $$
begin
    perform 1 from enrichment.cover_queue as c
    where c.id = fail_cover_impl.cover_id and c.status = 'in_progress' and c.claim_token = fail_cover_impl.claim_token
    for update;
    if not found then
        perform enrichment.refuse_lost_cover(fail_cover_impl.cover_id);
    end if;
    return query select * from enrichment.end_cover_attempts(
        array[fail_cover_impl.cover_id], fail_cover_impl.error, 'backoff', coalesce(fail_cover_impl.is_lasting, false)
    );
end
$$;
revoke all on function enrichment.fail_cover_impl(uuid, uuid, text, boolean) from public, anon, authenticated, service_role;
grant execute on function enrichment.fail_cover_impl(uuid, uuid, text, boolean) to service_role;

create function public.fail_cover(cover_id uuid, claim_token uuid, error text, is_lasting boolean default false)
returns setof enrichment.cover_state
language sql set search_path = ''
as $$
    select * from enrichment.fail_cover_impl(fail_cover.cover_id, fail_cover.claim_token, fail_cover.error, fail_cover.is_lasting)
$$;
comment on function public.fail_cover(uuid, uuid, text, boolean) is
'This image cannot be stored. is_lasting (no such image, a placeholder, not an image): skipped, the work keeps its URL; otherwise the attempt is spent and the row backs off, or fails after max_attempts. PT404, PT409 without the running claim.';
revoke all on function public.fail_cover(uuid, uuid, text, boolean) from public, anon, authenticated, service_role;
grant execute on function public.fail_cover(uuid, uuid, text, boolean) to service_role;

create function enrichment.release_cover_impl(cover_id uuid, claim_token uuid, reason text, retry_at timestamptz)
returns setof enrichment.cover_state
language plpgsql security definer set search_path = ''
as $$
begin
    if coalesce(release_cover_impl.reason, '') = '' then
        perform enrichment.refuse('PT422', 'a released row needs a reason', 'say why it waits: rate, breaker, unreachable, storage, stopped …');
    end if;
    return query
    update enrichment.cover_queue as c
    set status = 'pending', attempt_count = c.attempt_count - 1, wait_reason = left(release_cover_impl.reason, 200),
        next_attempt_after = coalesce(release_cover_impl.retry_at, now()), claim_token = null, updated_at = now()
    where c.id = release_cover_impl.cover_id and c.status = 'in_progress' and c.claim_token = release_cover_impl.claim_token
    returning c.id, c.status, c.attempt_count::integer, c.next_attempt_after, c.wait_reason, c.last_error;
    if not found then
        perform enrichment.refuse_lost_cover(release_cover_impl.cover_id);
    end if;
end
$$;
revoke all on function enrichment.release_cover_impl(uuid, uuid, text, timestamptz) from public, anon, authenticated, service_role;
grant execute on function enrichment.release_cover_impl(uuid, uuid, text, timestamptz) to service_role;

create function public.release_cover(cover_id uuid, claim_token uuid, reason text, retry_at timestamptz default null)
returns setof enrichment.cover_state
language sql set search_path = ''
as $$
    select * from enrichment.release_cover_impl(release_cover.cover_id, release_cover.claim_token, release_cover.reason, release_cover.retry_at)
$$;
comment on function public.release_cover(uuid, uuid, text, timestamptz) is
'Gives a claimed cover back: pending, with the reason and from when it is due (default now). No attempt is spent. PT404, PT409 without the running claim, PT422 without a reason.';
revoke all on function public.release_cover(uuid, uuid, text, timestamptz) from public, anon, authenticated, service_role;
grant execute on function public.release_cover(uuid, uuid, text, timestamptz) to service_role;

create function enrichment.reset_stale_covers(older_than interval)
returns void
language sql set search_path = ''
as $$
    select enrichment.end_cover_attempts(array(
        select c.id
        from enrichment.cover_queue as c
        cross join enrichment.settings as s
        where c.is_open and c.status = 'in_progress'
            and c.started_at < now() - coalesce(reset_stale_covers.older_than, make_interval(secs => s.stale_after_seconds))
        order by c.id
        limit 1000
        for update of c skip locked
    ), 'the worker did not come back', 'stale', false)
$$;
comment on function enrichment.reset_stale_covers(interval) is 'What reset_stale_enrichment() does for claims on covers.';
revoke all on function enrichment.reset_stale_covers(interval) from public, anon, authenticated, service_role;

create type enrichment.cover_report as (
    cover_mode text, wait_reason text, due_at timestamptz, due_in numeric, pending integer, in_progress integer, images bigint,
    bytes bigint, budget_bytes bigint, download_bytes integer, image_bytes integer, hosts text [], placeholders text []
);

create function enrichment.enrichment_covers_impl()
returns setof enrichment.cover_report
language sql stable security definer set search_path = '' set jit = off
as $$
    with open_rows as (
        select q.status, q.next_attempt_after, q.wait_reason from enrichment.cover_queue as q where q.is_open
    ),

    -- While works are still to be looked through, a claim may find something at any time.
    next_row as (
        select o.next_attempt_after, o.wait_reason from open_rows as o where o.status = 'pending' and o.next_attempt_after < 'infinity'
        union all
        select now(), 'backfill' from enrichment.cover_backfill as b where b.next_work_id is not null
        order by 1
        limit 1
    )

    select
        s.cover_mode, coalesce(g.wait_reason, n.wait_reason, waiting.reason), due.at,
        case when due.at is not null then round(greatest(extract(epoch from due.at - clock_timestamp()), 0), 3) end,
        (select count(*)::integer from open_rows as o where o.status = 'pending'),
        (select count(*)::integer from open_rows as o where o.status = 'in_progress'),
        g.images, g.bytes, s.cover_budget_bytes, s.cover_download_bytes, s.cover_image_bytes, s.cover_hosts,
        array(select p.digest from enrichment.placeholder_images as p order by p.digest)
    from enrichment.settings as s
    cross join enrichment.cover_gate as g
    left join next_row as n on true
    cross join lateral (select min(o.wait_reason) from open_rows as o where o.status = 'pending') as waiting (reason)
    cross join lateral (
        select nullif(
            case
                when g.wait_reason is null or n.next_attempt_after is null then n.next_attempt_after
                else greatest(n.next_attempt_after, g.available_at)
            end, 'infinity'
        )
    ) as due (at)
$$;
revoke all on function enrichment.enrichment_covers_impl() from public, anon, authenticated, service_role;
grant execute on function enrichment.enrichment_covers_impl() to service_role;

create function public.enrichment_covers()
returns setof enrichment.cover_report
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_covers_impl()
$$;
comment on function public.enrichment_covers() is
'How storing covers stands, in one row: the mode, why it waits (hotlink_mode, storage_budget, a provider''s reason) and when the next is due, rows under way, images and bytes stored against the budget, and what a worker must keep to: sizes, hosts, digests of placeholders.';
revoke all on function public.enrichment_covers() from public, anon, authenticated, service_role;
grant execute on function public.enrichment_covers() to service_role;

do $$
begin
    if to_regclass('storage.buckets') is not null then
        insert into storage.buckets (id, name, public) values ('covers', 'covers', true) on conflict do nothing;
    end if;
exception
    when others then
        raise notice 'the bucket covers could not be made (%): make a public one of that name in the dashboard', sqlerrm;
end
$$;

analyze enrichment.cover_storage, enrichment.cover_backfill;
