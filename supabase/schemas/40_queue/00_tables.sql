-- One row per work and wish for enrichment: at most one open, at most one undecided per work. Rows are kept after they closed, for undo
-- and audit, until retention takes them. Readers see rows of their own library, also through Realtime.

create type enrichment.queue_status as enum (
    'pending',       -- enqueue; release, retry, stale reset and the next look-up come back here from in_progress
    'in_progress',   -- claim, or the sweep within its own transaction
    'completed',     -- apply: nothing left to fill or nothing more to be had; approve from needs_review
    'needs_review',  -- apply: proposals a person should see
    'failed',        -- attempts spent on crashes or lasting errors
    'skipped'        -- apply: no candidate is this book; dismiss from needs_review
);
comment on type enrichment.queue_status is 'State of a queue row; the transitions between states are kept by enrichment.refuse_missing_transition().';

create type enrichment.trigger_source as enum ('post_import', 'manual_bulk', 'scheduled');
comment on type enrichment.trigger_source is 'Who asked: an import, a person, or the system itself.';

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
create index queue_due on public.enrichment_queue (priority, next_attempt_after, id) where is_open;
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
create policy enrichment_queue_of_own_library on public.enrichment_queue for select to authenticated
using (enrichment.is_on_own_shelf(work_id));

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
'Adds enrichment_queue to Supabase Realtime''s publication, where there is one; run it again once there is. Each reader hears of the rows and columns that the table''s policy and grants let through.';

select enrichment.publish_queue();
