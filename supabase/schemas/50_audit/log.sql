-- What was changed in the catalogue, by whom and why, with the values before and after. Rows are added, never updated.

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
create policy enrichment_audit_log_of_own_library on public.enrichment_audit_log for select to authenticated
using (enrichment.is_on_own_shelf(work_id));

comment on table public.enrichment_audit_log is 'What was changed in the catalogue, by whom and why, with the values before and after; never updated.';
comment on column public.enrichment_audit_log.enrichment_queue_id is 'The queue row that did it; null for what an import''s own columns filled, or once that row is pruned.';
comment on column public.enrichment_audit_log.action is 'auto_applied, queued_review, skipped, failed, approved, dismissed or undone.';
comment on column public.enrichment_audit_log.provider is 'Where the values came from: openlibrary, googlebooks, goodreads, storygraph.';
comment on column public.enrichment_audit_log.source_record is 'The record: {"entity_type", "provider_id", "work_key"}.';
comment on column public.enrichment_audit_log.fields_changed is '{"work.description": {"old": null, "new": "…"}}.';
comment on column public.enrichment_audit_log.previous_values is 'The same fields as they were before: {"work.description": null}.';
comment on column public.enrichment_audit_log.match_details is 'The score parts that led here.';
comment on column public.enrichment_audit_log.actor is 'The reader who did it; null for the system.';
