-- Which steps of supabase/migrations this database has seen. Each step writes its own row as its last statement, so that
-- `book-enrichment migrate` and `supabase db push` see the same; worker, API and doctor read here whether they fit.

create table enrichment.schema_versions (
    version integer primary key,
    name text not null unique,
    checksum text not null,
    works_with integer not null,
    brought text[] not null default '{}',
    applied_at timestamptz not null default now(),
    constraint a_step_works_with_itself check (works_with between 1 and version)
);
alter table enrichment.schema_versions enable row level security;
revoke all on enrichment.schema_versions from public, anon, authenticated, service_role;

comment on table enrichment.schema_versions is 'The steps of book enrichment that were applied here, first to last; the greatest version is the database''s.';
comment on column enrichment.schema_versions.version is 'Counts the steps from 1, the baseline.';
comment on column enrichment.schema_versions.name is 'The step''s file without its .sql: a UTC time, which is the version the Supabase CLI knows, and what it does.';
comment on column enrichment.schema_versions.checksum is 'sha256 of the file up to the statement that writes this row.';
comment on column enrichment.schema_versions.works_with is 'The oldest version whose Python package still works with this one.';
comment on column enrichment.schema_versions.brought is
'What the step made that is not ours, because the project had none: tables of the library, pg_cron, the bucket. Uninstalling takes it along where nobody uses it.';
comment on column enrichment.schema_versions.applied_at is 'When; for a project of before version 1, when it was taken over.';

create type enrichment.installed_version as (version integer, name text, works_with integer);
comment on type enrichment.installed_version is 'What the database is at, and the oldest version whose package still works with it.';
comment on column enrichment.installed_version.version is 'Counts the steps of supabase/migrations that were applied.';
comment on column enrichment.installed_version.name is 'The last of them.';
comment on column enrichment.installed_version.works_with is 'The oldest version whose package still works with it.';

create function enrichment.enrichment_version_impl()
returns setof enrichment.installed_version
language sql stable security definer set search_path = ''
as $$
    select v.version, v.name, v.works_with from enrichment.schema_versions as v order by v.version desc limit 1
$$;
