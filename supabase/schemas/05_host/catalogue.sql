-- The library that enrichment fills: works, editions, authors and who has them on a shelf. A host app owns these tables already,
-- so each is created only where it is absent, with the columns, types and policies such a host has; what is there is left alone.
-- Before: an empty or a living Supabase project. After: every later room may rely on these names.

-- What is made here because the project had none is remembered until the step writes its row.
select set_config('enrichment.brought', coalesce(string_agg(absent.thing, ','), ''), false)
from (
    select 'table public.' || name as thing
    from unnest(array[
        'users', 'works', 'editions', 'authors', 'work_authors', 'external_ids', 'source_records', 'library_items'
    ]) as name
    where to_regclass('public.' || name) is null
    union all
    select 'column ' || name
    from unnest(array['enrichment_status', 'enrichment_confidence', 'last_enriched_at']) as name
    where not exists (
        select from pg_catalog.pg_attribute as a
        where a.attrelid = to_regclass('public.works') and a.attname = name and not a.attisdropped
    )
) as absent;

do $$
begin
    if to_regclass('public.users') is null then
        create table public.users (
            id uuid primary key references auth.users (id) on delete cascade,
            handle varchar(64) not null unique,
            enable_google_books boolean not null default false,
            created_at timestamptz not null default now(),
            updated_at timestamptz not null default now()
        );
        alter table public.users enable row level security;
        revoke all on public.users from public, anon, authenticated, service_role;
        grant select, insert, update on public.users to authenticated;
        grant all on public.users to service_role;
        create policy users_owner on public.users to authenticated
        using (id = (select auth.uid())) with check (id = (select auth.uid()));
    end if;

    if to_regclass('public.works') is null then
        create table public.works (
            id uuid primary key default gen_random_uuid(),
            title varchar(512) not null,
            description text,
            first_publish_year smallint,
            default_cover_url text,
            default_cover_set_by uuid,
            default_cover_set_at timestamptz,
            default_cover_storage_path text,
            created_at timestamptz not null default now(),
            updated_at timestamptz not null default now()
        );
        alter table public.works enable row level security;
        revoke all on public.works from public, anon, authenticated, service_role;
        grant select on public.works to authenticated;
        grant all on public.works to service_role;
        create policy works_read on public.works for select to authenticated using (true);
    end if;

    if to_regclass('public.editions') is null then
        create table public.editions (
            id uuid primary key default gen_random_uuid(),
            work_id uuid not null references public.works (id),
            isbn10 varchar(10),
            isbn13 varchar(13),
            publisher varchar(255),
            publish_date date,
            language varchar(32),
            format varchar(64),
            cover_url text,
            cover_set_by uuid,
            cover_set_at timestamptz,
            cover_storage_path text,
            total_pages integer check (total_pages >= 1),
            total_audio_minutes integer check (total_audio_minutes >= 1),
            created_at timestamptz not null default now(),
            updated_at timestamptz not null default now()
        );
        create index ix_editions_work_id on public.editions (work_id);
        create index ix_editions_isbn10 on public.editions (isbn10);
        create index ix_editions_isbn13 on public.editions (isbn13);
        alter table public.editions enable row level security;
        revoke all on public.editions from public, anon, authenticated, service_role;
        grant select on public.editions to authenticated;
        grant all on public.editions to service_role;
        create policy editions_read on public.editions for select to authenticated using (true);
    end if;

    if to_regclass('public.authors') is null then
        create table public.authors (
            id uuid primary key default gen_random_uuid(),
            name varchar(255) not null,
            created_at timestamptz not null default now(),
            updated_at timestamptz not null default now()
        );
        alter table public.authors enable row level security;
        revoke all on public.authors from public, anon, authenticated, service_role;
        grant select on public.authors to authenticated;
        grant all on public.authors to service_role;
        create policy authors_read on public.authors for select to authenticated using (true);
    end if;

    if to_regclass('public.work_authors') is null then
        create table public.work_authors (
            work_id uuid not null references public.works (id),
            author_id uuid not null references public.authors (id),
            primary key (work_id, author_id)
        );
        create index ix_work_authors_author_id on public.work_authors (author_id);
        alter table public.work_authors enable row level security;
        revoke all on public.work_authors from public, anon, authenticated, service_role;
        grant select on public.work_authors to authenticated;
        grant all on public.work_authors to service_role;
        create policy work_authors_read on public.work_authors for select to authenticated using (true);
    end if;

    if to_regclass('public.external_ids') is null then
        create table public.external_ids (
            id uuid primary key default gen_random_uuid(),
            entity_type varchar(32) not null,
            entity_id uuid not null,
            provider varchar(64) not null,
            provider_id varchar(255) not null,
            constraint uq_external_ids_entity_provider unique (entity_type, entity_id, provider),
            constraint uq_external_ids_provider_id unique (provider, provider_id, entity_type)
        );
        alter table public.external_ids enable row level security;
        revoke all on public.external_ids from public, anon, authenticated, service_role;
        grant select on public.external_ids to authenticated;
        grant all on public.external_ids to service_role;
        create policy external_ids_read on public.external_ids for select to authenticated using (true);
    end if;

    if to_regclass('public.source_records') is null then
        create table public.source_records (
            id uuid primary key default gen_random_uuid(),
            provider varchar(64) not null,
            entity_type varchar(32) not null,
            provider_id varchar(255) not null,
            raw jsonb not null,
            fetched_at timestamptz not null default now(),
            constraint uq_source_records_provider_entity unique (provider, entity_type, provider_id)
        );
        alter table public.source_records enable row level security;
        revoke all on public.source_records from public, anon, authenticated, service_role;
        grant select on public.source_records to authenticated;
        grant all on public.source_records to service_role;
        create policy source_records_read on public.source_records for select to authenticated using (true);
    end if;

    if to_regclass('public.library_items') is null then
        create type public.library_item_status as enum ('to_read', 'reading', 'completed', 'abandoned');
        create type public.library_item_visibility as enum ('private', 'public');
        create table public.library_items (
            id uuid primary key default gen_random_uuid(),
            user_id uuid not null references public.users (id) on delete cascade,
            work_id uuid not null references public.works (id) on delete restrict,
            preferred_edition_id uuid references public.editions (id) on delete set null,
            status public.library_item_status not null,
            visibility public.library_item_visibility not null,
            rating smallint check (rating between 0 and 10),
            tags varchar(64)[],
            cover_override_url text,
            cover_override_storage_path text,
            cover_override_set_by uuid,
            cover_override_set_at timestamptz,
            created_at timestamptz not null default now(),
            updated_at timestamptz not null default now(),
            constraint uq_library_items_user_work unique (user_id, work_id)
        );
        create index ix_library_items_work_id on public.library_items (work_id);
        create index ix_library_items_preferred_edition_id on public.library_items (preferred_edition_id);
        alter table public.library_items enable row level security;
        revoke all on public.library_items from public, anon, authenticated, service_role;
        grant select, insert, update, delete on public.library_items to authenticated;
        grant all on public.library_items to service_role;
        create policy library_items_owner on public.library_items to authenticated
        using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
    end if;
end
$$;

-- Three columns of ours: the outcome of the last enrichment that came to an end, for badges without a join.
alter table public.works add column if not exists enrichment_status varchar(32);
alter table public.works add column if not exists enrichment_confidence varchar(16);
alter table public.works add column if not exists last_enriched_at timestamptz;

comment on column public.works.enrichment_status is 'How the last enrichment ended that was not undone: completed, needs_review, skipped or failed; null where none has.';
comment on column public.works.enrichment_confidence is 'Confidence of the candidate that enrichment settled on: high, medium, low or none.';
comment on column public.works.last_enriched_at is 'When the last enrichment came to an end.';
