-- What must not come again unasked: values that we wrote and that are gone since, and candidates that somebody turned away. Written by
-- apply, review and undo; read by whoever scores candidates or fills fields.

create table enrichment.filled_fields (
    entity_id uuid not null,
    field text not null,
    provider text not null,
    candidate_key text not null,
    filled_at timestamptz not null default now(),
    primary key (entity_id, field, provider, candidate_key)
);
alter table enrichment.filled_fields enable row level security;
revoke all on enrichment.filled_fields from public, anon, authenticated, service_role;

comment on table enrichment.filled_fields is
'Which candidate has filled, or was refused for, which field. A field that is empty although it stands here was emptied or undone by somebody, so the same candidate does not fill it again. Outlives the audit log.';
comment on column enrichment.filled_fields.candidate_key is 'The provider''s work key, or the external id of the imported row.';

create table enrichment.rejected_candidates (
    work_id uuid not null references public.works (id) on delete cascade,
    provider text not null,
    candidate_key text not null,
    is_dismissed boolean not null default true,
    rejected_by uuid,
    rejected_at timestamptz not null default now(),
    primary key (work_id, provider, candidate_key)
);
alter table enrichment.rejected_candidates enable row level security;
revoke all on enrichment.rejected_candidates from public, anon, authenticated, service_role;

comment on table enrichment.rejected_candidates is 'Candidates a reader turned away for a work; they are not proposed for it again.';
comment on column enrichment.rejected_candidates.is_dismissed is 'False: not called wrong, but another that was shown beside it was chosen.';
