-- The queue: one row per work and wish, from pending to its end, and the log of what was changed on the way. Rows enter through
-- enqueue as pending, leave through apply, review or prune; the triggers here refuse every arrow that is not drawn, whoever tries it.

create table public.enrichment_queue (
    id uuid primary key default enrichment.uuid_v7(),
    work_id uuid not null references public.works (id) on delete cascade,
    edition_id uuid references public.editions (id) on delete set null,
    triggered_by uuid references public.users (id) on delete set null,
    import_id uuid,
    trigger_source enrichment.trigger_source not null,
    status enrichment.queue_status not null default 'pending',
    confidence enrichment.confidence,
    priority smallint not null default 100,
    providers_attempted text[] not null default '{}',
    fields_applied text[] not null default '{}',
    cover_applied boolean not null default false,
    match_details jsonb,
    attempt_count smallint not null default 0,
    max_attempts smallint not null default 3,
    next_attempt_after timestamptz not null default now(),
    wait_reason text default 'queued',
    last_error text,
    claim_token uuid,
    claimed_by text,
    scored_at timestamptz,
    undone_at timestamptz,
    undone_by uuid,
    created_at timestamptz not null default now(),
    started_at timestamptz,
    finished_at timestamptz,
    updated_at timestamptz not null default now(),
    is_open boolean not null generated always as (status in ('pending', 'in_progress')) stored,
    is_in_review boolean not null generated always as (status = 'needs_review') stored,
    constraint finished_at_is_set_when_closed check ((finished_at is not null) = (status in ('completed', 'failed', 'skipped'))),
    constraint a_claim_has_a_token check ((claim_token is not null) = (status = 'in_progress')),
    constraint a_waiting_row_says_why check ((wait_reason is not null) = (status = 'pending')),
    constraint attempts_stay_within_their_limit check (attempt_count between 0 and max_attempts),
    constraint only_what_has_ended_is_undone check (undone_at is null or finished_at is not null)
) with (fillfactor = 70);

create unique index queue_one_open_row_per_work on public.enrichment_queue (work_id) where is_open;
create unique index queue_one_undecided_review_per_work on public.enrichment_queue (work_id) where is_in_review;
create index queue_due on public.enrichment_queue (priority, next_attempt_after) where is_open;
create index queue_by_work on public.enrichment_queue (work_id, created_at desc);
create index queue_by_end on public.enrichment_queue (finished_at) where finished_at is not null;
create index queue_by_edition on public.enrichment_queue (edition_id) where edition_id is not null;
create index queue_by_trigger on public.enrichment_queue (triggered_by) where triggered_by is not null;

alter table public.enrichment_queue enable row level security;
revoke all on public.enrichment_queue from public, anon, authenticated, service_role;
grant select on public.enrichment_queue to service_role;
grant select (
    id, work_id, edition_id, trigger_source, status, confidence, priority, providers_attempted, fields_applied, cover_applied,
    match_details, attempt_count, max_attempts, next_attempt_after, wait_reason, last_error, undone_at, created_at, started_at,
    finished_at, updated_at
) on public.enrichment_queue to authenticated;
create policy enrichment_queue_of_own_library on public.enrichment_queue for select to authenticated using (
    exists (
        select 1 from public.library_items as i
        where i.work_id = enrichment_queue.work_id and i.user_id = (select auth.uid())
    )
);

comment on table public.enrichment_queue is 'One row per work and wish for enrichment; at most one open and one undecided row per work.';
comment on column public.enrichment_queue.work_id is 'What to enrich.';
comment on column public.enrichment_queue.edition_id is 'The edition whose empty fields may be filled; null where none is known.';
comment on column public.enrichment_queue.triggered_by is 'Who asked; null for the system.';
comment on column public.enrichment_queue.import_id is 'The import this row came from, if any.';
comment on column public.enrichment_queue.trigger_source is 'post_import, manual_bulk or scheduled.';
comment on column public.enrichment_queue.status is 'pending, in_progress, completed, needs_review, failed or skipped.';
comment on column public.enrichment_queue.confidence is 'Confidence of the best candidate seen so far.';
comment on column public.enrichment_queue.priority is 'Lower goes first: a person''s wish 50, an import 100.';
comment on column public.enrichment_queue.providers_attempted is 'Providers whose answer was used or found missing.';
comment on column public.enrichment_queue.fields_applied is 'Fields this row has filled, as work.x or edition.x.';
comment on column public.enrichment_queue.cover_applied is 'True where this row has filled the cover.';
comment on column public.enrichment_queue.match_details is 'Score parts of the candidates, a sentence that explains them, and the proposals to review.';
comment on column public.enrichment_queue.attempt_count is 'Crashes and lasting errors so far, the running attempt included.';
comment on column public.enrichment_queue.max_attempts is 'The row fails when attempt_count reaches this.';
comment on column public.enrichment_queue.next_attempt_after is 'A pending row is due from here on; infinity where it waits for a switch.';
comment on column public.enrichment_queue.wait_reason is
'Why a pending row waits: queued, next_lookup, backoff, stale, auto_disabled, or the provider''s reason (rate, daily, breaker, no_contact …).';
comment on column public.enrichment_queue.last_error is 'Last failure, in words.';
comment on column public.enrichment_queue.claim_token is 'Proof of the running claim; a worker whose claim was reset no longer has it.';
comment on column public.enrichment_queue.claimed_by is 'Name of the worker that holds or last held the claim.';
comment on column public.enrichment_queue.scored_at is 'When the cached records were last weighed; only newer ones make the sweep look again.';
comment on column public.enrichment_queue.undone_at is 'When what this row wrote was undone.';
comment on column public.enrichment_queue.undone_by is 'Who undid it.';
comment on column public.enrichment_queue.is_open is 'pending or in_progress; in index predicates instead of status, so that a claim is a HOT update.';
comment on column public.enrichment_queue.is_in_review is 'needs_review; in an index predicate for the same reason.';

create function enrichment.refuse_missing_arrow()
returns trigger
language plpgsql set search_path = ''
as $$
begin
    if tg_op = 'INSERT' then
        perform enrichment.refuse(
            'PT409', format('a queue row for work %s cannot start as %s', new.work_id, new.status), 'insert it as pending, or call enqueue_enrichment()'
        );
    elsif (old.status, new.status) not in (
        ('pending', 'in_progress'), ('in_progress', 'pending'), ('in_progress', 'completed'), ('in_progress', 'needs_review'),
        ('in_progress', 'skipped'), ('in_progress', 'failed'), ('needs_review', 'completed'), ('needs_review', 'skipped')
    ) then
        perform enrichment.refuse(
            'PT409', format('queue row %s cannot go from %s to %s', old.id, old.status, new.status),
            case when old.finished_at is null then 'claim it first' else 'a closed row stays closed; enqueue the work again' end
        );
    end if;
    return new;
end
$$;
comment on function enrichment.refuse_missing_arrow() is 'The state diagram: rows start as pending and move only along these eight arrows.';
revoke all on function enrichment.refuse_missing_arrow() from public, anon, authenticated, service_role;

create trigger queue_rows_start_as_pending before insert on public.enrichment_queue
for each row when (new.status <> 'pending') execute function enrichment.refuse_missing_arrow();
create trigger queue_rows_follow_the_arrows before update of status on public.enrichment_queue
for each row when (old.status <> new.status) execute function enrichment.refuse_missing_arrow();

create function enrichment.refuse_second_undo()
returns trigger
language plpgsql set search_path = ''
as $$
begin
    perform enrichment.refuse('PT409', format('queue row %s was undone already', old.id), 'enqueue the work again');
    return new;
end
$$;
comment on function enrichment.refuse_second_undo() is 'What was undone stays so: a row is undone once, and its mark is never moved or removed.';
revoke all on function enrichment.refuse_second_undo() from public, anon, authenticated, service_role;

create trigger queue_rows_are_undone_once before update of undone_at on public.enrichment_queue
for each row when (old.undone_at is not null and new.undone_at is distinct from old.undone_at)
execute function enrichment.refuse_second_undo();

create function enrichment.wake_workers()
returns trigger
language plpgsql set search_path = ''
as $$
begin
    perform pg_notify('enrichment', 'queued');
    return null;
end
$$;
comment on function enrichment.wake_workers() is
'Rows came in: workers that listen on channel enrichment look now. Once per statement, and Postgres sends equal words of one transaction once.';
revoke all on function enrichment.wake_workers() from public, anon, authenticated, service_role;

create trigger queue_rows_wake_workers after insert on public.enrichment_queue
for each statement execute function enrichment.wake_workers();

create table public.enrichment_audit_log (
    id uuid primary key default enrichment.uuid_v7(),
    enrichment_queue_id uuid references public.enrichment_queue (id) on delete set null,
    work_id uuid not null,
    edition_id uuid,
    import_id uuid,
    action varchar(32) not null,
    provider varchar(64),
    source_record jsonb,
    confidence enrichment.confidence,
    fields_changed jsonb not null default '{}',
    previous_values jsonb not null default '{}',
    match_details jsonb,
    actor uuid,
    created_at timestamptz not null default now(),
    constraint action_is_known check (
        action in ('auto_applied', 'queued_review', 'skipped', 'failed', 'approved', 'dismissed', 'undone')
    )
);
create index audit_by_work on public.enrichment_audit_log (work_id, created_at desc);
create index audit_by_queue_row on public.enrichment_audit_log (enrichment_queue_id) where enrichment_queue_id is not null;

alter table public.enrichment_audit_log enable row level security;
revoke all on public.enrichment_audit_log from public, anon, authenticated, service_role;
grant select on public.enrichment_audit_log to service_role;
grant select (
    id, enrichment_queue_id, work_id, edition_id, action, provider, source_record, confidence, fields_changed, previous_values,
    match_details, created_at
) on public.enrichment_audit_log to authenticated;
create policy enrichment_audit_log_of_own_library on public.enrichment_audit_log for select to authenticated using (
    exists (
        select 1 from public.library_items as i
        where i.work_id = enrichment_audit_log.work_id and i.user_id = (select auth.uid())
    )
);

comment on table public.enrichment_audit_log is 'What was changed in the catalogue, by whom and why, with the values before and after; never updated.';
comment on column public.enrichment_audit_log.enrichment_queue_id is 'The queue row that did it; null for what an import''s own columns filled, or once that row is pruned.';
comment on column public.enrichment_audit_log.action is 'auto_applied, queued_review, skipped, failed, approved, dismissed or undone.';
comment on column public.enrichment_audit_log.provider is 'Where the values came from: openlibrary, googlebooks, goodreads, storygraph.';
comment on column public.enrichment_audit_log.source_record is 'The record: {"entity_type", "provider_id", "work_key"}.';
comment on column public.enrichment_audit_log.fields_changed is '{"work.description": {"old": null, "new": "…"}}.';
comment on column public.enrichment_audit_log.previous_values is 'The same fields as they were before: {"work.description": null}.';
comment on column public.enrichment_audit_log.match_details is 'The score parts that led here.';
comment on column public.enrichment_audit_log.actor is 'The reader who did it; null for the system.';

create function enrichment.wake_waiting_rows()
returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    with waiting as (
        select q.id
        from public.enrichment_queue as q
        where q.is_open and q.status = 'pending' and (
            (new.auto_enabled <> old.auto_enabled and q.trigger_source <> 'manual_bulk')
            or (
                (new.contact is distinct from old.contact or new.provider_keys <> old.provider_keys)
                and q.wait_reason in ('no_contact', 'no_key', 'bad_key', 'quota_zero', 'identify')
            )
            or (new.finish_without_budget and not old.finish_without_budget and q.wait_reason in ('daily', 'quota_zero', 'bad_key', 'no_key', 'unknown_location', 'retry_after'))
        )
        order by q.id
        for update
    )

    update public.enrichment_queue as q
    set next_attempt_after = case when new.auto_enabled or q.trigger_source = 'manual_bulk' then now() else 'infinity' end,
        wait_reason = case when new.auto_enabled or q.trigger_source = 'manual_bulk' then 'queued' else 'auto_disabled' end,
        updated_at = now()
    from waiting
    where q.id = waiting.id;
    if found then
        perform pg_notify('enrichment', 'woken');
    end if;
    return null;
end
$$;
comment on function enrichment.wake_waiting_rows() is
'Rows that wait for a switch, a contact, a key or tomorrow''s budget are due, or wait, from the moment the setting changes.';
revoke all on function enrichment.wake_waiting_rows() from public, anon, authenticated, service_role;

create trigger settings_wake_waiting_rows after update on enrichment.settings
for each row execute function enrichment.wake_waiting_rows();

create function enrichment.publish_queue()
returns boolean
language plpgsql set search_path = ''
as $$
begin
    if not exists (select 1 from pg_catalog.pg_publication as p where p.pubname = 'supabase_realtime' and not p.puballtables) then
        return false;
    end if;
    if not exists (
        select 1 from pg_catalog.pg_publication_tables as t
        where t.pubname = 'supabase_realtime' and t.schemaname = 'public' and t.tablename = 'enrichment_queue'
    ) then
        alter publication supabase_realtime add table public.enrichment_queue;
    end if;
    return true;
exception
    when insufficient_privilege then
        raise notice 'enrichment_queue could not be added to supabase_realtime (%): do it in the dashboard, under Publications', sqlerrm;
        return false;
end
$$;
comment on function enrichment.publish_queue() is
'Adds enrichment_queue to Supabase Realtime''s publication, where there is one; run it again once there is. Each reader hears of the rows and columns that the policy and grants above let through.';
revoke all on function enrichment.publish_queue() from public, anon, authenticated, service_role;

select enrichment.publish_queue();
