-- Book enrichment, version 1: everything, as supabase/schemas had it when this step was released.

do $$
begin
    if to_regclass('enrichment.schema_versions') is not null then
        raise exception using message = (
            select 'book enrichment is installed here already, by `book-enrichment migrate`. Tell the CLI so: '
                || 'supabase migration repair --status applied ' || string_agg(split_part(v.name, '_', 1), ' ' order by v.version)
            from enrichment.schema_versions as v
        );
    elsif obj_description(to_regnamespace('enrichment'), 'pg_namespace') like 'Private side of book enrichment:%' then
        raise exception 'a book enrichment of before version 1 is installed here. `book-enrichment migrate` takes it over; run that first';
    elsif to_regnamespace('enrichment') is not null then
        raise exception 'there is a schema enrichment here that is not ours; ours needs that name';
    elsif to_regnamespace('enrichment_kept') is not null and coalesce(current_setting('enrichment.takes_back', true), '') <> 'on' then
        raise exception 'an earlier uninstall kept data here. `book-enrichment migrate` installs and takes it back; run that instead';
    end if;
end
$$;

set check_function_bodies = off;

-- 00_base/00_schema

-- The private schema everything of ours lives in but the verbs, the queue and the audit log. Nobody may do anything here until a later
-- line grants it: each room closes its tables as it makes them, and 90_api closes all functions at once before it opens the verbs.
-- Functions that join many tables say `set jit = off`: compiling such a plan took 1–2 s, running it 20 ms.

create schema enrichment;
revoke all on schema enrichment from public, anon, authenticated, service_role;
grant usage on schema enrichment to authenticated, service_role;

comment on schema enrichment is
'Private side of book enrichment: settings, providers, parsed forms, the functions behind the public verbs, and views for the dashboard.';

-- 00_base/access

-- Who is asking, and what may that person touch. Verbs run as their owner, so each asks here first: readers act on the works of their
-- own library, the service role on all.

create function enrichment.current_reader()
returns uuid
language plpgsql stable set search_path = ''
as $$
begin
    if auth.uid() is null then
        perform enrichment.refuse('PT403', 'no reader is signed in', 'send the reader''s JWT');
    end if;
    return auth.uid();
end
$$;
comment on function enrichment.current_reader() is 'The signed-in reader; PT403 where there is none.';

create function enrichment.acting_reader()
returns uuid
language plpgsql stable set search_path = ''
as $$
begin
    return case
        when auth.role() = 'authenticated' or current_setting('role', true) in ('authenticated', 'anon') then enrichment.current_reader()
    end;
end
$$;
comment on function enrichment.acting_reader() is 'The signed-in reader; null for the service role and the database''s owner, who may act on every row.';

create function enrichment.refuse_foreign_work(work_id uuid)
returns void
language plpgsql stable set search_path = ''
as $$
declare
    reader uuid := enrichment.acting_reader();
begin
    if reader is not null and not exists (
        select 1 from public.library_items as i where i.user_id = reader and i.work_id = refuse_foreign_work.work_id
    ) then
        perform enrichment.refuse('PT403', format('work %s is not in your library', refuse_foreign_work.work_id), 'add it to the library first');
    end if;
end
$$;
comment on function enrichment.refuse_foreign_work(uuid) is 'PT403 where a reader acts on a work that is not in the own library.';

create function enrichment.refuse_foreign_works(work_ids uuid[])
returns void
language plpgsql stable set search_path = ''
as $$
declare
    unknown_id uuid;
begin
    select asked.id into unknown_id
    from unnest(refuse_foreign_works.work_ids) as asked (id)
    where not exists (select 1 from public.works as w where w.id = asked.id)
    limit 1;
    if found then
        perform enrichment.refuse('PT404', format('no work %s', unknown_id), 'work_ids are ids of public.works');
    end if;
    perform enrichment.refuse_foreign_work(asked.id) from unnest(refuse_foreign_works.work_ids) as asked (id);
end
$$;
comment on function enrichment.refuse_foreign_works(uuid[]) is 'PT404 for the first work that does not exist, PT403 for one that is not in the reader''s library.';

-- 00_base/confidence

-- How sure we are that a candidate is this book: the one word that scores, proposals, queue and audit log share.

create type enrichment.confidence as enum ('none', 'low', 'medium', 'high');
comment on type enrichment.confidence is 'How sure we are that a candidate is this book, weakest first, so that max() is the best.';

-- 00_base/ids

-- Ids that grow with time, so that rows which are made together lie together in every index.

create function enrichment.uuid_v7()
returns uuid
language sql volatile parallel safe set search_path = ''
as $$
    select (lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0') || '7' || substr(random_hex, 14))::uuid
    from replace(gen_random_uuid()::text, '-', '') as random_hex
$$;
comment on function enrichment.uuid_v7() is 'A time-ordered id (RFC 9562, version 7): new rows land at the end of every index.';

-- 00_base/refusals

-- How a verb says no: one SQLSTATE per kind of refusal, a message that names the row, a hint that says what to do. PostgREST turns
-- PT404 into a 404 and so on; the Python client turns each code into one class and never looks at the text.

create function enrichment.refuse(code text, message text, hint text)
returns void
language plpgsql volatile set search_path = ''
as $$
begin
    -- Volatile, or the planner would raise for a constant message before anything is refused.
    -- @plpgsql_check_options: performance_warnings = off
    raise exception using errcode = refuse.code, message = refuse.message, hint = refuse.hint;
end
$$;
comment on function enrichment.refuse(text, text, text) is
'Raises PT403, PT404, PT409 or PT422, which PostgREST turns into that HTTP status; the message names the row, the hint says what to do.';

create function enrichment.refuse_long_list(elements integer)
returns void
language plpgsql set search_path = ''
as $$
begin
    if refuse_long_list.elements > 1000 then
        perform enrichment.refuse(
            'PT422', format('a list of %s elements is too long', refuse_long_list.elements), 'send at most 1,000 elements a call'
        );
    end if;
end
$$;
comment on function enrichment.refuse_long_list(integer) is 'PostgREST cuts replies at 1,000 rows without a word, so longer lists are refused.';

create function enrichment.refuse_bad_page(page_size integer)
returns void
language plpgsql stable set search_path = ''
as $$
begin
    if refuse_bad_page.page_size is null or refuse_bad_page.page_size not between 1 and 1000 then
        perform enrichment.refuse('PT422', 'page_size is not between 1 and 1,000', 'PostgREST cuts replies at 1,000 rows; ask for the next page');
    end if;
end
$$;
comment on function enrichment.refuse_bad_page(integer) is 'PT422 for a page that is empty or that PostgREST would cut.';

-- 00_base/versions

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

-- 05_host/books

-- What we ask the host's tables again and again: which edition of a work a reader means, and who wrote it.

create function enrichment.choose_editions(work_ids uuid[], reader uuid)
returns table (work_id uuid, edition_id uuid)
language sql stable set search_path = ''
as $$
    select distinct on (e.work_id) e.work_id, e.id
    from public.editions as e
    left join public.library_items as i
        on i.work_id = e.work_id and i.user_id = choose_editions.reader and i.preferred_edition_id = e.id
    where e.work_id = any(choose_editions.work_ids)
    order by e.work_id, i.id is null, coalesce(e.isbn13, '') = '', coalesce(e.isbn10, '') = '', e.created_at, e.id
$$;
comment on function enrichment.choose_editions(uuid[], uuid) is
'The edition of each work whose fields are wanted: the one the reader prefers, else one that has an ISBN, else the oldest.';

create function enrichment.author_names(work_id uuid)
returns text[]
language plpgsql stable set search_path = ''
as $$
begin
    return array(
        select a.name::text from public.work_authors as wa join public.authors as a on a.id = wa.author_id
        where wa.work_id = author_names.work_id order by a.name
    );
end
$$;
comment on function enrichment.author_names(uuid) is 'The authors of a work, by name.';

-- 05_host/catalogue

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

-- The three columns the request asks for: the outcome of the last enrichment that came to an end, for badges without a join.
alter table public.works add column if not exists enrichment_status varchar(32);
alter table public.works add column if not exists enrichment_confidence varchar(16);
alter table public.works add column if not exists last_enriched_at timestamptz;

comment on column public.works.enrichment_status is 'How the last enrichment ended that was not undone: completed, needs_review, skipped or failed; null where none has.';
comment on column public.works.enrichment_confidence is 'Confidence of the candidate that enrichment settled on: high, medium, low or none.';
comment on column public.works.last_enriched_at is 'When the last enrichment came to an end.';

-- 10_settings/settings

-- What an operator may change, one typed row. Each number has its unit in its name and its reason in its comment; the verb
-- configure_enrichment changes and lists them. Triggers elsewhere wake what waited for a switch.

create type enrichment.setting as (name text, value text, description text);

create table enrichment.settings (
    is_only_row boolean primary key default true check (is_only_row),
    auto_enabled boolean not null default false,
    auto_apply_covers boolean not null default true,
    auto_apply_metadata boolean not null default false,
    batch_size integer not null default 10 check (batch_size between 1 and 100),
    provider_delay_ms integer not null default 500 check (provider_delay_ms between 0 and 60000),
    sweep_batch_size integer not null default 500 check (sweep_batch_size between 1 and 1000),
    contact text check (contact <> ''),
    provider_keys text[] not null default '{}',
    finish_without_budget boolean not null default true,
    max_attempts integer not null default 3 check (max_attempts between 1 and 20),
    backoff_base_seconds integer not null default 60 check (backoff_base_seconds >= 1),
    backoff_max_seconds integer not null default 3600 check (backoff_max_seconds >= 1),
    stale_after_seconds integer not null default 300 check (stale_after_seconds >= 1),
    record_valid_days integer not null default 7 check (record_valid_days >= 1),
    miss_valid_days integer not null default 14 check (miss_valid_days >= 1),
    keep_queue_days integer not null default 90 check (keep_queue_days >= 1),
    keep_audit_days integer not null default 365 check (keep_audit_days >= 1),
    keep_cron_runs_days integer not null default 7 check (keep_cron_runs_days >= 1),
    cover_mode text not null default 'hotlink' check (cover_mode in ('hotlink', 'thumbnail')),
    cover_budget_bytes bigint not null default 858993459 check (cover_budget_bytes >= 0),
    cover_image_bytes integer not null default 30720 check (cover_image_bytes between 4096 and 1048576),
    cover_download_bytes integer not null default 5242880 check (cover_download_bytes between 4096 and 52428800),
    cover_hosts text[] not null default array['covers.openlibrary.org', 'archive.org', '*.us.archive.org'],
    database_budget_bytes bigint not null default 524288000 check (database_budget_bytes >= 0),
    storage_budget_bytes bigint not null default 1073741824 check (storage_budget_bytes >= 0),
    constraint google_covers_are_never_stored check (array_to_string(cover_hosts, ' ') !~* '(google|gstatic|ggpht)'),
    constraint cover_hosts_are_host_names check (array_to_string(cover_hosts, ' ') ~ '^((\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+( |$))*$')
);
alter table enrichment.settings enable row level security;
revoke all on enrichment.settings from public, anon, authenticated, service_role;

insert into enrichment.settings default values;

comment on table enrichment.settings is 'One row of switches and limits; change it here or through configure_enrichment().';
comment on column enrichment.settings.is_only_row is 'Keeps this table at one row.';
comment on column enrichment.settings.auto_enabled is
'Master switch: off, rows of imports and of the system wait with reason auto_disabled; rows a person asked for run.';
comment on column enrichment.settings.auto_apply_covers is 'Write covers of medium or high confidence without asking.';
comment on column enrichment.settings.auto_apply_metadata is 'Write empty text fields of high confidence without asking.';
comment on column enrichment.settings.batch_size is 'Works a worker takes per claim.';
comment on column enrichment.settings.provider_delay_ms is 'Least gap in milliseconds between two calls of one worker to one provider.';
comment on column enrichment.settings.sweep_batch_size is 'Works the sweep answers from the cache per call, at most 1,000.';
comment on column enrichment.settings.contact is
'E-mail or URL in the User-Agent; Open Library refuses clients that name none, so without it that provider waits (no_contact).';
comment on column enrichment.settings.provider_keys is 'Providers for which the client holds an API key. The key itself never comes here.';
comment on column enrichment.settings.finish_without_budget is
'A later provider''s budget is spent, or it is paused, for the rest of the day. True: rows finish with what they have; false: a row with a gap that only this provider could still fill waits for it (daily).';
comment on column enrichment.settings.max_attempts is 'Crashes or lasting errors a row may meet before it fails.';
comment on column enrichment.settings.backoff_base_seconds is 'Wait after the first spent attempt; doubles with each.';
comment on column enrichment.settings.backoff_max_seconds is 'Longest wait between two attempts.';
comment on column enrichment.settings.stale_after_seconds is 'A claim older than this is taken for a crash.';
comment on column enrichment.settings.record_valid_days is 'Days for which a stored provider reply answers without a call.';
comment on column enrichment.settings.miss_valid_days is 'Days for which a stored no_match answers without a call.';
comment on column enrichment.settings.keep_queue_days is 'Days a finished queue row is kept; after that what it wrote can no longer be undone.';
comment on column enrichment.settings.keep_audit_days is 'Days an audit row is kept.';
comment on column enrichment.settings.keep_cron_runs_days is 'Days pg_cron''s run log is kept.';
comment on column enrichment.settings.cover_mode is
'hotlink: works show the provider''s URL. thumbnail: Open Library''s covers are shrunk and kept in the bucket covers; Google''s stay hot-linked.';
comment on column enrichment.settings.cover_budget_bytes is
'Bytes all stored covers may take, 80 % of the free tier''s 1 GB; once reached, new covers stay hot-linked (storage_budget).';
comment on column enrichment.settings.cover_image_bytes is 'Largest image that is stored, in bytes; each cover under way sets as much aside.';
comment on column enrichment.settings.cover_download_bytes is 'Largest image that is downloaded, in bytes.';
comment on column enrichment.settings.database_budget_bytes is
'Bytes the whole database may take, the free tier''s 500 MB, after which Supabase makes it read-only; enrichment_usage() measures against it.';
comment on column enrichment.settings.storage_budget_bytes is
'Bytes all files of the project may take, the free tier''s 1 GB; enrichment_usage() measures against it, cover_budget_bytes is our share.';
comment on column enrichment.settings.cover_hosts is
'Hosts images are downloaded from, over https only; *.name stands for every host below name. Open Library keeps its larger images at archive.org.';

create function enrichment.configure_enrichment_impl(changes jsonb)
returns setof enrichment.setting
language plpgsql security definer set search_path = ''
as $$
declare
    unknown_names text;
    changed enrichment.settings;
begin
    if jsonb_typeof(configure_enrichment_impl.changes) is distinct from 'object' then
        perform enrichment.refuse('PT422', 'changes is not a JSON object', 'send {"name": value, …}');
    end if;

    select string_agg(name, ', ' order by name) into unknown_names
    from jsonb_object_keys(configure_enrichment_impl.changes) as name
    where name not in (select s.name from enrichment.list_settings() as s);
    if unknown_names is not null then
        perform enrichment.refuse('PT422', 'unknown setting: ' || unknown_names, 'call configure_enrichment() for the names');
    end if;

    select (jsonb_populate_record(s, configure_enrichment_impl.changes)).* into changed
    from enrichment.settings as s
    for update;

    update enrichment.settings as s
    set (
        cover_mode, cover_budget_bytes, cover_image_bytes, cover_download_bytes, cover_hosts, database_budget_bytes, storage_budget_bytes,
        auto_enabled, auto_apply_covers, auto_apply_metadata, batch_size, provider_delay_ms, sweep_batch_size, contact, provider_keys,
        finish_without_budget, max_attempts, backoff_base_seconds, backoff_max_seconds, stale_after_seconds, record_valid_days, miss_valid_days,
        keep_queue_days, keep_audit_days, keep_cron_runs_days
    ) = (
        changed.cover_mode, changed.cover_budget_bytes, changed.cover_image_bytes, changed.cover_download_bytes, changed.cover_hosts,
        changed.database_budget_bytes, changed.storage_budget_bytes,
        changed.auto_enabled, changed.auto_apply_covers, changed.auto_apply_metadata, changed.batch_size, changed.provider_delay_ms,
        changed.sweep_batch_size, changed.contact, changed.provider_keys, changed.finish_without_budget, changed.max_attempts,
        changed.backoff_base_seconds, changed.backoff_max_seconds, changed.stale_after_seconds, changed.record_valid_days, changed.miss_valid_days,
        changed.keep_queue_days, changed.keep_audit_days, changed.keep_cron_runs_days
    )
    where s is distinct from changed;

    return query select * from enrichment.list_settings();
exception
    when check_violation or not_null_violation or data_exception then
        perform enrichment.refuse('PT422', 'a setting cannot take that value: ' || sqlerrm, 'call configure_enrichment() for what each setting means');
end
$$;

create function enrichment.list_settings()
returns setof enrichment.setting
language sql stable set search_path = ''
as $$
    select a.attname::text, value.value, col_description(a.attrelid, a.attnum)
    from enrichment.settings as s
    cross join lateral jsonb_each_text(to_jsonb(s)) as value
    join pg_catalog.pg_attribute as a on a.attrelid = 'enrichment.settings'::regclass and a.attname = value.key
    where value.key <> 'is_only_row'
    order by a.attnum
$$;
comment on function enrichment.list_settings() is 'The settings row, one setting a line, with what each means.';

-- 15_fields/gaps

-- Which fields of a work and its edition are empty, and which of those may be filled. A view over the queue (40_queue/lookups) asks this
-- for each waiting row, the shelf (70_reading/library) for each line.

create function enrichment.empty_fields(work public.works, edition public.editions)
returns text[]
language plpgsql immutable set search_path = ''
as $$
begin
    return array_remove(array[
        case when coalesce(work.default_cover_url, '') = '' then 'work.cover_url' end,
        case when coalesce(work.description, '') = '' then 'work.description' end,
        case when coalesce(work.first_publish_year, 0) = 0 then 'work.first_publish_year' end
    ] || case when edition.id is not null then array[
        case when coalesce(edition.publisher, '') = '' then 'edition.publisher' end,
        case when edition.publish_date is null then 'edition.publish_date' end,
        case when coalesce(edition.isbn10, '') = '' and coalesce(edition.isbn13, '') not like '979%' then 'edition.isbn10' end,
        case when coalesce(edition.isbn13, '') = '' then 'edition.isbn13' end,
        case when coalesce(edition.language, '') = '' then 'edition.language' end,
        case when coalesce(edition.format, '') = '' then 'edition.format' end,
        case when edition.total_pages is null and coalesce(edition.format, '') not ilike '%audio%' then 'edition.total_pages' end,
        case when edition.total_audio_minutes is null and edition.format ilike '%audio%' then 'edition.total_audio_minutes' end
    ] else '{}' end, null);
end
$$;
comment on function enrichment.empty_fields(public.works, public.editions) is
'The fields enrichment may fill that are empty: pages for what is read, minutes for what is heard, an ISBN-10 only where one can exist.';

create function enrichment.missing_fields(work public.works, edition public.editions)
returns text[]
language plpgsql stable set search_path = ''
as $$
declare
    gaps text[] := enrichment.empty_fields(work, edition);
begin
    -- Few books have a lock, and a shelf of thousands is asked about at once: sorting locks out only there is three times as quick.
    if exists (select 1 from enrichment.field_locks as l where l.entity_id in (work.id, edition.id)) then
        gaps := array(
            select gap
            from unnest(gaps) as gap
            where not exists (
                select 1 from enrichment.field_locks as l
                where l.field = gap and l.entity_id = case when gap like 'work.%' then work.id else edition.id end
            )
        );
    end if;
    return gaps;
end
$$;
comment on function enrichment.missing_fields(public.works, public.editions) is 'The empty fields of a book that nobody locked.';

-- 15_fields/locks

-- Fields a reader has locked: enrichment never fills them, from the moment the lock is confirmed.

create type enrichment.field_lock as (work_id uuid, edition_id uuid, field text);

create table enrichment.field_locks (
    entity_id uuid not null,
    field text not null,
    locked_by uuid,
    locked_at timestamptz not null default now(),
    primary key (entity_id, field)
);
alter table enrichment.field_locks enable row level security;
revoke all on enrichment.field_locks from public, anon, authenticated, service_role;

comment on table enrichment.field_locks is 'Fields of a work or an edition that are never filled.';
comment on column enrichment.field_locks.entity_id is 'The work for work.* fields, the edition for edition.* fields.';

create function enrichment.refuse_unknown_fields(work_id uuid, fields text[], edition_id uuid)
returns void
language plpgsql stable set search_path = ''
as $$
begin
    if not exists (select 1 from public.works as w where w.id = refuse_unknown_fields.work_id) then
        perform enrichment.refuse('PT404', format('no work %s', refuse_unknown_fields.work_id), 'work_id is an id of public.works');
    end if;
    perform enrichment.refuse_foreign_work(refuse_unknown_fields.work_id);
    if exists (
        select 1 from unnest(refuse_unknown_fields.fields) as f
        where f is null or not enrichment.current_values(null::public.works, null::public.editions) ? f
            or (f like 'edition.%' and not exists (
                select 1 from public.editions as e where e.id = refuse_unknown_fields.edition_id and e.work_id = refuse_unknown_fields.work_id
            ))
    ) then
        perform enrichment.refuse(
            'PT422', 'a field has no such name, or its edition is not one of this work', 'use work.cover_url, edition.publisher …; edition fields need edition_id'
        );
    end if;
end
$$;
comment on function enrichment.refuse_unknown_fields(uuid, text[], uuid) is
'PT404 for an unknown work, PT403 for one that is not in the own library, PT422 for a field that neither it nor this edition of it has.';

create function enrichment.list_locks(work_id uuid, edition_id uuid)
returns setof enrichment.field_lock
language sql stable set search_path = ''
as $$
    select list_locks.work_id, case when l.entity_id <> list_locks.work_id then l.entity_id end, l.field
    from enrichment.field_locks as l
    where l.entity_id in (list_locks.work_id, list_locks.edition_id)
    order by l.field
$$;
comment on function enrichment.list_locks(uuid, uuid) is 'The locks of a work, and of one of its editions.';

create function enrichment.lock_fields_impl(work_id uuid, fields text[], edition_id uuid)
returns setof enrichment.field_lock
language plpgsql security definer set search_path = ''
as $$
begin
    perform enrichment.refuse_unknown_fields(lock_fields_impl.work_id, lock_fields_impl.fields, lock_fields_impl.edition_id);
    insert into enrichment.field_locks (entity_id, field, locked_by)
    select case when f like 'work.%' then lock_fields_impl.work_id else lock_fields_impl.edition_id end, f, enrichment.acting_reader()
    from unnest(lock_fields_impl.fields) as f
    order by 1, 2
    on conflict do nothing;
    return query select * from enrichment.list_locks(lock_fields_impl.work_id, lock_fields_impl.edition_id);
end
$$;

create function enrichment.unlock_fields_impl(work_id uuid, fields text[], edition_id uuid)
returns setof enrichment.field_lock
language plpgsql security definer set search_path = ''
as $$
begin
    perform enrichment.refuse_unknown_fields(unlock_fields_impl.work_id, unlock_fields_impl.fields, unlock_fields_impl.edition_id);
    with freed as (
        select l.entity_id, l.field
        from enrichment.field_locks as l
        where l.field = any(unlock_fields_impl.fields)
            and l.entity_id = case when l.field like 'work.%' then unlock_fields_impl.work_id else unlock_fields_impl.edition_id end
        order by l.entity_id, l.field
        for update
    )

    delete from enrichment.field_locks as l
    using freed
    where l.entity_id = freed.entity_id and l.field = freed.field;
    return query select * from enrichment.list_locks(unlock_fields_impl.work_id, unlock_fields_impl.edition_id);
end
$$;

-- 15_fields/memory

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

-- 15_fields/write

-- The one place where a value enters the catalogue. Emptiness is checked by the statement that writes, under the lock that guards
-- locks of fields, and each change leaves its row in the audit log.

create type enrichment.offered_value as (
    queue_id uuid, field text, value text, provider text, work_key text, source_record jsonb, confidence enrichment.confidence,
    is_applied boolean, is_alternative boolean
);
comment on type enrichment.offered_value is
'A value for one gap, where it comes from, and whether its confidence and the settings let it be written unasked. is_alternative: a rival''s, for who chooses it instead of the best.';

create function enrichment.current_values(work public.works, edition public.editions)
returns jsonb
language plpgsql stable set search_path = ''
as $$
begin
    return jsonb_build_object(
        'work.cover_url', work.default_cover_url, 'work.description', work.description, 'work.first_publish_year', work.first_publish_year,
        'edition.publisher', edition.publisher, 'edition.publish_date', edition.publish_date, 'edition.isbn10', edition.isbn10,
        'edition.isbn13', edition.isbn13, 'edition.language', edition.language, 'edition.format', edition.format,
        'edition.total_pages', edition.total_pages, 'edition.total_audio_minutes', edition.total_audio_minutes
    );
end
$$;
comment on function enrichment.current_values(public.works, public.editions) is 'Every field enrichment may fill, as it is now.';

create function enrichment.write_values(offers enrichment.offered_value[], action text, actor uuid)
returns void
language sql set search_path = ''
as $$
    with before as materialized (
        select q.id, q.work_id, q.edition_id, q.import_id, q.match_details - '{proposals,rivals}'::text[] as match_details,
            enrichment.current_values(w, e) as old_values
        from public.enrichment_queue as q
        join public.works as w on w.id = q.work_id
        left join public.editions as e on e.id = q.edition_id
        where q.id in (select o.queue_id from unnest(write_values.offers) as o where o.is_applied)
    ),

    applied as (
        select o.*, b.work_id, b.edition_id, b.old_values -> o.field as old
        from unnest(write_values.offers) as o
        join before as b on b.id = o.queue_id
        where o.is_applied
    ),

    work_values as (
        select a.work_id, jsonb_object_agg(a.field, a.value) as new
        from applied as a where a.field like 'work.%' group by a.work_id
    ),

    edition_values as (
        select a.edition_id, jsonb_object_agg(a.field, a.value) as new
        from applied as a where a.field like 'edition.%' group by a.edition_id
    ),

    works_written as (
        update public.works as w
        set default_cover_url = coalesce(nullif(w.default_cover_url, ''), v.new ->> 'work.cover_url', w.default_cover_url),
            description = coalesce(nullif(w.description, ''), v.new ->> 'work.description', w.description),
            first_publish_year = coalesce(nullif(w.first_publish_year, 0), (v.new ->> 'work.first_publish_year')::smallint, w.first_publish_year),
            updated_at = now()
        from work_values as v
        where w.id = v.work_id
    ),

    editions_written as (
        update public.editions as e
        set publisher = coalesce(nullif(e.publisher, ''), v.new ->> 'edition.publisher', e.publisher),
            publish_date = coalesce(e.publish_date, (v.new ->> 'edition.publish_date')::date),
            isbn10 = coalesce(nullif(e.isbn10, ''), v.new ->> 'edition.isbn10', e.isbn10),
            isbn13 = coalesce(nullif(e.isbn13, ''), v.new ->> 'edition.isbn13', e.isbn13),
            language = coalesce(nullif(e.language, ''), v.new ->> 'edition.language', e.language),
            format = coalesce(nullif(e.format, ''), v.new ->> 'edition.format', e.format),
            total_pages = coalesce(e.total_pages, (v.new ->> 'edition.total_pages')::integer),
            total_audio_minutes = coalesce(e.total_audio_minutes, (v.new ->> 'edition.total_audio_minutes')::integer),
            updated_at = now()
        from edition_values as v
        where e.id = v.edition_id
    ),

    remembered as (
        insert into enrichment.filled_fields (entity_id, field, provider, candidate_key)
        select case when a.field like 'work.%' then a.work_id else a.edition_id end, a.field, a.provider, a.work_key
        from applied as a
        order by 1, 2, 3, 4
        on conflict do nothing
    )

    insert into public.enrichment_audit_log (
        enrichment_queue_id, work_id, edition_id, import_id, action, provider, source_record, confidence, fields_changed, previous_values,
        match_details, actor
    )
    select
        b.id, b.work_id, b.edition_id, b.import_id, write_values.action, change.provider,
        change.source_record || jsonb_build_object('work_key', change.work_key), change.confidence,
        change.fields, change.previous,
        jsonb_set(b.match_details, '{candidates}', jsonb_path_query_array(
            b.match_details, '$.candidates[*] ? (@.provider == $provider && @.work_key == $work_key)',
            jsonb_build_object('provider', change.provider, 'work_key', change.work_key)
        ), false),
        write_values.actor
    from before as b
    join (
        select
            a.queue_id, a.provider, a.work_key, (array_agg(a.source_record))[1] as source_record, max(a.confidence) as confidence,
            jsonb_object_agg(a.field, jsonb_build_object('old', a.old, 'new', a.value)) as fields,
            jsonb_object_agg(a.field, a.old) as previous
        from applied as a
        group by a.queue_id, a.provider, a.work_key
    ) as change on change.queue_id = b.id
$$;
comment on function enrichment.write_values(enrichment.offered_value[], text, uuid) is
'Writes the applied values where the field is still empty at that moment, remembers them, and logs them. The caller holds the locks under which they were offered.';

create function enrichment.lock_catalogue(queue_ids uuid[])
returns void
language plpgsql set search_path = ''
as $$
begin
    perform 1 from public.works as w
    where w.id in (select q.work_id from public.enrichment_queue as q where q.id = any(lock_catalogue.queue_ids))
    order by w.id for no key update;

    perform 1 from public.editions as e
    where e.id in (select q.edition_id from public.enrichment_queue as q where q.id = any(lock_catalogue.queue_ids))
    order by e.id for no key update;
end
$$;
comment on function enrichment.lock_catalogue(uuid[]) is 'Locks the works, then the editions of these queue rows in key order, so that what is empty stays so until it is written.';

-- 20_text/authors

-- Authors taken apart: a list into names, a name into the keys under which it may be printed. parse_authors is the door.

create type enrichment.author_parts as (
    names text [],        -- whole names
    initialled text [],   -- last name and first initial, in the ways they may be written
    last_names text [],
    spellings text [],    -- names without spaces, and with their words sorted
    first_names text [],
    single_names text []  -- names of one word: Voltaire
);
comment on type enrichment.author_parts is 'Authors folded for comparison by parse_authors(); null where none is known.';

create function enrichment.split_authors(list text)
returns text[]
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    piece text;
    names text[];
    people text[] := '{}'::text[];
begin
    if (split_authors.list like any(
        '{%;%,%&%,%/%,%|%,%\,%,%(%,%[%,% and %,% und %,% et %,% y %,% with %,% by %,%...%,%Jr%,%Sr%,%.D%,%PhD%,% II%,%Esq%}'
    )) is not true then
        return array[split_authors.list];
    end if;
    foreach piece in array regexp_split_to_array(
        regexp_replace(
            split_authors.list,
            '\[?(?:and|et) (?:others?|al|more|[0-9]+ more)\M.*|\.\.\..*|,? *(?:Jr|Sr|Ph\.? ?D|M\.? ?D|Esq|I{2,3})\M\.?'
            '|,? *\m[0-9]{4}-?(?:[0-9]{4})?', '', 'g'
        ),
        ' *; *| *[&/|] *| *\[?\m(?:and|und|et|y|with)\]? +'
    ) loop
        continue when ltrim(piece, ' [(') ilike any('{translat%,illustrat%,narrat%,foreword%,introduc%,read by%,afterword%}');
        piece := (select string_agg(name, ',' order by place) from unnest(string_to_array(piece, ',')) with ordinality as u (name, place)
            where not name ilike any('{%translat%,%illustrat%,%narrat%,%foreword%,%introduc%,%read by%,%afterword%}'));
        piece := regexp_replace(
            translate(piece, '[]', ''), '\s*[(].*$|^\s*(?:edited|written|created|selected|compiled)?\s*\mby\M|,? *\meditors?\M.*$', '', 'i'
        );
        names := array(select trim(name) from unnest(string_to_array(piece, ',')) as name where trim(name, ' .') <> '');
        if cardinality(names) = 2 and (
            names[1] not like '% %' or names[2] not like '% %' or rtrim(names[2], '.') like '% _'
            or lower(split_part(names[1], ' ', 1)) = any('{le,la,de,du,van,von,der,den,del,della,di,da,dos,st.,al,el,bin,ibn,ten,ter}')
        ) then
            names := array[names[2] || ' ' || names[1]];
        end if;
        people := people || names;
    end loop;
    return people;
end
$$;
comment on function enrichment.split_authors(text) is
'The people of one author field, first name first: lists with and, &, ;, / or commas are split, "Last, First" turned round, suffixes and years dropped, translators, illustrators and narrators left out.';

create function enrichment.name_keys(name text)
returns text[]
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    words text[] := string_to_array(name_keys.name, ' ');
    last_name text := words[cardinality(words)];
    middle_name text := words[cardinality(words) - 1];
    initial text := translate(left(name_keys.name, 1), 'абвгдезийклмнопрстуфхя', 'abvgdeziyklmnoprstufhy');
    nickname text := '{"bob": "r", "rob": "r", "bill": "w", "dick": "r", "tony": "a", "ted": "t", "kate": "c", "katherine": "c",
        "karl": "c", "chuck": "c", "beth": "e", "betty": "e", "peggy": "m"}'::jsonb ->> words[1];
    consonants text;
begin
    -- Dostoyevsky, Dostoevsky and Достоевский have the same consonants; y, h, w and j come and go between spellings.
    consonants := translate(last_name, 'бвгдзклмнпрстфхцчшщжaeiouyhwjаеёийоуыэюяьъ', 'bvgdzklmnprstfkzcssz');
    consonants := replace(replace(replace(replace(replace(consonants, 'll', 'l'), 'ss', 's'), 'tt', 't'), 'nn', 'n'), 'ff', 'f');
    return array_remove(
        array[
            last_name || ' ' || initial,
            last_name || ' ' || nickname,
            case when length(consonants) > 3 then consonants || ' ' || initial || '~' end,
            case when cardinality(words) > 2 and length(middle_name) > 3 then middle_name || ' ' || initial end
        ], null
    );
end
$$;
comment on function enrichment.name_keys(text) is
'Last name and first initial of a folded name, in the ways they may be written: with a nickname''s initial, by the consonants of the last name, with the first of two last names.';

create function enrichment.parse_authors(names text[])
returns enrichment.author_parts
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    parts enrichment.author_parts := '(,,,,,)'::enrichment.author_parts;
    name text;
    person text;
    folded text;
    pen_names jsonb := enrichment.pen_names();
    known_as text;
    words text[];
    seen integer := 0;
begin
    -- A list of thousands is no list of authors, and costs the square of its length: 8,000 names took 8 s.
    <<everybody>>
    foreach name in array coalesce(parse_authors.names[:100], '{}') loop
        foreach person in array enrichment.split_authors(name) loop
            seen := seen + 1;
            exit everybody when seen > 100;
            folded := enrichment.fold_text(person);
            if folded like any('{the %,dr %,sir %,prof %,professor %,rev %,dame %,mr %,mrs %,ms %}') then
                folded := substr(folded, strpos(folded, ' ') + 1);
            end if;
            continue when coalesce(folded, '') = '' or folded = any(parts.names);
            known_as := pen_names ->> replace(folded, ' ', '');
            words := string_to_array(folded, ' ');
            parts.names := parts.names || folded;
            parts.last_names := parts.last_names || words[cardinality(words)];
            parts.initialled := parts.initialled || enrichment.name_keys(folded) || enrichment.name_keys(known_as);
            parts.spellings := parts.spellings || replace(folded, ' ', '')
                || array_to_string(array(select word collate "C" from unnest(words) as word order by 1), ' ');
            if cardinality(words) > 1 then
                parts.first_names := parts.first_names || words[1];
            elsif length(folded) > 3 then
                parts.single_names := parts.single_names || folded;
            end if;
        end loop;
    end loop;
    return parts;
end
$$;
comment on function enrichment.parse_authors(text[]) is
'Authors folded for comparison; "Last, First" and "First Last" fold to the same, and so does "A and B; illustrated by C" to A and B. The first hundred count. Null arrays where no author is known.';

-- 20_text/fold

-- The ground under all comparison: text without case, accents and punctuation, numbers in one spelling, and text from outside made fit
-- for our columns. Pure functions without tables, to be tried by hand.

create function enrichment.fold_text(value text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    plain text := lower(fold_text.value);
begin
    -- Most titles are ASCII, and for those normalizing would be most of the work.
    if octet_length(plain) <> length(plain) then
        plain := lower(normalize(regexp_replace(normalize(translate(plain, '´', ''''), nfkd), U&'[\0300-\036F]', '', 'g'), nfkc));
        plain := translate(plain, 'øłđðı‘’ʼ', 'olddi''''''');
        plain := replace(replace(replace(replace(plain, 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th');
    end if;
    return trim(regexp_replace(replace(replace(translate(plain, '''`', ''), '&', ' and '), '+', ' plus '), '[^[:alnum:]]+', ' ', 'g'));
end
$$;
comment on function enrichment.fold_text(text) is
'Text for comparison: lower case, no accents, & as and, ligatures and wide letters spelled out, every other sign one space. Letters of all scripts stay.';

create function enrichment.digits_of(words text[])
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    units constant text[] := '{one,two,three,four,five,six,seven,eight,nine,ten,eleven,twelve,thirteen,fourteen,fifteen,sixteen,seventeen,
        eighteen,nineteen}'::text[];
    tens constant text[] := '{ten,twenty,thirty,forty,fifty,sixty,seventy,eighty,ninety}'::text[];
    ordinals constant text[] := '{first,second,third,fourth,fifth,sixth,seventh,eighth,ninth,tenth,eleventh,twelfth,thirteenth,fourteenth,
        fifteenth,sixteenth,seventeenth,eighteenth,nineteenth,twentieth}'::text[];
    romans constant text[] := '{i,ii,iii,iv,v,vi,vii,viii,ix,x,xi,xii,xiii,xiv,xv,xvi,xvii,xviii,xix,xx}'::text[];
    done text[] := '{}'::text[];
    value integer;  -- of the number being read: nineteen, 1980, 1984
    word text;
    previous text := '';
    part integer;
begin
    foreach word in array digits_of.words loop
        part := coalesce(array_position(units, word), 10 * array_position(tens, word));
        case
            when part < 10 and value % 10 = 0 and value % 100 <> 10 or part >= 10 and value % 100 = 0 then
                value := value + part;
            when part >= 10 and value between 10 and 99 then
                value := 100 * value + part;
            when word in ('hundred', 'thousand') and coalesce(value, 1) < 10000 then
                value := coalesce(value, 1) * case word when 'hundred' then 100 else 1000 end;
            when word = 'and' and value % 100 = 0 then
                null;
            else
                done := done || value::text || case
                    when part is not null then null
                    when word = any(ordinals) then array_position(ordinals, word)
                        || case word when 'first' then 'st' when 'second' then 'nd' when 'third' then 'rd' else 'th' end
                    when word = any(romans) and (length(word) > 1 and previous <> '' or previous = any('{no,vol,volume,book,part,episode}'))
                        then array_position(romans, word)::text
                    else word
                end;
                value := part;
        end case;
        previous := word;
    end loop;
    return array_to_string(done || value::text, ' ');
end
$$;
comment on function enrichment.digits_of(text[]) is
'The words of a folded text joined, its numbers as digits; fold_numbers() asks only where there is one.';

create function enrichment.fold_numbers(folded text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    words text[] := string_to_array(fold_numbers.folded, ' ');
begin
    return case
        when words && '{one,two,three,four,five,six,seven,eight,nine,ten,eleven,twelve,thirteen,fourteen,fifteen,sixteen,seventeen,eighteen,
            nineteen,twenty,thirty,forty,fifty,sixty,seventy,eighty,ninety,hundred,thousand,first,second,third,fourth,fifth,sixth,seventh,
            eighth,ninth,tenth,eleventh,twelfth,thirteenth,fourteenth,fifteenth,sixteenth,seventeenth,eighteenth,nineteenth,twentieth,i,ii,
            iii,iv,v,vi,vii,viii,ix,x,xi,xii,xiii,xiv,xv,xvi,xvii,xviii,xix,xx}'::text[] then enrichment.digits_of(words)
        else fold_numbers.folded
    end;
end
$$;
comment on function enrichment.fold_numbers(text) is
'Number words and Roman numerals of a folded text as digits: "nineteen eighty four" is 1984, "henry iv part i" is henry 4 part 1. A Roman numeral never stands first, and I, V, X alone count only after volume, book, part, episode.';

create function enrichment.clean_text(value text, max_length integer default null)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    is_line boolean := clean_text.max_length <= 512;
    -- First, for without it "<\x01b>" would become a tag.
    cleaned text := regexp_replace(
        left(clean_text.value, 100000), case when is_line then '[\x01-\x1F\x7F-\x9F]+' else '[\x01-\x08\x0B\x0C\x0E-\x1F\x7F-\x9F]' end,
        case when is_line then ' ' else '' end, 'g'
    );
    pieces text[];
    last_end integer;
begin
    if position('<' in cleaned) > 0 then
        cleaned := regexp_replace(cleaned, '<(br|/p|/div|/li)\s*/?>', case when is_line then ' ' else E'\n' end, 'gi');
        -- Cut at the ends first, and tags are looked for up to the last end: 100 KB of open ones took minutes, and a sweep waited for it.
        if cleaned ilike any('{%</script%,%</style%}') then
            pieces := string_to_array(regexp_replace(cleaned, '</(?:script|style)\s*>', E'\x01', 'gi'), E'\x01');
            cleaned := (
                select string_agg(
                    case when place = cardinality(pieces) then piece else regexp_replace(piece, '<(?:script|style)[^<>]*>.*', '', 'i') end,
                    '' order by place
                )
                from unnest(pieces) with ordinality as u (piece, place)
            );
        end if;
        last_end := coalesce(length(substring(cleaned from '^.*>')), 0);
        cleaned := regexp_replace(left(cleaned, last_end), '</?[a-z!?][^>]*>', '', 'gi') || substr(cleaned, last_end + 1);
        -- A tag without an end, or one that was put together by taking out another.
        cleaned := regexp_replace(cleaned, '<(?=[a-z/!?])', '', 'gi');
    end if;
    cleaned := btrim(cleaned, E' \n\r\t');
    if length(cleaned) > clean_text.max_length then
        return null;
    end if;
    return nullif(cleaned, '');
end
$$;
comment on function enrichment.clean_text(text, integer) is
'Text without markup, control characters and outer space, of one line where max_length is 512 or less; null where nothing is left or where it is longer than max_length.';

-- 20_text/isbn

-- ISBNs in one form: ISBN-10, ISBN-13, with or without hyphens, all become one 13-digit key; and the check digits of both kinds.

create function enrichment.isbn_key(isbn text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    digits text := translate(upper(split_part(isbn_key.isbn, '(', 1)), E'ISBN:- ="''\t\u00A0\u2010\u2011\u2013', '');
begin
    if digits is null or digits !~ '^(97[89][0-9]{10}|[0-9]{7,9}[0-9X])$' or ltrim(isbn_key.isbn) ilike 'B0%' then
        return null;
    end if;
    if length(digits) = 13 then
        return case when enrichment.isbn13_of(left(digits, 12)) = digits then digits end;
    else
        digits := lpad(digits, 10, '0');
        if enrichment.isbn10_of(left(digits, 9)) = digits then
            return enrichment.isbn13_of('978' || left(digits, 9));
        end if;
    end if;
    return null;
end
$$;
comment on function enrichment.isbn_key(text) is
'An ISBN-10 or -13 in any writing as its 13 digits; leading zeros a spreadsheet lost are restored where the check digit proves it. Null for anything else, an ASIN included.';

create function enrichment.isbn13_of(first_twelve text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    d integer[] := string_to_array(isbn13_of.first_twelve, null)::integer[];
begin
    return isbn13_of.first_twelve
        || (10 - (d[1] + d[3] + d[5] + d[7] + d[9] + d[11] + 3 * (d[2] + d[4] + d[6] + d[8] + d[10] + d[12])) % 10) % 10;
end
$$;
comment on function enrichment.isbn13_of(text) is 'Twelve digits with their check digit (ISO 2108).';

create function enrichment.isbn10_of(first_nine text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    d integer[] := string_to_array(isbn10_of.first_nine, null)::integer[];
    check_value integer := (d[1] + 2 * d[2] + 3 * d[3] + 4 * d[4] + 5 * d[5] + 6 * d[6] + 7 * d[7] + 8 * d[8] + 9 * d[9]) % 11;
begin
    return isbn10_of.first_nine || case check_value when 10 then 'X' else check_value::text end;
end
$$;
comment on function enrichment.isbn10_of(text) is 'Nine digits with their check digit or X (ISO 2108).';

-- 20_text/names

-- Generated from supabase/data/*.tsv by `make names`: what books and people are called elsewhere.
-- title_glossary: single words; known_titles: whole titles; pen_names: people who write under several names.

create function enrichment.title_glossary()
returns jsonb
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return
        '{"acqua": "water", "aeroplane": "airplane", "ageing": "aging", "agua": "water", "allgemeine": "general",
        "alquimista": "alchemist", "alte": "old", "aluminium": "aluminum", "amante": "lover", "ame": "soul", "amerique": "america",
        "ames": "souls", "amica": "friend", "amico": "friend", "amongst": "among", "amor": "love", "amore": "love", "amour": "love",
        "anaesthesia": "anesthesia", "analyse": "analyze", "anima": "soul", "anneaux": "rings", "anos": "years", "ans": "years",
        "apologise": "apologize", "arbol": "tree", "arbre": "tree", "archaeology": "archeology", "armour": "armor", "artefact": "artifact",
        "artefacts": "artifacts", "automne": "autumn", "aventures": "adventures", "bambino": "child", "baptise": "baptize", "baum": "tree",
        "behaviour": "behavior", "belle": "beauty", "berg": "mountain", "bete": "beast", "bianca": "white", "bianco": "white",
        "blanc": "white", "blanca": "white", "blanche": "white", "blanco": "white", "blut": "blood", "bok": "book", "bonheur": "happiness",
        "bosco": "forest", "bose": "evil", "bosque": "forest", "bruder": "brothers", "bruja": "witch", "buch": "book", "bucher": "books",
        "calibre": "caliber", "calle": "street", "camino": "path", "candour": "candor", "carta": "letter", "cartas": "letters",
        "casa": "house", "catalogue": "catalog", "cent": "hundred", "centre": "center", "centres": "centers", "chat": "cat",
        "chateau": "castle", "chemin": "path", "cheque": "check", "chien": "dog", "chute": "fall", "cidade": "city", "ciel": "sky",
        "cielo": "heaven", "cien": "hundred", "cimitero": "cemetery", "cinq": "five", "citta": "city", "ciudad": "city",
        "civilisation": "civilization", "civilisations": "civilizations", "clef": "key", "coeur": "heart", "colour": "color",
        "coloured": "colored", "colouring": "coloring", "colours": "colors", "commedia": "comedy", "comte": "count",
        "confessions": "confession", "conte": "tale", "contes": "tales", "contrat": "contract", "coracao": "heart", "corazon": "heart",
        "coronel": "colonel", "coscienza": "conscience", "cosy": "cozy", "counsellor": "counselor", "cronica": "chronicle",
        "cuento": "tale", "cuentos": "tales", "cuore": "heart", "dangereuses": "dangerous", "defence": "defense", "dei": "gods",
        "democratie": "democracy", "dernier": "last", "derniere": "last", "deserto": "desert", "deux": "two", "deuxieme": "2nd",
        "dia": "day", "diable": "devil", "diablo": "devil", "dialogue": "dialog", "dialogues": "dialogs", "diarrhoea": "diarrhea",
        "dias": "days", "diavolo": "devil", "dieu": "god", "dieux": "gods", "dio": "god", "dios": "god", "dioses": "gods",
        "discours": "discourse", "divina": "divine", "dod": "death", "doden": "death", "donna": "woman", "donne": "women", "dos": "two",
        "doughnut": "donut", "doughnuts": "donuts", "dr": "doctor", "draughts": "drafts", "drei": "three", "eau": "water",
        "ecole": "school", "ehre": "honor", "encyclopaedia": "encyclopedia", "endeavour": "endeavor", "enfant": "child",
        "enfants": "children", "enquiry": "inquiry", "erde": "earth", "erste": "1st", "espada": "sword", "espiritus": "spirits",
        "esprit": "spirit", "esprits": "spirits", "estrella": "star", "ete": "summer", "etoile": "star", "etoiles": "stars",
        "etranger": "stranger", "etre": "being", "fable": "fables", "faerie": "fairy", "faeries": "fairies", "faery": "fairy",
        "fantome": "phantom", "favour": "favor", "favourite": "favorite", "favourites": "favorites", "favours": "favors", "femme": "woman",
        "femmes": "women", "feu": "fire", "feuer": "fire", "fibre": "fiber", "ficciones": "fictions", "figlia": "daughter",
        "figlio": "son", "fille": "girl", "filles": "girls", "fils": "son", "flavour": "flavor", "flavours": "flavors",
        "fleurs": "flowers", "flickan": "girl", "foetus": "fetus", "foret": "forest", "fortuna": "fortune", "fratelli": "brothers",
        "frau": "woman", "fred": "peace", "fremde": "stranger", "frere": "brother", "freres": "brothers", "frieden": "peace",
        "fuego": "fire", "fulfil": "fulfill", "fuoco": "fire", "gaol": "jail", "geist": "spirit", "geister": "spirits",
        "geniale": "brilliant", "geschichte": "story", "giorno": "day", "gipsies": "gypsies", "gipsy": "gypsy", "gott": "god",
        "gotter": "gods", "grand": "great", "grandad": "granddad", "grande": "great", "grey": "gray", "greys": "grays", "grosse": "great",
        "guerra": "war", "guerre": "war", "haemoglobin": "hemoglobin", "harbour": "harbor", "haus": "house", "havet": "sea",
        "hermano": "brother", "hermanos": "brothers", "herz": "heart", "hija": "daughter", "hijo": "son", "hijos": "sons", "himmel": "sky",
        "histoire": "story", "historia": "story", "hiver": "winter", "hjarta": "heart", "hjerte": "heart", "hombre": "man",
        "hombres": "men", "homem": "man", "homme": "man", "hommes": "man", "honour": "honor", "honourable": "honorable",
        "honours": "honors", "humour": "humor", "hundert": "hundred", "hus": "house", "huset": "house", "ile": "island", "ilha": "island",
        "insel": "island", "inverno": "winter", "invisibili": "invisible", "isla": "island", "isola": "island", "jahre": "years",
        "japones": "japanese", "jardin": "garden", "jenseits": "beyond", "jeune": "young", "jeunes": "young", "jeweller": "jeweler",
        "jewellery": "jewelry", "jour": "day", "jours": "days", "judgement": "judgment", "juego": "game", "jungen": "young",
        "kaerlighed": "love", "karlek": "love", "kerb": "curb", "kinder": "children", "kleine": "little", "kommunistische": "communist",
        "konge": "king", "konig": "king", "konigin": "queen", "krieg": "war", "krig": "war", "krigen": "war", "kritik": "critique",
        "kultur": "civilization", "kung": "king", "laberinto": "labyrinth", "labour": "labor", "labourer": "laborer", "labours": "labors",
        "ladron": "thief", "larmes": "tears", "leben": "life", "leiden": "sorrows", "lettera": "letter", "lettre": "letter",
        "lettres": "letters", "letzte": "last", "libro": "book", "licence": "license", "licht": "light", "liebe": "love",
        "lieues": "leagues", "litre": "liter", "liv": "life", "livet": "life", "livets": "life", "livre": "book", "livro": "book",
        "llamas": "flames", "lluvia": "rain", "lobo": "wolf", "lois": "laws", "loup": "wolf", "luce": "light", "lumiere": "light",
        "luna": "moon", "lune": "moon", "lupo": "wolf", "lustre": "luster", "luz": "light", "madchen": "girl", "madre": "mother",
        "maestro": "master", "maison": "house", "manifest": "manifesto", "mann": "man", "mannen": "man", "manoeuvre": "maneuver",
        "marvellous": "marvelous", "meagre": "meager", "mediaeval": "medieval", "mediterranee": "mediterranean", "meer": "sea",
        "memoria": "memories", "memorias": "memories", "mensch": "human", "menschen": "humans", "mer": "sea", "mere": "mother",
        "mers": "sea", "methode": "method", "metre": "meter", "mille": "thousand", "mir": "peace", "miserables": "miserable",
        "mond": "moon", "monde": "world", "mondo": "world", "mort": "death", "morte": "death", "morts": "dead", "mould": "mold",
        "moustache": "mustache", "mr": "mister", "mt": "mount", "muchacha": "girl", "muerte": "death", "mujer": "woman",
        "mujeres": "women", "mulher": "woman", "mum": "mom", "mums": "moms", "mundo": "world", "mutter": "mother",
        "mysterieuse": "mysterious", "mythe": "myth", "nacht": "night", "nat": "night", "natt": "night", "natten": "night",
        "neant": "nothingness", "negra": "black", "negro": "black", "neige": "snow", "neighbour": "neighbor",
        "neighbourhood": "neighborhood", "neighbours": "neighbors", "nera": "black", "nero": "black", "neues": "new", "nino": "child",
        "ninos": "children", "noche": "night", "noir": "black", "noire": "black", "noite": "night", "norte": "north", "notte": "night",
        "nuit": "night", "nuits": "nights", "ochre": "ocher", "odour": "odor", "offence": "offense", "oiseau": "bird", "okay": "ok",
        "ombra": "shadow", "ombre": "shadow", "omelette": "omelet", "organisation": "organization", "organise": "organize",
        "organised": "organized", "otono": "autumn", "pace": "peace", "padre": "father", "paediatric": "pediatric", "paix": "peace",
        "parfum": "perfume", "parlour": "parlor", "partei": "party", "pasado": "past", "paz": "peace", "pendolo": "pendulum",
        "pensees": "thoughts", "perdida": "lost", "perdido": "lost", "perdu": "lost", "perdue": "lost", "perduta": "lost",
        "perduto": "lost", "pere": "father", "perro": "dog", "perros": "dogs", "peste": "plague", "petit": "little", "petite": "little",
        "pierre": "stone", "planete": "planet", "plough": "plow", "pluie": "rain", "porta": "door", "porte": "door", "poupee": "doll",
        "practise": "practice", "premier": "1st", "premiere": "1st", "pretence": "pretense", "primera": "1st", "primero": "1st",
        "principe": "prince", "printemps": "spring", "prisionero": "prisoner", "programme": "program", "prozess": "trial",
        "puerta": "door", "pyjamas": "pajamas", "quatre": "four", "quijote": "quixote", "rainha": "queen", "realise": "realize",
        "recherche": "search", "regina": "queen", "rei": "king", "reina": "queen", "reine": "queen", "reinen": "pure", "reise": "journey",
        "reloj": "clock", "retrato": "portrait", "reve": "dream", "reves": "dreams", "rey": "king", "roi": "king", "rois": "kings",
        "roja": "red", "rojo": "red", "roman": "novel", "rossa": "red", "rosso": "red", "roten": "red", "rouge": "red", "rumour": "rumor",
        "rumours": "rumors", "sabre": "saber", "sang": "blood", "sangre": "blood", "saviour": "savior", "savour": "savor",
        "sceptic": "skeptic", "sceptical": "skeptical", "schatten": "shadow", "schloss": "castle", "schonen": "beautiful",
        "schwarz": "black", "schwarze": "black", "schwestern": "sisters", "secreto": "secret", "seele": "soul", "segreto": "secret",
        "seigneur": "lord", "sein": "being", "sentimentale": "sentimental", "sepulchre": "sepulcher", "sexe": "sex", "skilful": "skillful",
        "smoulder": "smolder", "smouldering": "smoldering", "snowplough": "snowplow", "soeur": "sister", "soeurs": "sisters",
        "sohn": "son", "sol": "sun", "sole": "sun", "soledad": "solitude", "soleil": "sun", "sombra": "shadow", "sommar": "summer",
        "sommer": "summer", "sonne": "sun", "sorciere": "witch", "sous": "under", "spectre": "specter", "spezielle": "special",
        "spiel": "game", "splendour": "splendor", "sprach": "spoke", "st": "saint", "staden": "city", "stadt": "city", "stella": "star",
        "storia": "story", "strada": "road", "sueno": "dream", "suenos": "dreams", "sulphur": "sulfur", "sult": "hunger", "sur": "south",
        "tempo": "time", "temps": "time", "terra": "earth", "terre": "earth", "teufel": "devil", "theatre": "theater",
        "theatres": "theaters", "theorie": "theory", "thru": "through", "tiempo": "time", "tiempos": "time", "tierra": "earth",
        "tochter": "daughter", "tod": "death", "towards": "toward", "tragedie": "tragedy", "tranquille": "quiet", "traum": "dream",
        "traume": "dreams", "travelled": "traveled", "traveller": "traveler", "travellers": "travelers", "travelling": "traveling",
        "tres": "three", "trois": "three", "tsar": "czar", "tunel": "tunnel", "uber": "on", "ultima": "last", "ultimo": "last",
        "uomo": "man", "valour": "valor", "vapour": "vapor", "varlden": "world", "vater": "father", "vatten": "water", "vento": "wind",
        "verden": "world", "verlorene": "lost", "verlorenen": "lost", "vernunft": "reason", "viaggiatore": "traveler",
        "viaggio": "journey", "viaje": "journey", "vida": "life", "vie": "life", "viejo": "old", "viento": "wind", "vigour": "vigor",
        "ville": "city", "vingt": "twenty", "vinter": "winter", "vita": "life", "voina": "war", "voleur": "thief", "voyage": "journey",
        "voyages": "journey", "vs": "versus", "waggon": "wagon", "wald": "forest", "wasser": "water", "weiss": "white", "weisse": "white",
        "welt": "world", "whisky": "whiskey", "wilful": "willful", "wille": "will", "yoghurt": "yogurt", "zauberer": "wizard",
        "zeit": "time", "zwei": "two", "бесы": "demons", "братья": "brothers", "война": "war", "времени": "time", "герои": "hero",
        "дети": "children", "души": "souls", "идиот": "idiot", "мертвые": "dead", "мир": "peace", "наказание": "punishment",
        "нашего": "our", "отцы": "fathers", "преступление": "crime", "сердце": "heart", "собачье": "dog"}'::jsonb;
end
$$;
comment on function enrichment.title_glossary() is
'Everyday words of titles in other languages in English: enough for "La guerre et la paix", no translation. British spellings and abbreviations go the same way.';

create function enrichment.known_titles()
returns jsonb
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return
        '{"10 little indians": "and then there were none", "10 little niggers": "and then there were none",
        "1001 nights": "arabian nights", "13 at dinner": "lord edgware dies",
        "131 2 leben des kaptn blaubar": "131 2 lives of captain bluebear", "1973年のピンボール": "pinball 1973", "2 pearls of wisdom": "eon",
        "20000 leagues under the seas": "20000 leagues under the sea", "31 songs": "songbook", "3rd day the frost": "killing frost",
        "71 2 deaths of evelyn hardcastle": "7 deaths of evelyn hardcastle", "82년생 김지영": "kim jiyoung born 1982", "aanslag": "assault",
        "ab urbe condita": "history of rome", "abenteuer des sherlock holmes": "adventures of sherlock holmes",
        "achterhuis": "diary of a young girl", "achtzehnte brumaire des louis bonaparte": "18th brumaire of louis bonaparte",
        "adrift in the pacific": "2 years vacation", "adulterio": "adultery", "aeneis": "aeneid", "affaire tournesol": "calculus affair",
        "afrikanske farm": "out of africa", "age de raison": "age of reason", "aiguille creuse": "hollow needle",
        "alf laylah wa laylah": "arabian nights", "alice in wonderland": "alices adventures in wonderland",
        "all men are brothers": "water margin", "alla 6 barn i bullerbyn": "children of noisy village",
        "alone in berlin": "every man dies alone", "also sprach zarathustra": "thus spoke zarathustra", "amant": "lover",
        "amica geniale": "my brilliant friend", "amor en los tiempos del colera": "love in the time of cholera",
        "amor y de sombra": "of love and shadows", "amore molesto": "troubling love", "amuleto": "amulet",
        "analfabeten som kunde rakna": "girl who saved the king of sweden", "anna karenine": "anna karenina", "annales": "annals",
        "ano da morte de ricardo reis": "year of the death of ricardo reis", "ansichten eines clowns": "clown",
        "anti oedipe": "anti oedipus", "appelsinpiken": "orange girl", "arc de triomphe": "arch of triumph",
        "archeologie du savoir": "archaeology of knowledge", "arkhipelag gulag": "gulag archipelago", "ars amatoria": "art of love",
        "arsene lupin gentleman cambrioleur": "arsene lupin gentleman burglar", "asinus aureus": "golden ass", "ask": "40 rules of love",
        "assommoir": "drinking den", "asterix aux jeux olympiques": "asterix at the olympic games",
        "asterix chez les bretons": "asterix in britain", "asterix chez les goths": "asterix and the goths",
        "asterix chez les helvetes": "asterix in switzerland", "asterix en corse": "asterix in corsica",
        "asterix en hispanie": "asterix in spain", "asterix et cleopatre": "asterix and cleopatra",
        "asterix gladiateur": "asterix the gladiator", "asterix le gaulois": "asterix the gaul",
        "asterix legionnaire": "asterix the legionary", "astillero": "shipyard", "atemschaukel": "hunger angel",
        "atomised": "elementary particles", "au bonheur des dames": "ladies paradise", "au revoir la haut": "great swindle",
        "aufzeichnungen des malte laurids brigge": "notebooks of malte laurids brigge", "ausgewanderten": "emigrants",
        "autobiography or the story of my experiments with truth": "story of my experiments with truth",
        "autobiography the story of my experiments with truth": "story of my experiments with truth",
        "autour de la lune": "around the moon", "avare": "miser", "avventure di pinocchio": "adventures of pinocchio", "az ajto": "door",
        "baba ve pic": "bastard of istanbul", "babettes gaestebud": "babettes feast",
        "balzac et la petite tailleuse chinoise": "balzac and the little chinese seamstress", "barbier de seville": "barber of seville",
        "barone rampante": "baron in the trees", "barrage contre le pacifique": "sea wall", "batoru rowaiaru": "battle royale",
        "battleaxe": "wayfarer redemption", "bednye lyudi": "poor folk", "begrebet angest": "concept of anxiety",
        "beim hauten der zwiebel": "peeling the onion", "bekenntnisse des hochstaplers felix krull": "confessions of felix krull",
        "bello civili": "civil war", "bello gallico": "gallic war", "benim adim kirmizi": "my name is red",
        "berlin the downfall 1945": "fall of berlin 1945", "bertie wooster sees it through": "jeeves and the feudal spirit",
        "beso de la mujer arana": "kiss of the spider woman", "bestiario": "bestiary", "besuch der alten dame": "visit", "besy": "demons",
        "bete humaine": "beast within", "beyaz kale": "white castle", "bieguni": "flights", "bienveillantes": "kindly ones",
        "bijoux de la castafiore": "castafiore emerald", "billard um halb zehn": "billiards at half past 9", "bjornstad": "beartown",
        "blade runner": "do androids dream of electric sheep", "blechtrommel": "tin drum", "blendung": "auto da fe",
        "blod pa sno": "blood on snow", "blood will tell": "mrs mcgintys dead", "bodas de sangre": "blood wedding",
        "body snatchers": "invasion of the body snatchers", "bokhandleren i kabul": "bookseller of kabul", "book of changes": "i ching",
        "book of negroes": "someone knows my name", "boomerang": "secret kept", "boomerang clue": "why didnt they ask evans",
        "boquitas pintadas": "heartbreak tango", "bosque de los pigmeos": "forest of the pygmies",
        "boston cooking school cook book": "fannie farmer cookbook", "bouclier arverne": "asterix and the chieftains shield",
        "boule de suif": "ball of fat", "bourgeois gentilhomme": "middle class gentleman", "brandvagg": "firewall",
        "bratia karamazovy": "brothers karamazov", "brennu njals saga": "njals saga", "brevitate vitae": "on the shortness of life",
        "brief an den vater": "letter to his father", "brief einer unbekannten": "letter from an unknown woman",
        "brief voor de koning": "letter for the king", "briefe an einen jungen dichter": "letters to a young poet",
        "brinkley manor": "right ho jeeves", "brinkmanship of galahad threepwood": "galahad at blandings",
        "britt marie var har": "britt marie was here", "broderna lejonhjarta": "brothers lionheart",
        "bruxa de portobello": "witch of portobello", "bygmester solness": "master builder", "cachorros": "cubs", "caim": "cain",
        "call the midwife": "midwife", "camille": "lady of the camellias", "candide ou l optimisme": "candide",
        "cane di terracotta": "terra cotta dog", "cantar de mio cid": "poem of the cid", "cantatrice chauve": "bald soprano",
        "capitaes da areia": "captains of the sands", "capital au xxie siecle": "capital in the 20 1st century",
        "capitan alatriste": "captain alatriste", "captain corellis mandolin": "corellis mandolin",
        "captain grants children": "in search of the castaways", "carta esferica": "nautical chart",
        "cartas a un joven novelista": "letters to a young novelist", "carte et le territoire": "map and the territory",
        "casa verde": "green house", "castello dei destini incrociati": "castle of crossed destinies",
        "cat nappers": "aunts arent gentlemen", "catedral del mar": "cathedral of the sea", "cavaliere inesistente": "nonexistent knight",
        "caverna": "cave", "caves du vatican": "lafcadios adventures", "cesarz": "emperor", "chaesikchuuija": "vegetarian",
        "chambre claire": "camera lucida", "chanson de roland": "song of roland", "chanson douce": "perfect nanny",
        "chartreuse de parme": "charterhouse of parma", "chateau des carpathes": "castle of the carpathians",
        "chernobyl prayer": "voices from chernobyl", "children of captain grant": "in search of the castaways", "chinmoku": "silence",
        "choses": "things", "chrzest ognia": "baptism of fire", "chuang tzu": "zhuangzi", "cien sonetos de amor": "100 love sonnets",
        "cigares du pharaon": "cigars of the pharaoh", "cimitero di praga": "prague cemetery", "cinnamon shops": "street of crocodiles",
        "cinq semaines en ballon": "5 weeks in a balloon", "ciociara": "2 women", "citadelle": "wisdom of the sands",
        "cities of the plain": "sodom and gomorrah", "citta invisibili": "invisible cities", "ciudad de las bestias": "city of the beasts",
        "ciudad y los perros": "time of the hero", "civitate dei": "city of god", "clipper of the clouds": "robur the conqueror",
        "coffin for dimitrios": "mask of dimitrios", "coke en stock": "red sea sharks", "collaborator": "soldiers wife", "colmena": "hive",
        "combat des chefs": "asterix and the big fight", "come si fa una tesi di laurea": "how to write a thesis",
        "comical history of the merchant of venice": "merchant of venice", "commentarii de bello gallico": "gallic war",
        "como agua para chocolate": "like water for chocolate", "concept of dread": "concept of anxiety", "condition humaine": "mans fate",
        "confessiones": "confessions", "confessions of a justified sinner": "private memoirs and confessions of a justified sinner",
        "confieso que he vivido": "memoirs", "conformista": "conformist", "conquest of gaul": "gallic war",
        "consolatione philosophiae": "consolation of philosophy", "conversacion en la catedral": "conversation in the cathedral",
        "corazon tan blanco": "heart so white", "coronel no tiene quien le escriba": "no 1 writes to the colonel",
        "coscienza di zeno": "zenos conscience", "cosmicomiche": "cosmicomics", "cote de guermantes": "guermantes way",
        "courrier sud": "southern mail", "cousine bette": "cousin bette", "crabe aux pinces d or": "crab with the golden claws",
        "cristo si e fermato a eboli": "christ stopped at eboli", "cronica de una muerte anunciada": "chronicle of a death foretold",
        "cronicle history of henry the fift": "henry v", "cross stitch": "outlander", "cuaderno de maya": "mayas notebook",
        "cuentos de eva luna": "stories of eva luna", "cup of friendship": "little coffee shop of kabul", "curee": "kill",
        "cyberiada": "cyberiad", "czas pogardy": "time of contempt", "dame aux camelias": "lady of the camellias",
        "dame de monsoreau": "chicot the jester", "damnes de la terre": "wretched of the earth", "dao de jing": "tao te ching",
        "darm mit charme": "gut the inside story of our bodys most underrated organ", "dawn of day": "daybreak",
        "deadly affair": "call for the dead", "dealings with the firm of dombey and son": "dombey and son",
        "death at intervals": "death with interruptions", "death in the air": "death in the clouds",
        "death of ivan ilyich": "death of ivan ilych", "defense": "luzhin defense",
        "del amor y otros demonios": "of love and other demons", "demon trappers daughter": "forsaken",
        "demonio e a srta prym": "devil and miss prym", "dernier jour d un condamne": "last day of a condemned man",
        "dervis i smrt": "death and the dervish", "deserto dei tartari": "tartar steppe", "detectives salvajes": "savage detectives",
        "deutsche ideologie": "german ideology", "deux ans de vacances": "2 years vacation", "devils": "demons",
        "di velt hot geshvign": "night", "dialektik der aufklarung": "dialectic of enlightenment", "diario de um mago": "pilgrimage",
        "diarios de motocicleta": "motorcycle diaries", "diary of anne frank": "diary of a young girl", "diner": "dinner",
        "disgrace": "absent 1", "disparition": "void", "doce cuentos peregrinos": "strange pilgrims", "doktor faustus": "doctor faustus",
        "doktor glas": "doctor glas", "doktor zhivago": "doctor zhivago", "don quijote de la mancha": "don quixote",
        "don quixote de la mancha": "don quixote", "dona flor e seus dois maridos": "dona flor and her 2 husbands",
        "doppelte lottchen": "lottie and lisa", "down under": "in a sunburned country", "drachenreiter": "dragon rider",
        "drama des begabten kindes": "drama of the gifted child", "dream of red mansions": "dream of the red chamber",
        "drei abhandlungen zur sexualtheorie": "3 essays on the theory of sexuality", "drei kameraden": "3 comrades",
        "dreigroschenoper": "threepenny opera", "drengen i kufferten": "boy in the suitcase", "du cote de chez swann": "swanns way",
        "duineser elegien": "duino elegies", "dzienniki gwiazdowe": "star diaries", "easy to kill": "murder is easy",
        "ecriture et la difference": "writing and difference", "ecume des jours": "froth on the daydream",
        "ego and his own": "ego and its own", "einfuhrung in die metaphysik": "introduction to metaphysics",
        "einzige und sein eigentum": "ego and its own", "eldvittnet": "fire witness", "elegance du herisson": "elegance of the hedgehog",
        "elle sappelait sarah": "sarahs key", "emil i lonneberga": "emil and the great escape",
        "emil und die detektive": "emil and the detectives", "en attendant godot": "waiting for godot",
        "en folkefiende": "enemy of the people", "en man som heter ove": "man called ove", "enamoramientos": "infatuations",
        "eneide": "aeneid", "enfants du capitaine grant": "in search of the castaways", "enfants terribles": "holy terrors",
        "ensaio sobre a cegueira": "blindness", "ensaio sobre a lucidez": "seeing", "ensemble cest tout": "hunting and gathering",
        "enten eller": "either or", "epistulae morales ad lucilium": "letters from a stoic",
        "epitaph of a small winner": "posthumous memoirs of bras cubas", "er ist wieder da": "look whos back",
        "erinnerungen traume gedanken": "memories dreams reflections", "espia": "spy", "essais": "essays", "essays in love": "on love",
        "estrella distante": "distant star", "et dukkehjem": "dolls house", "ethica": "ethics", "ethica nicomachea": "nicomachean ethics",
        "ethics of aristotle": "nicomachean ethics", "etoile mysterieuse": "shooting star", "ett dromspel": "dream play",
        "evangelho segundo jesus cristo": "gospel according to jesus christ", "evgenii onegin": "eugene onegin",
        "evolution creatrice": "creative evolution", "excellent conceited tragedie of romeo and juliet": "romeo and juliet",
        "executioners": "cape fear", "exercices de style": "exercises in style", "exil et le royaume": "exile and the kingdom",
        "existentialism and humanism": "existentialism is a humanism", "existentialisme est un humanisme": "existentialism is a humanism",
        "extension du domaine de la lutte": "whatever", "familia de pascual duarte": "family of pascual duarte",
        "farewell waltz": "farewell party", "farlig midsommar": "moominsummer madness", "fasandraeberne": "absent 1",
        "fat and the thin": "belly of paris", "fateless": "fatelessness", "fathers and children": "fathers and sons",
        "faux monnayeurs": "counterfeiters", "fear of freedom": "escape from freedom", "federalist": "federalist papers",
        "femme rompue": "woman destroyed", "femte kvinnan": "5th woman", "fiesta del chivo": "feast of the goat",
        "figlia oscura": "lost daughter", "fin de partie": "endgame", "finding cassie crazy": "year of secret assignments",
        "fish preferred": "summer lightning", "flaggermusmannen": "bat", "flaskepost fra p": "conspiracy of faith",
        "fleurs du mal": "flowers of evil", "flickan som lekte med elden": "girl who played with fire",
        "fliegende klassenzimmer": "flying classroom", "folk med angest": "anxious people", "forforerens dagbog": "seducers diary",
        "forma dellacqua": "shape of water", "fortunes and misfortunes of the famous moll flanders": "moll flanders",
        "fourmis": "empire of the ants", "fragments d un discours amoureux": "lovers discourse", "frelseren": "redeemer",
        "frohliche wissenschaft": "gay science", "froken julie": "miss julie",
        "froken smillas fornemmelse for sne": "smillas sense of snow", "fruhlings erwachen": "spring awakening",
        "frygt og baeven": "fear and trembling", "fu mattia pascal": "late mattia pascal", "fuglane": "birds",
        "funerales de la mama grande": "big mamas funeral", "funerals are fatal": "after the funeral", "fyrvaktaren": "lost boy",
        "gabriela cravo e canela": "gabriela clove and cinnamon", "gattopardo": "leopard",
        "gawayn and the grene knyȝt": "sir gawain and the green knight", "geburt der tragodie": "birth of tragedy",
        "gemeinsames leben": "life together", "general en su laberinto": "general in his labyrinth",
        "general introduction to psychoanalysis": "introductory lectures on psycho analysis", "gengangere": "ghosts",
        "genji monogatari": "tale of genji", "geroi nashego vremeni": "hero of our time", "geteilte himmel": "divided heaven",
        "giardino dei finzi contini": "garden of the finzi continis", "gjenferd": "phantom", "gjentagelsen": "repetition",
        "glasblaserin": "glassblower", "glasperlenspiel": "glass bead game", "gloire de mon pere": "my fathers glory",
        "gogo no eiko": "sailor who fell from grace with the sea", "gomorra": "gomorrah", "gorin no sho": "book of 5 rings",
        "gosta berlings saga": "story of gosta berling", "gotzen dammerung": "twilight of the idols",
        "grafarthogn": "silence of the grave", "grand cahier": "notebook", "grand meaulnes": "lost estate",
        "grande sertao veredas": "devil to pay in the backlands", "greg heffleys journal": "diary of a wimpy kid",
        "grundlegung zur metaphysik der sitten": "groundwork of the metaphysics of morals",
        "grundlinien der philosophie des rechts": "elements of the philosophy of right", "grune heinrich": "green henry",
        "gruppenbild mit dame": "group portrait with lady", "guerra del fin del mundo": "war of the end of the world",
        "gute mensch von sezuan": "good woman of setzuan", "gyertyak csonkig egnek": "embers", "haben oder sein": "to have or to be",
        "hamlet prince of denmark": "hamlet", "handen": "troubled man", "harlequin": "archers tale",
        "harry potter and the philosophers stone": "harry potter and the sorcerers stone", "hazarski recnik": "dictionary of the khazars",
        "heban": "shadow of the sun", "hector servadac": "off on a comet", "heidis lehr und wanderjahre": "heidi",
        "heike monogatari": "tale of the heike", "henkerstochter": "hangmans daughter", "here gather the stars": "way station",
        "heroe discreto": "discreet hero", "herr der diebe": "thief lord", "herzenhoren": "art of hearing heartbeats",
        "herztier": "land of green plums", "hickory dickory death": "hickory dickory dock", "hiob": "job",
        "histoire de l oeil": "story of the eye", "histoire de la folie a l age classique": "madness and civilization",
        "historia do cerco de lisboa": "history of the siege of lisbon", "historia universal de la infamia": "universal history of infamy",
        "historiae": "histories", "historias de cronopios y de famas": "cronopios and famas", "history of herodotus": "histories",
        "history of pendennis": "pendennis", "history of rasselas prince of abissinia": "rasselas",
        "history of the decline and fall of the roman empire": "decline and fall of the roman empire", "history of tom jones": "tom jones",
        "history of tom jones foundling": "tom jones", "hitsuji o meguru boken": "wild sheep chase", "hodejegerne": "headhunters",
        "hojarasca": "leaf storm", "holiday for murder": "hercule poirots christmas", "homem duplicado": "double",
        "homme au masque de fer": "man in the iron mask", "homme qui rit": "man who laughs", "homme revolte": "rebel",
        "hong lou meng": "dream of the red chamber", "hora da estrela": "hour of the star", "hothouse flower": "orchid house",
        "how right you are jeeves": "jeeves in the offing", "huis clos": "no exit", "hundarna i riga": "dogs of riga",
        "hundejahre": "dog years",
        "hundraaringen som klev ut genom fonstret och forsvann": "100 year old man who climbed out of the window and disappeared",
        "hungerkunstler": "hunger artist", "hypnotisoren": "hypnotist", "i giorni dellabbandono": "days of abandonment",
        "i malavoglia": "house by the medlar tree", "i promessi sposi": "betrothed", "ich und das es": "ego and the id",
        "identite": "identity", "igrok": "gambler", "iliada": "iliad", "iliade": "iliad", "ilias": "iliad",
        "illusions perdues": "lost illusions", "im krebsgang": "crabwalk", "im westen nichts neues": "all quiet on the western front",
        "imitatione christi": "imitation of christ", "immoraliste": "immoralist", "in der strafkolonie": "in the penal colony",
        "ince memed": "memed my hawk", "indifferenti": "time of indifference", "ines del alma mia": "ines of my soul",
        "informe de brodie": "brodies report", "ingenioso hidalgo don quijote de la mancha": "don quixote",
        "innan frosten": "before the frost", "innommable": "unnamable",
        "inquiry into the nature and causes of the wealth of nations": "wealth of nations",
        "insoutenable legerete de l etre": "unbearable lightness of being", "inspector general": "government inspector",
        "insulted and injured": "humiliated and insulted", "intermitencias da morte": "death with interruptions", "intet": "nothing",
        "invencion de morel": "invention of morel", "invitee": "she came to stay", "io non ho paura": "im not scared",
        "is slottet": "ice palace", "isla bajo el mar": "island beneath the sea", "isola del giorno prima": "island of the day before",
        "isprinsessan": "ice princess", "istanbul hatiralar ve sehir": "istanbul memories and the city",
        "italienische reise": "italian journey", "italienska skor": "italian shoes",
        "its ok im wearing really big knickers": "on the bright side im now the girlfriend of a sex god",
        "jacques le fataliste et son maitre": "jacques the fatalist", "jangada de pedra": "stone raft",
        "jeder stirbt fur sich allein": "every man dies alone", "jenseits des lustprinzips": "beyond the pleasure principle",
        "jenseits von gut und bose": "beyond good and evil",
        "jim knopf und lukas der lokomotivfuhrer": "jim button and luke the engine driver",
        "jirai cracher sur vos tombes": "i spit on your graves", "journal 64": "purity of vengeance",
        "journal du voleur": "thiefs journal", "journey into the interior of the earth": "journey to the center of the earth",
        "joyful wisdom": "gay science", "juego de ripper": "ripper", "juego del angel": "angels game", "junk": "smack",
        "kabalmysteriet": "solitaire mystery", "kafamda bir tuhaflik": "strangeness in my mind", "kakerlakkene": "cockroaches",
        "kama sutra of vatsyayana": "kama sutra", "kamen no kokuhaku": "confessions of a mask", "kapital": "capital", "kar": "snow",
        "kara kitap": "black book", "kassandra": "cassandra", "katz und maus": "cat and mouse",
        "kaukasische kreidekreis": "caucasian chalk circle", "kejserens nye klaeder": "emperors new clothes",
        "kinder und hausmarchen": "grimms fairy tales", "kinesen": "man from beijing", "king henry v": "henry v",
        "kinkakuji": "temple of the golden pavilion", "klavierspielerin": "piano teacher", "kleine hexe": "little witch",
        "kleiner mann was nun": "little man what now", "kniha smichu a zapomneni": "book of laughter and forgetting",
        "kometjakten": "comet in moominland", "kon tiki ekspedisjonen": "kon tiki", "kongres futurologiczny": "futurological congress",
        "krabat": "satanic mill", "krew elfow": "blood of elves", "kritik der praktischen vernunft": "critique of practical reason",
        "kritik der urteilskraft": "critique of judgment", "kruistocht in spijkerbroek": "crusade in jeans",
        "krzyzacy": "teutonic knights", "kuin surmaisi satakielen": "to kill a mockingbird",
        "kunst des klaren denkens": "art of thinking clearly", "kunst des liebens": "art of loving",
        "kurk mantolu madonna": "madonna in a fur coat", "kurze weltgeschichte fur junge leser": "little history of the world",
        "kvinden i buret": "keeper of lost causes", "l ombre des jeunes filles en fleurs": "in the shadow of young girls in flower",
        "la grammatologie": "of grammatology", "ladro di merendine": "snack thief", "lady with the little dog": "lady with the dog",
        "lalka": "doll", "largo petalo de mar": "long petal of the sea",
        "lasarna i broken wheel rekommenderar": "readers of broken wheel recommend", "lat den ratte komma in": "let the right 1 in",
        "lavendelzimmer": "little paris bookshop", "leben des galilei": "life of galileo",
        "leiden des jungen werthers": "sorrows of young werther", "lenteur": "slowness", "leon l africain": "leo africanus",
        "lessico famigliare": "family lexicon", "let me in": "let the right 1 in", "lettres persanes": "persian letters",
        "leven en werken van de kabouter": "gnomes", "lezioni americane": "6 memos for the next millennium",
        "libro de arena": "book of sand", "libro del cortegiano": "book of the courtier",
        "life and opinions of tristram shandy gentleman": "tristram shandy", "life and times of alexis zorbas": "zorba the greek",
        "life of king henry the 5th": "henry v", "lille havfrue": "little mermaid", "lille pige med svovlstikkerne": "little match girl",
        "lillebror och karlsson pa taket": "karlsson on the roof", "limpieza de sangre": "purity of blood",
        "literatura nazi en america": "nazi literature in the americas", "lives of the 12 caesars": "12 caesars",
        "lives of the caesars": "12 caesars", "livre": "press here", "livro do desassossego": "book of disquiet",
        "llano en llamas": "burning plain", "logik der forschung": "logic of scientific discovery",
        "logisch philosophische abhandlung": "tractatus logico philosophicus", "lollipop shoes": "girl with no shadow",
        "long afternoon of earth": "hothouse", "lotus bleu": "blue lotus", "luces de septiembre": "watcher in the shadows",
        "luck of barry lyndon": "barry lyndon", "luftslottet som sprangdes": "girl who kicked the hornets nest",
        "lullaby": "perfect nanny", "lun yu": "analects", "lusiadas": "lusiads", "lys dans la vallee": "lily of the valley",
        "machine infernale": "infernal machine", "maestro de esgrima": "fencing master", "magister ludi": "glass bead game",
        "mains sales": "dirty hands", "maitre du monde": "master of the world", "makura no soshi": "pillow book",
        "mala hora": "in evil hour", "malade imaginaire": "imaginary invalid", "malone meurt": "malone dies", "man hunt": "rogue male",
        "man som hatar kvinnor": "girl with the dragon tattoo", "man who upset the universe": "foundation and empire",
        "manana en la batalla piensa en mi": "tomorrow in the battle think on me",
        "manifest der kommunistischen partei": "communist manifesto", "manifesto of the communist party": "communist manifesto",
        "mann moses und die monotheistische religion": "moses and monotheism", "mann ohne eigenschaften": "man without qualities",
        "mannen pa balkongen": "man on the balcony", "mannen som log": "man who smiled",
        "mannen som sokte sin skugga": "girl who takes an eye for an eye", "manual do guerreiro da luz": "warrior of the light",
        "manuscrito encontrado em accra": "manuscript found in accra", "march up country": "anabasis", "marekors": "devils star",
        "marguerite de valois": "queen margot", "mariage de figaro": "marriage of figaro", "markens grode": "growth of the soil",
        "mas alla del invierno": "in the midst of winter", "masse und macht": "crowds and power",
        "master i margarita": "master and margarita", "masumiyet muzesi": "museum of innocence", "matiere et memoire": "matter and memory",
        "meditationes de prima philosophia": "meditations on 1st philosophy", "meditations metaphysiques": "meditations on 1st philosophy",
        "mein name sei gantenbein": "gantenbein", "memoires d hadrien": "memoirs of hadrian",
        "memoires d une jeune fille rangee": "memoirs of a dutiful daughter", "memoirs from the house of the dead": "house of the dead",
        "memoria de mis putas tristes": "memories of my melancholy whores", "memorial do convento": "baltasar and blimunda",
        "memorias postumas de bras cubas": "posthumous memoirs of bras cubas", "mensagem": "message",
        "menschliches allzumenschliches": "human all too human", "mercy": "keeper of lost causes", "mertvye dushi": "dead souls",
        "messenger": "i am the messenger", "metamorphoseon libri": "metamorphoses", "metaphysica": "metaphysics",
        "meu pe de laranja lima": "my sweet orange tree", "mi pais inventado": "my invented country",
        "michel strogoff": "michael strogoff", "miecz przeznaczenia": "sword of destiny", "mille plateaux": "1000 plateaus",
        "min kamp": "my struggle", "min mormor halsar och sager forlat": "my grandmother asked me to tell you shes sorry",
        "mio min mio": "mio my son", "mirror crackd": "mirror crackd from side to side", "miseraveis": "miserables",
        "miss smillas feeling for snow": "smillas sense of snow",
        "misteriosa fiamma della regina loana": "mysterious flame of queen loana", "mondscheingarten": "moonlit garden",
        "monte cinco": "5th mountain", "mordare utan ansikte": "faceless killers", "morgenlandfahrt": "journey to the east",
        "morgenrote": "daybreak", "moriae encomium": "praise of folly", "mort heureuse": "happy death",
        "mort tres douce": "very easy death", "moscow stations": "moscow to the end of the line", "mots": "words",
        "mots et les choses": "order of things", "mouches": "flies", "muminpappans memoarer": "moominpappas memoirs", "mur": "wall",
        "murder after hours": "hollow", "murder at hazelmoor": "sittaford mystery", "murder for christmas": "hercule poirots christmas",
        "murder in 3 acts": "3 act tragedy", "murder in retrospect": "5 little pigs",
        "murder in the calais coach": "murder on the orient express", "murder with mirrors": "they do it with mirrors",
        "mutter courage und ihre kinder": "mother courage and her children", "muumipeikko ja pyrstotahti": "comet in moominland",
        "muveszeti anatomia": "anatomy for the artist",
        "my grandmother sends her regards and apologises": "my grandmother asked me to tell you shes sorry",
        "my last duchess": "american heiress", "myrin": "jar city", "mystere de la chambre jaune": "mystery of the yellow room",
        "mysterier": "mysteries", "mythe de sisyphe": "myth of sisyphus", "na drini cuprija": "bridge on the drina",
        "na margem do rio piedra eu sentei e chorei": "by the river piedra i sat down and wept", "nachfolge": "cost of discipleship",
        "nacht von lissabon": "night in lisbon", "nachtzug nach lissabon": "night train to lisbon", "nada": "nothing",
        "nagy fuzet": "notebook", "naissance de la clinique": "birth of the clinic", "naiv super": "naive super",
        "narziss und goldmund": "narcissus and goldmund", "nathan der weise": "nathan the wise", "nausee": "nausea",
        "nefes nefese": "last train to istanbul", "nejimakidori kuronikuru": "wind up bird chronicle", "nesmrtelnost": "immortality",
        "nesnesitelna lehkost byti": "unbearable lightness of being", "nessuno e centomila": "1 no 1 and 100000", "niebla": "mist",
        "niezwyciezony": "invincible", "nils holgerssons underbara resa genom sverige": "wonderful adventures of nils",
        "ningen shikkaku": "no longer human", "noces": "nuptials", "nochnoi dozor": "night watch",
        "nocturno de chile": "by night in chile", "nome della rosa": "name of the rose", "northern lights": "golden compass",
        "noruwei no mori": "norwegian wood", "nos4r2": "nos4a2", "notas de viaje": "motorcycle diaries",
        "notes from a big country": "im a stranger here myself", "notes from a dead house": "house of the dead",
        "notes from the house of the dead": "house of the dead", "notes on a scandal": "what was she thinking",
        "noticia de un secuestro": "news of a kidnapping", "notre dame de paris": "hunchback of notre dame",
        "notre dame des fleurs": "our lady of the flowers", "novelas ejemplares": "exemplary novels", "objectif lune": "destination moon",
        "obsluhoval jsem anglickeho krale": "i served the king of england", "oceano mare": "ocean sea",
        "odin den ivana denisovicha": "1 day in the life of ivan denisovich", "odyssea": "odyssey", "odyssee": "odyssey",
        "oedipus rex": "oedipus the king", "oedipus tyrannus": "oedipus the king", "oeuvre": "masterpiece", "oeuvre au noir": "abyss",
        "officiis": "on duties", "ogniem i mieczem": "with fire and sword", "old goriot": "pere goriot", "olycksfageln": "stranger",
        "on a marche sur la lune": "explorers on the moon", "on the duty of civil disobedience": "civil disobedience",
        "on the genealogy of morality": "on the genealogy of morals",
        "on the origin of species by means of natural selection": "origin of species", "ontdekking van de hemel": "discovery of heaven",
        "onze minutos": "11 minutes", "oorlogswinter": "winter in wartime", "optimo rei publicae statu deque nova insula utopia": "utopia",
        "oreille cassee": "broken ear", "origin of species by means of natural selection": "origin of species",
        "orolige mannen": "troubled man", "orvos voltam auschwitzban": "auschwitz a doctors eyewitness account",
        "ostatnie zyczenie": "last wish", "ostre sledovane vlaky": "closely watched trains",
        "osudy dobreho vojaka svejka": "good soldier svejk", "othello the moor of venice": "othello", "other hand": "little bee",
        "otono del patriarca": "autumn of the patriarch", "otto montagne": "8 mountains", "ottsy i deti": "fathers and sons",
        "out of the deeps": "kraken wakes", "outlaws of the marsh": "water margin", "outsider": "stranger",
        "overdose of death": "1 2 buckle my shoe", "paganinikontraktet": "nightmare", "painted man": "warded man",
        "paixao segundo g h": "passion according to g h", "pal utcai fiuk": "paul street boys",
        "palacio de la medianoche": "midnight palace", "palomar": "mr palomar", "pani jeziora": "lady of the lake",
        "panserhjerte": "leopard", "pantaleon y las visitadoras": "captain pantoja and the special service",
        "pappan och havet": "moominpappa at sea", "paris au xxe siecle": "paris in the 20th century",
        "parish boys progress": "oliver twist", "particules elementaires": "elementary particles", "pasos perdidos": "lost steps",
        "passions reign": "last boleyn", "pate": "godfather", "patria": "homeland", "patriotic murders": "1 2 buckle my shoe",
        "peaches for monsieur le cure": "peaches for father francis", "peau de chagrin": "wild asss skin",
        "peau noire masques blancs": "black skin white masks", "pedagogia do oprimido": "pedagogy of the oppressed",
        "pelican at blandings": "no nudes is good nudes", "pendolo di foucault": "foucaults pendulum", "pensee sauvage": "savage mind",
        "persian expedition": "anabasis",
        "personal history adventures experience and observation of david copperfield": "david copperfield",
        "personal memoirs of u s grant": "personal memoirs", "peter and wendy": "peter pan",
        "phanomenologie des geistes": "phenomenology of spirit", "phare du bout du monde": "lighthouse at the end of the world",
        "phedre": "phaedra", "phenomenologie de la perception": "phenomenology of perception",
        "philosophiae naturalis principia mathematica": "principia", "philosophische untersuchungen": "philosophical investigations",
        "philosophy of right": "elements of the philosophy of right", "physiker": "physicists", "piel del tambor": "seville communion",
        "pilgrims progress from this world to that which is to come": "pilgrims progress", "pilote de guerre": "flight to arras",
        "pintor de batallas": "painter of battles", "pippi langstrump": "pippi longstocking",
        "pippi langstrump gar ombord": "pippi goes on board", "pippi langstrump i soderhavet": "pippi in the south seas",
        "plaisir du texte": "pleasure of the text", "plan infinito": "infinite plan", "planete des singes": "planet of the apes",
        "plateforme": "platform", "platero y yo": "platero and i", "poema de mio cid": "poem of the cid",
        "poeta en nueva york": "poet in new york", "poetique de l espace": "poetics of space", "point blanc": "point blank",
        "poirot loses a client": "dumb witness", "pomalost": "slowness", "pont de la riviere kwai": "bridge over the river kwai",
        "poor people": "poor folk", "porte etroite": "strait is the gate", "possessed": "demons",
        "possibilite d une ile": "possibility of an island", "posthumous papers of the pickwick club": "pickwick papers",
        "potop": "deluge", "predikanten": "preacher", "prestuplenie i nakazanie": "crime and punishment",
        "prilis hlucna samota": "too loud a solitude", "princesse de cleves": "princess of cleves", "principatibus": "prince",
        "principe de la niebla": "prince of mist", "prinsessen pa aerten": "princess and the pea",
        "prinzip verantwortung": "imperative of responsibility", "prison of ice": "icebound", "prisonniere": "stolen lives",
        "process": "trial", "prolegomena zu einer jeden kunftigen metaphysik": "prolegomena to any future metaphysics",
        "promesse de l aube": "promise at dawn",
        "protestantische ethik und der geist des kapitalismus": "protestant ethic and the spirit of capitalism",
        "psychologie des foules": "crowd", "psychology of everyday things": "design of everyday things", "q and a": "slumdog millionaire",
        "quarante cinq": "45 guardsmen", "quatre vingt treize": "93", "quatrevingt treize": "93",
        "quest ce que la philosophie": "what is philosophy", "r u r": "rossums universal robots", "radetzkymarsch": "radetzky march",
        "rauber": "robbers", "rauber hotzenplotz": "robber hotzenplotz", "raw youth": "adolescent", "rayuela": "hopscotch",
        "re birth": "chrysalids", "reawakening": "truce", "rebelion de las masas": "revolt of the masses",
        "rebellious stars": "stars like dust", "redemption": "conspiracy of faith", "reigen": "ronde",
        "reino de este mundo": "kingdom of this world", "reino del dragon de oro": "kingdom of the golden dragon",
        "relato de un naufrago": "story of a shipwrecked sailor", "religieuse": "nun", "remembered death": "sparkling cyanide",
        "remembrance of things past": "in search of lost time", "rerum natura": "on the nature of things",
        "resistance to civil government": "civil disobedience", "return of jeeves": "ring for jeeves", "revizor": "government inspector",
        "revolt of the triffids": "day of the triffids", "richter und sein henker": "judge and his hangman",
        "ringe des saturn": "rings of saturn", "rire": "laughter", "rivers of london": "midnight riot",
        "rivieres pourpres": "crimson rivers", "robur le conquerant": "robur the conqueror", "roda rummet": "red room",
        "rodstrupe": "redbreast", "romancero gitano": "gypsy ballads", "ronja rovardotter": "ronia the robbers daughter",
        "rote buch": "red book", "rotkappchen": "little red riding hood", "royal game": "chess story", "rubinrot": "ruby red",
        "ruido de las cosas al caer": "sound of things falling", "rumpelstilzchen": "rumpelstiltskin", "sac de billes": "bag of marbles",
        "saison en enfer": "season in hell", "samarcande": "samarkand", "san guo yan yi": "romance of the 3 kingdoms",
        "san manuel bueno martir": "saint manuel the good martyr", "san ti": "3 body problem", "sandmann": "sandman",
        "sandmannen": "sandman", "sansibar oder der letzte grund": "flight to afar", "saphirblau": "sapphire blue",
        "sasameyuki": "makioka sisters", "satya na prayogo": "story of my experiments with truth",
        "scaphandre et le papillon": "diving bell and the butterfly", "scar of david": "mornings in jenin",
        "sceptre d ottokar": "king ottokars sceptre", "schachnovelle": "chess story", "schatz im silbersee": "treasure of silver lake",
        "schimmelreiter": "rider on the white horse", "schindlers ark": "schindlers list", "schwarm": "swarm",
        "schweizerische robinson": "swiss family robinson", "se questo e un uomo": "if this is a man",
        "se una notte d inverno un viaggiatore": "if on a winters night a traveler", "secret de la licorne": "secret of the unicorn",
        "secret dreamworld of a shopaholic": "confessions of a shopaholic", "secret ways": "last frontier",
        "sei personaggi in cerca d autore": "6 characters in search of an author", "seijo no kyusai": "salvation of a saint",
        "seitseman veljesta": "7 brothers", "sekai no owari to hadoboirudo wandarando": "hard boiled wonderland and the end of the world",
        "senor presidente": "president", "sent i november": "moominvalley in november",
        "sentiero dei nidi di ragno": "path to the spiders nests", "sept boules de cristal": "7 crystal balls",
        "ser como o rio que flui": "like the flowing river", "serpe d or": "asterix and the golden sickle", "seta": "silk",
        "severed heads broken hearts": "beginning of everything", "sezon burz": "season of storms", "shayo": "setting sun",
        "sheep pig": "babe the gallant pig", "shifting fog": "house at riverton", "shopaholic abroad": "shopaholic takes manhattan",
        "sieben jahre in tibet": "7 years in tibet", "simulacres et simulation": "simulacra and simulation",
        "sinuhe egyptilainen": "egyptian", "sistema periodico": "periodic table", "sjalfstaett folk": "independent people",
        "sjojungfrun": "drowning", "sklepy cynamonowe": "street of crocodiles", "skrattande polisen": "laughing policeman",
        "smaragdgrun": "emerald green", "smert ivana ilicha": "death of ivan ilych", "smesne lasky": "laughable loves",
        "smierc miasta": "pianist", "snedronningen": "snow queen", "snomannen": "snowman", "so many steps to death": "destination unknown",
        "sobache serdtse": "heart of a dog", "sobre heroes y tumbas": "on heroes and tombs",
        "societe du spectacle": "society of the spectacle", "sodome et gomorrhe": "sodom and gomorrah", "sofies verden": "sophies world",
        "sol de breda": "sun over breda", "soldados de salamina": "soldiers of salamis",
        "solitudine dei numeri primi": "solitude of prime numbers", "som inte dodar oss": "girl in the spiders web",
        "sommarboken": "summer book", "sonnen": "son", "sonnenfinsternis": "darkness at noon", "sorgenfri": "nemesis",
        "sorstalansag": "fatelessness", "soumission": "submission", "splendeurs et miseres des courtisanes": "harlot high and low",
        "spooks apprentice": "revenge of the witch", "spooks battle": "attack of the fiend", "spooks curse": "curse of the bane",
        "spooks mistake": "wrath of the bloodeye", "spooks sacrifice": "clash of the demons", "spooks secret": "night of the soul stealer",
        "stadt der traumenden bucher": "city of dreaming books", "starship": "non stop", "steget efter": "1 step behind",
        "stenhuggaren": "stonecutter", "sternstunden der menschheit": "decisive moments in history", "stiller": "im not stiller",
        "storia del nuovo cognome": "story of a new name", "storia della bambina perduta": "story of the lost child",
        "storia della bellezza": "history of beauty", "storia della bruttezza": "on ugliness",
        "storia di chi fugge e di chi resta": "those who leave and those who stay", "storm island": "eye of the needle",
        "story of the stone": "dream of the red chamber", "stupeur et tremblements": "fear and trembling",
        "sueno del celta": "dream of the celt", "sum of all men": "runelords", "suma de los dias": "sum of our days",
        "suna no onna": "woman in the dunes", "sunzi bing fa": "art of war", "suputoniku no koibito": "sputnik sweetheart",
        "surgeon of crowthorne": "professor and the madman", "surveiller et punir": "discipline and punish",
        "survival in auschwitz": "if this is a man", "sygdommen til doden": "sickness unto death",
        "symphonie pastorale": "pastoral symphony", "szent peter esernyoje": "st peters umbrella", "ta eis heauton": "meditations",
        "tabla de flandes": "flanders panel", "tainted blood": "jar city", "tales of caunterbury": "canterbury tales",
        "temeraire": "his majestys dragon", "temple du soleil": "prisoners of the sun", "temps retrouve": "time regained",
        "tenda dos milagres": "tent of miracles", "tentation de saint antoine": "temptation of saint anthony",
        "terre des hommes": "wind sand and stars", "there is a tide": "taken at the flood",
        "thus spake zarathustra": "thus spoke zarathustra", "tia julia y el escribidor": "aunt julia and the scriptwriter",
        "tia tula": "aunt tula", "tiempo entre costuras": "time in between", "tiger tiger": "stars my destination",
        "times twisted arrow": "timebound", "tintenblut": "inkspell", "tintenherz": "inkheart", "tintentod": "inkdeath",
        "tintin au pays de l or noir": "land of black gold", "tintin au pays des soviets": "tintin in the land of the soviets",
        "to challenge a dragon": "dragon actually", "tod in venedig": "death in venice", "todos os nomes": "all the names",
        "too hot to handle": "moonraker", "totalite et infini": "totality and infinity", "totem und tabu": "totem and taboo",
        "tour de gaule d asterix": "asterix and the banquet", "tour du monde en quatre vingts jours": "around the world in 80 days",
        "toverspiegel van m c escher": "magic mirror of m c escher", "tractatus theologico politicus": "theological political treatise",
        "tragedie of antony and cleopatra": "antony and cleopatra", "tragedie of hamlet": "hamlet",
        "tragedie of julius caesar": "julius caesar", "tragedie of king lear": "king lear", "tragedie of macbeth": "macbeth",
        "tragedy of hamlet prince of denmark": "hamlet", "tragedy of king lear": "king lear",
        "tragedy of king richard the 2nd": "richard 2", "tragedy of king richard the 3rd": "richard 3",
        "tragedy of othello the moor of venice": "othello", "tragical history of the life and death of doctor faustus": "doctor faustus",
        "tragicall historie of hamlet prince of denmark": "hamlet", "trahison des clercs": "treason of the intellectuals",
        "traumdeutung": "interpretation of dreams", "traumnovelle": "dream story", "travailleurs de la mer": "toilers of the sea",
        "travels into several remote nations of the world": "gullivers travels", "travesuras de la nina mala": "bad girl",
        "tregua": "truce", "tresor de rackham le rouge": "red rackhams treasure", "trois mousquetaires": "3 musketeers",
        "trollkarlens hatt": "finn family moomintroll", "trollvinter": "moominland midwinter",
        "trotzdem ja zum leben sagen": "mans search for meaning", "tschick": "why we took the car", "tuesday club murders": "13 problems",
        "tugumi": "goodbye tsugumi", "tulipe noire": "black tulip", "tyger tyger": "stars my destination", "tyskungen": "hidden child",
        "uber das geistige in der kunst": "concerning the spiritual in art",
        "uber die spezielle und die allgemeine relativitatstheorie": "relativity", "uber gewissheit": "on certainty",
        "umibe no kafuka": "kafka on the shore", "unbehagen in der kultur": "civilization and its discontents",
        "unendliche geschichte": "neverending story", "ungeduld des herzens": "beware of pity",
        "untergang des abendlandes": "decline of the west", "untergeher": "loser", "unterm rad": "beneath the wheel",
        "untertan": "loyal subject", "unzeitgemasse betrachtungen": "untimely meditations", "uomo senza qualita": "man without qualities",
        "urteil": "judgment", "ut og stjaele hester": "out stealing horses", "utas es holdvilag": "journey by moonlight",
        "utvandrarna": "emigrants", "va dove ti porta il cuore": "follow your heart", "valcik na rozloucenou": "farewell party",
        "valka s mloky": "war with the newts", "valkirias": "valkyries",
        "veinte poemas de amor y una cancion desesperada": "20 love poems and a song of despair",
        "venas abiertas de america latina": "open veins of latin america", "vencedor esta so": "winner stands alone",
        "ventre de paris": "belly of paris", "verite sur l affaire harry quebert": "truth about the harry quebert affair",
        "vermessung der welt": "measuring the world", "veronika decide morrer": "veronika decides to die", "verschollene": "amerika",
        "versprechen": "pledge", "verwandlung": "metamorphosis", "verwirrungen des zoglings torless": "confusions of young torless",
        "viagem do elefante": "elephants journey", "vida es sueno": "life is a dream", "vidas secas": "barren lives",
        "vie de gargantua et de pantagruel": "gargantua and pantagruel", "vie devant soi": "life before us",
        "vie mode d emploi": "life a users manual", "vildanden": "wild duck", "village of the damned": "midwich cuckoos",
        "villospar": "sidetracked",
        "vindication of the rights of woman with strictures on political and moral subjects": "vindication of the rights of woman",
        "vingt ans apres": "20 years after", "vios kai politeia tou alexi zorba": "zorba the greek", "virgin": "cradle and all",
        "visconte dimezzato": "cloven viscount", "vishnevyi sad": "cherry orchard", "visitor": "running blind",
        "vita bugiarda degli adulti": "lying life of adults", "vita caesarum": "12 caesars", "vita lejoninnan": "white lioness",
        "vivir para contarla": "living to tell the tale", "voina i mir": "war and peace", "vol de nuit": "night flight",
        "vom kriege": "on war", "vorleser": "reader",
        "vorlesungen zur einfuhrung in die psychoanalyse": "introductory lectures on psycho analysis", "voskresenie": "resurrection",
        "voyage au bout de la nuit": "journey to the end of the night", "wagahai wa neko de aru": "i am a cat",
        "wahlverwandtschaften": "elective affinities", "wahrheit und methode": "truth and method", "wand": "wall",
        "weg zuruck": "road back", "welt als wille und vorstellung": "world as will and representation",
        "welt von gestern": "world of yesterday", "wesen des christentums": "essence of christianity", "whale": "moby dick",
        "what do you do": "grownup", "what mrs mcgillicuddy saw": "4 50 from paddington", "what you will": "12th night",
        "where rainbows end": "love rosie", "wieza jaskolki": "tower of swallows",
        "wilhelm meisters lehrjahre": "wilhelm meisters apprenticeship", "wilhelm tell": "william tell",
        "wissenschaft der logik": "science of logic", "within a budding grove": "in the shadow of young girls in flower",
        "wizard of oz": "wonderful wizard of oz", "wolke": "fall out", "xi you ji": "journey to the west",
        "yama no oto": "sound of the mountain", "yeni hayat": "new life", "yi jing": "i ching",
        "yogisha x no kenshin": "devotion of suspect x", "you asked for it": "casino royale",
        "young doctors notebook": "country doctors notebook", "yukiguni": "snow country", "zapiski iz podpolia": "notes from underground",
        "zauberberg": "magic mountain", "zazie dans le metro": "zazie in the metro",
        "zeit zu leben und zeit zu sterben": "time to love and a time to die", "zert": "joke", "zhizn i sudba": "life and fate",
        "zivot je jinde": "life is elsewhere", "zomerhuis met zwembad": "summer house with swimming pool",
        "zukunft einer illusion": "future of an illusion", "zur genealogie der moral": "on the genealogy of morals",
        "zur kritik der politischen okonomie": "contribution to the critique of political economy",
        "zur psychopathologie des alltagslebens": "psychopathology of everyday life", "αγαμεμνων": "agamemnon", "αναβασις": "anabasis",
        "αντιγονη": "antigone", "απολογια σωκρατους": "apology", "βακχαι": "bacchae",
        "βιος και πολιτεια του αλεξη ζορμπα": "zorba the greek", "γοργιας": "gorgias", "εγχειριδιον": "enchiridion",
        "ηθικα νικομαχεια": "nicomachean ethics", "θεογονια": "theogony", "ιλιας": "iliad", "ιστοριαι": "histories",
        "λυσιστρατη": "lysistrata", "μηδεια": "medea", "νεφελαι": "clouds", "ο τελευταιος πειρασμος": "last temptation of christ",
        "ο χριστος ξανασταυρωνεται": "christ recrucified", "οδυσσεια": "odyssey", "οιδιπους τυραννος": "oedipus the king",
        "ορεστεια": "oresteia", "ποιητικη": "poetics", "πολιτεια": "republic", "πολιτικα": "politics", "συμποσιον": "symposium",
        "τα εις εαυτον": "meditations", "τα μετα τα φυσικα": "metaphysics", "τιμαιος": "timaeus", "τρωαδες": "trojan women",
        "φαιδρος": "phaedrus", "φαιδων": "phaedo", "анна каренина": "anna karenina", "архипелаг гулаг": "gulag archipelago",
        "бедные люди": "poor folk", "белая гвардия": "white guard", "белые ночи": "white nights",
        "братья карамазовы": "brothers karamazov", "в круге первом": "in the 1st circle", "вечныи муж": "eternal husband",
        "вишневыи сад": "cherry orchard", "воина и мир": "war and peace", "воина и миръ": "war and peace", "воскресение": "resurrection",
        "время секонд хэнд": "secondhand time", "дама с собачкои": "lady with the dog", "дар": "gift", "двенадцать стульев": "12 chairs",
        "двоиник": "double", "детство": "childhood", "дневнои дозор": "day watch", "доктор живаго": "doctor zhivago",
        "дядя ваня": "uncle vanya", "евгении онегин": "eugene onegin", "жизнь и судьба": "life and fate",
        "записки из мертвого дома": "house of the dead", "записки из подполья": "notes from underground",
        "записки юного врача": "country doctors notebook", "защита лужина": "luzhin defense", "игрок": "gambler", "исповедь": "confession",
        "казаки": "cossacks", "камера обскура": "laughter in the dark", "капитанская дочка": "captains daughter",
        "колымские рассказы": "kolyma tales", "котлован": "foundation pit", "креицерова соната": "kreutzer sonata", "лолита": "lolita",
        "мастер и маргарита": "master and margarita", "матренин двор": "matryonas house", "мать": "mother", "метро 2033": "metro 2033",
        "метро 2034": "metro 2034", "москва петушки": "moscow to the end of the line", "мы": "we", "на дне": "lower depths", "нос": "nose",
        "ночнои дозор": "night watch", "обитаемыи остров": "inhabited island", "обломов": "oblomov",
        "один день ивана денисовича": "1 day in the life of ivan denisovich", "отцы и дети": "fathers and sons",
        "отцы и дѣти": "fathers and sons", "отчаяние": "despair", "пикник на обочине": "roadside picnic",
        "повелитель мух": "lord of the flies", "подросток": "adolescent", "понедельник начинается в субботу": "monday begins on saturday",
        "приглашение на казнь": "invitation to a beheading", "раковыи корпус": "cancer ward", "ревизор": "government inspector",
        "роковые яица": "fatal eggs", "смерть ивана ильича": "death of ivan ilych", "сумеречныи дозор": "twilight watch",
        "театральныи роман": "black snow", "тихии дон": "and quiet flows the don", "три сестры": "3 sisters",
        "трудно быть богом": "hard to be a god", "у воины не женское лицо": "unwomanly face of war",
        "улитка на склоне": "snail on the slope", "униженные и оскорбленные": "humiliated and insulted", "хаджи мурат": "hadji murat",
        "чаика": "seagull", "чернобыльская молитва": "voices from chernobyl", "шинель": "overcoat",
        "אשה בורחת מבשורה": "to the end of the land", "קיצור תולדות האנושות": "sapiens", "ألف ليلة وليلة": "arabian nights",
        "أولاد حارتنا": "children of the alley", "الأجنحة المتكسرة": "broken wings", "القاهرة الجديدة": "cairo modern", "النبي": "prophet",
        "بنات الرياض": "girls of riyadh", "بوف کور": "blind owl", "بين القصرين": "palace walk", "رجال في الشمس": "men in the sun",
        "زقاق المدق": "midaq alley", "عمارة يعقوبيان": "yacoubian building", "موسم الهجرة إلى الشمال": "season of migration to the north",
        "कामसूत र": "kama sutra", "रामायण": "ramayana", "গীতাঞ জলি": "gitanjali", "いちきゅうはちよん": "1q84", "こころ": "kokoro", "こゝろ": "kokoro",
        "ねじまき鳥クロニクル": "wind up bird chronicle", "はだしのゲン": "barefoot gen", "アフターダーク": "after dark", "アンダーグラウンド": "underground",
        "キッチン": "kitchen", "コンビニ人間": "convenience store woman", "コーヒーが冷めないうちに": "before the coffee gets cold",
        "スプートニクの恋人": "sputnik sweetheart", "ダンス ダンス ダンス": "dance dance dance", "ノルウェイの森": "norwegian wood", "バトル ロワイアル": "battle royale",
        "リング": "ring", "三体": "3 body problem", "三国演义": "romance of the 3 kingdoms", "三國演義": "romance of the 3 kingdoms",
        "世界の終りとハードボイルド ワンダーランド": "hard boiled wonderland and the end of the world", "五輪書": "book of 5 rings",
        "人生がときめく片づけの魔法": "life changing magic of tidying up", "人間失格": "no longer human", "仮面の告白": "confessions of a mask",
        "千羽鶴": "1000 cranes", "午後の曳航": "sailor who fell from grace with the sea", "博士の愛した数式": "housekeeper and the professor",
        "古都": "old capital", "吾輩は猫である": "i am a cat", "告白": "confessions", "国境の南 太陽の西": "south of the border west of the sun",
        "坊っちゃん": "botchan", "奔馬": "runaway horses", "女のいない男たち": "men without women", "嫌われる勇気": "courage to be disliked",
        "孙子兵法": "art of war", "孫子兵法": "art of war", "容疑者xの献身": "devotion of suspect x", "密やかな結晶": "memory police",
        "平家物語": "tale of the heike", "庄子": "zhuangzi", "斜陽": "setting sun", "旅猫リポート": "travelling cat chronicles", "易經": "i ching",
        "易经": "i ching", "春の雪": "spring snow", "枕草子": "pillow book", "死神永生": "deaths end", "水浒传": "water margin", "水滸傳": "water margin",
        "沈黙": "silence", "活着": "to live", "海辺のカフカ": "kafka on the shore", "源氏物語": "tale of genji", "狼图腾": "wolf totem",
        "砂の女": "woman in the dunes", "神の子どもたちはみな踊る": "after the quake", "紅樓夢": "dream of the red chamber", "細雪": "makioka sisters",
        "红楼梦": "dream of the red chamber", "红高粱家族": "red sorghum", "羅生門": "rashomon", "羊をめぐる冒険": "wild sheep chase",
        "色彩を持たない多崎つくると 彼の巡礼の年": "colorless tsukuru tazaki and his years of pilgrimage", "葉隠": "hagakure", "西游记": "journey to the west",
        "西遊記": "journey to the west", "論語": "analects", "象の消滅": "elephant vanishes",
        "走ることについて語るときに僕の語ること": "what i talk about when i talk about running", "道德經": "tao te ching", "道德经": "tao te ching",
        "金閣寺": "temple of the golden pavilion", "鍵": "key", "阿q正传": "true story of ah q", "雪国": "snow country",
        "風の歌を聴け": "hear the wind sing", "風の谷のナウシカ": "nausicaa of the valley of the wind", "騎士団長殺し": "killing commendatore",
        "魔女の宅急便": "kikis delivery service", "黑暗森林": "dark forest", "마당을 나온 암탉": "hen who dreamed she could fly", "소년이 온다": "human acts",
        "엄마를 부탁해": "please look after mom", "채식주의자": "vegetarian"}'::jsonb;
end
$$;
comment on function enrichment.known_titles() is
'Famous books that are printed under several titles, because they were translated or renamed: the folded title (core_key) with the one it is best known by in English. Open Library names a work as it was first printed, a library by the edition at hand.';

create function enrichment.pen_names()
returns jsonb
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return
        '{"aaronwolfe": "dean koontz", "actonbell": "anne bronte", "aischylos": "aeschylus", "albertocaeiro": "fernando pessoa",
        "albertopincherle": "alberto moravia", "aleksandrpouchkine": "alexander pushkin", "alekseipeshkov": "maxim gorky",
        "alexanderpuschkin": "alexander pushkin", "alexeipeshkov": "maxim gorky", "alfredlordtennyson": "alfred tennyson",
        "alicemarynorton": "andre norton", "alicesheldon": "james tiptree", "alisarosenbaum": "ayn rand",
        "alvarodecampos": "fernando pessoa", "amandaquick": "jayne krentz", "amandinedupin": "george sand", "ambarnard": "louisa alcott",
        "andrewneiderman": "v andrews", "annagorenko": "anna akhmatova", "annerampling": "anne rice", "anroquelaure": "anne rice",
        "ansonmacdonald": "robert heinlein", "anthonyberkeleycox": "anthony berkeley",
        "antoinemarierogerdesaintexupery": "antoine exupery", "antoncechov": "anton chekhov", "antontschechow": "anton chekhov",
        "aristophane": "aristophanes", "aristote": "aristotle", "aristoteles": "aristotle", "augustineofhippo": "saint augustine",
        "aureliusaugustinus": "saint augustine", "barbaramertz": "elizabeth peters", "barbaramichaels": "elizabeth peters",
        "barbaravine": "ruth rendell", "barnabyross": "ellery queen", "baronessorczy": "emmuska orczy", "benjaminblack": "john banville",
        "bernardosoares": "fernando pessoa", "bhagwanshreerajneesh": "osho", "borisbugaev": "andrei bely", "briancoffey": "dean koontz",
        "brianonolan": "flann o brien", "bstandzinrgyamtsho": "dalai lama", "carlolorenzini": "carlo collodi",
        "carolineharvey": "joanna trollope", "carolyncherry": "c cherryh", "carolynkeene": "mildred benson", "carterdickson": "john carr",
        "catherinemarchant": "catherine cookson", "cecilyisabelfairfield": "rebecca west", "charlesdodgson": "lewis carroll",
        "charleslutwidgedodgson": "lewis carroll", "chloewofford": "toni morrison", "christophermurraygrieve": "hugh macdiarmid",
        "cicilyfairfield": "rebecca west", "clairemorgan": "patricia highsmith", "clivehamilton": "c lewis",
        "cordwainersmith": "paul linebarger", "countesskarenblixen": "karen blixen", "currerbell": "charlotte bronte",
        "danielabraham": "james corey", "dankavanagh": "julian barnes", "davidaxton": "dean koontz", "davidcornwell": "john le carre",
        "deannadwyer": "dean koontz", "denyswatkinspitchford": "b b", "dominiqueaury": "anne desclos",
        "donatienalphonsefrancoisdesade": "marquis sade", "dorasaint": "miss read", "dorothykathleenbroster": "d broster",
        "edgarbox": "gore vidal", "edithvandyne": "l baum", "edmcbain": "evan hunter", "eduarddouwesdekker": "multatuli",
        "eleanorhibbert": "victoria holt", "elhajjmalikelshabazz": "malcolm x", "elizabethmackintosh": "josephine tey",
        "ellisbell": "emily bronte", "ellispeters": "edith pargeter", "emileajar": "romain gary", "ericarthurblair": "george orwell",
        "ericblair": "george orwell", "erichpaulremark": "erich remarque", "erikaleonard": "e james", "erikamitchell": "e james",
        "erinstclaire": "sandra brown", "eschyle": "aeschylus", "ettoreschmitz": "italo svevo", "euripide": "euripides",
        "fordmadoxhueffer": "ford ford", "francisiles": "anthony berkeley", "francoisequoirez": "francoise sagan",
        "francoismariearouet": "voltaire", "francoisrenedechateaubriand": "francois chateaubriand", "franklinwdixon": "leslie mcfarlane",
        "friedrichvonhardenberg": "novalis", "gaiusjuliuscaesar": "julius caesar", "georgegordonbyron": "george byron",
        "georgesremi": "herge", "gerardlabrunie": "gerard nerval", "gloriawatkins": "bell hooks", "gordondaviot": "josephine tey",
        "guanmoye": "mo yan", "hafiz": "hafez", "hammondinnes": "ralph hammond innes", "hannahgreen": "joanne greenberg",
        "harrypatterson": "jack higgins", "hectorhughmunro": "saki", "helenlyndongoff": "p travers", "herodote": "herodotus",
        "herodotos": "herodotus", "hhmunro": "saki", "hildadoolittle": "h d", "homere": "homer", "homeros": "homer",
        "howardallenobrien": "anne rice", "ibnrushd": "averroes", "ibnsina": "avicenna", "isakdinesen": "karen blixen",
        "isidoreducasse": "comte lautreamont", "iwanturgenjew": "ivan turgenev", "jackharvey": "ian rankin",
        "jacquesanatolethibault": "anatole france", "jalalaldinrumi": "rumi", "jamesgrant": "lee child", "jamesherriot": "alfred wight",
        "jameslesliemitchell": "lewis gibbon", "jamesoliverrigney": "robert jordan", "janesomers": "doris lessing",
        "jaynebentley": "jayne krentz", "jaynecastle": "jayne krentz", "jdrobb": "nora roberts", "jeanbaptistepoquelin": "moliere",
        "jeanpaulrichter": "jean paul", "jeanplaidy": "victoria holt", "jefferyhudson": "michael crichton", "jennycarroll": "meg cabot",
        "jessicabird": "jr ward", "jimstewart": "michael innes", "johnbeynon": "john wyndham", "johnbeynonharris": "john wyndham",
        "johncamp": "john sandford", "johndicksoncarr": "john carr", "johninnesmackintoshstewart": "michael innes",
        "johnlange": "michael crichton", "johnofthecross": "john cross", "jorgemariobergoglio": "pope francis",
        "josephratzinger": "pope benedict", "jozefkorzeniowski": "joseph conrad", "jozefteodorkonradkorzeniowski": "joseph conrad",
        "juandelacruz": "john cross", "judithrumelt": "cassandra clare", "juliepottinger": "julia quinn", "karolwojtyla": "pope paul",
        "kennethmillar": "ross macdonald", "kennilworthywhisp": "joanne rowling", "kevinmcfadden": "christopher pike",
        "kilgoretrout": "philip farmer", "kimitakehiraoka": "yukio mishima", "kinleymacgregor": "sherrilyn kenyon", "kjparker": "tom holt",
        "kongfuzi": "confucius", "kongzi": "confucius", "krdwyer": "dean koontz", "ladyaugustagregory": "lady gregory",
        "laotse": "lao tzu", "laotsu": "lao tzu", "laozi": "lao tzu", "lauraleehope": "edward stratemeyer", "leighnichols": "dean koontz",
        "lemonysnicket": "daniel handler", "levbronstein": "leon trotsky", "levtrotsky": "leon trotsky", "lewispadgett": "henry kuttner",
        "lfrankbaum": "l baum", "lordbyron": "george byron", "lorddunsany": "edward plunkett", "louischa": "jin yong",
        "louisferdinanddestouches": "louis celine", "lucilagodoy": "gabriela mistral", "madeleinewickham": "sophie kinsella",
        "mahatmagandhi": "mohandas gandhi", "maksimgorki": "maxim gorky", "malcolmlittle": "malcolm x", "maotsetung": "mao zedong",
        "marcaurele": "marcus aurelius", "margaretastridlindholmogden": "robin hobb", "margueritedecrayencour": "marguerite yourcenar",
        "margueritedonnadieu": "marguerite duras", "marianevans": "george eliot", "mariehenribeyle": "stendhal",
        "marionchesney": "m beaton", "marionmcchesney": "m beaton", "maryannevans": "george eliot", "marybly": "eloisa james",
        "marychallans": "mary renault", "marywestmacott": "agatha christie", "meganlindholm": "robin hobb",
        "michailbulgakow": "mikhail bulgakov", "mikhailbulgakow": "mikhail bulgakov", "mildredwirt": "mildred benson",
        "miragrant": "seanan mcguire", "mlnhanover": "daniel abraham", "moebius": "jean giraud", "mylesnagcopaleen": "flann o brien",
        "natsumekinnosuke": "natsume soseki", "neftalireyes": "pablo neruda", "nevilshutenorway": "nevil shute",
        "newtscamander": "joanne rowling", "nicholasblake": "cecil lewis", "nwclerk": "c lewis", "omero": "homer", "ovide": "ovid",
        "owenwest": "dean koontz", "patriciacabot": "meg cabot", "paulfrench": "isaac asimov", "paulinereage": "anne desclos",
        "peterwarlock": "philip heseltine", "philippacarr": "victoria holt", "pierreandrezel": "karen blixen", "platon": "plato",
        "platone": "plato", "popebenedictxvi": "pope benedict", "popejohnpaulii": "pope paul", "publiusovidiusnaso": "ovid",
        "publiusvergiliusmaro": "virgil", "qpatrick": "patrick quentin", "quintushoratiusflaccus": "horace",
        "raccoonasheldon": "james tiptree", "rachelryan": "sandra brown", "raphaelsimon": "pseudonymous bosch",
        "renebrabazonraymond": "james chase", "ricardoreis": "fernando pessoa", "richardbachman": "stephen king",
        "richardstark": "donald westlake", "richmalcromptonlamburn": "richmal crompton", "robertgalbraith": "joanne rowling",
        "rodneywhitaker": "trevanian", "romankacew": "romain gary", "rosamondsmith": "joyce oates", "rudolfditzen": "hans fallada",
        "saintaugustineofhippo": "saint augustine", "salvatorelombino": "evan hunter", "samuelclemens": "mark twain",
        "samuellanghorneclemens": "mark twain", "samuelyoud": "john christopher", "shalomrabinovitz": "sholem aleichem",
        "shannondrake": "heather graham", "sharonlong": "maya banks", "shmuelyosefczaczkes": "s agnon",
        "sholomaleichem": "sholem aleichem", "shujitsushima": "osamu dazai", "sidoniegabriellecolette": "colette", "sofocles": "sophocles",
        "sophokles": "sophocles", "stanleylieber": "stan lee", "staugustine": "saint augustine", "stephaniejames": "jayne krentz",
        "sunzi": "sun tzu", "tenzingyatso": "dalai lama", "teresadejesus": "teresa avila", "teresaofavila": "teresa avila",
        "theodorgeisel": "seuss", "theodorseussgeisel": "seuss", "theolesieg": "seuss", "thukydides": "thucydides", "tituslivius": "livy",
        "tuckercoe": "donald westlake", "tyfranck": "james corey", "vergil": "virgil", "victorappleton": "edward stratemeyer",
        "victorialucas": "sylvia plath", "virgile": "virgil", "vladimirilichulyanov": "vladimir lenin",
        "wilhelmapollinarisdekostrowitzky": "guillaume apollinaire", "williamarden": "michael collins",
        "williamhenrygileskingston": "w kingston", "williamlee": "william burroughs", "williamsydneyporter": "o henry",
        "zhoushuren": "lu xun", "zhuangzi": "chuang tzu"}'::jsonb;
end
$$;
comment on function enrichment.pen_names() is
'Pen names anyone can look up, folded and without spaces, each with the name its bearer is known by: both names of one person then share a key.';

-- 20_text/titles

-- A title taken apart: main title, subtitle, series, volume, and the words that say it is another book (a study guide, a trilogy). Every
-- part is folded, so that scoring (25_matching) compares keys only. parse_title is the door; the rest are its steps, in order.

create type enrichment.title_parts as (
    full_key text,       -- the whole title with its subtitle, without what stands in brackets
    main_key text,       -- the title before its subtitle
    series_number text,  -- 3, 0.5 or 1-3, from "(The Hunger Games, #3)" or "Vol. 3"
    core_key text,       -- main title and subtitle, without edition, kind of book and series
    subtitle_key text,   -- empty where none
    series_key text,     -- the series' name
    volume text,         -- the number that is part of this very title: "Batman: Hush, Vol. 2"
    derivative text,     -- "study guide", "graphic novel": the words that say it is not the book itself
    omnibus text,        -- "trilogy", "and other stories": the words that say it is several books
    numbers text [],     -- every number in core_key
    forms text [],       -- the keys under which it may be printed too
    words text [],       -- its telling words, sorted
    known_as text        -- core_key of the title it is best known by, where it is printed under another
);
comment on type enrichment.title_parts is
'A title taken apart for comparison by parse_title(): every part folded, null or empty where the title has none.';

create function enrichment.bare_title(folded text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    first_word text := split_part(bare_title.folded, ' ', 1);
begin
    return case
        when first_word <> bare_title.folded and first_word = any(
            '{the,a,an,le,la,les,l,un,une,el,los,las,lo,il,gli,una,uno,der,die,das,ein,eine,de,het,een,den,det,os,as,o,um,uma}'::text[]
        ) then substr(bare_title.folded, length(first_word) + 2)
        else bare_title.folded
    end;
end
$$;
comment on function enrichment.bare_title(text) is
'A folded title without its leading article, in nine languages; a title that is only an article keeps it.';

create function enrichment.title_words(folded text)
returns text[]
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    glossary jsonb := enrichment.title_glossary();
    words text[] := string_to_array(title_words.folded, ' ');
    english text;
begin
    if glossary ?| words then
        select string_agg(coalesce(glossary ->> word, word), ' ' order by place) into english from unnest(words) with ordinality as u (word, place);
        words := string_to_array(enrichment.fold_numbers(english), ' ');
    end if;
    words := array(
        select word collate "C"
        from unnest(words) as word
        where word <> all('{the,a,an,of,on,in,to,and,for,with,by,from,at,de,la,le,les,l,d,du,des,au,aux,en,el,los,las,lo,del,un,une,una,ein,eine,
        y,et,und,der,die,das,den,im,von,zum,zur,il,gli,di,della,dell,delle,dello,do,da,dos,og,и,в}'::text[])
        order by 1
    );
    return case when cardinality(words) = 0 then string_to_array(title_words.folded, ' ') else words end;
end
$$;
comment on function enrichment.title_words(text) is
'The telling words of a folded title, sorted: without articles and prepositions, everyday words of other languages in English.';

create function enrichment.read_volume(folded text)
returns text[]
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    if translate(read_volume.folded, '0123456789', '') = read_volume.folded then
        return null;
    end if;
    return coalesce(
        regexp_match(
            read_volume.folded,
            '^(?:(.*) )?(?:no|number|vols?|volumes?|books?|bks?|parts?|pt|band|tome|tomo|teil|issues?|episode)(?: the)? '
            '0*([0-9]+(?:p[0-9]+)?(?: to [0-9]+(?:p[0-9]+)?)?)(?: (.*))?$'
        ),
        regexp_match(read_volume.folded, '^(?:(.*) )?([0-9]+)(?:st|nd|rd|th) (?:part|book|volume)(?: (.*))?$')
    );
end
$$;
comment on function enrichment.read_volume(text) is
'What stands before the number, the number, and what stands after it: "discworld book 4" is {discworld,4,null}. Null where no volume is named. 0p5 is 0.5, "1 to 3" a range.';

create function enrichment.split_title(bare text, folded text)
returns text[]
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    pieces text[];
    piece text;
    segments text[] := '{}'::text[];
begin
    if split_title.bare ilike any('{%:%,%;%,%-%,%–%,%—%,%. %,%! %,%? %,% or%,%\, a%}') then
        pieces := regexp_split_to_array(
            split_title.bare,
            '\s*:+\s+|\s+[:–—-]+\s+|;\s+|(?:(?<=\w{4})\.|[!?]) +(?=[[:alpha:]])|,? or, (?:the )?|, or |, an? ', 'i'
        );
    end if;
    foreach piece in array coalesce(pieces, array[split_title.folded]) loop
        if pieces is not null then
            piece := enrichment.fold_numbers(enrichment.fold_text(piece));
        end if;
        if piece like any('{%edition,%unabridged,%revised,%expanded,%updated,%illustrated,% the,% les,%stories of %,%poems of %,%poetry of %,
            %works of %,%tales of %,%plays of %,%essays of %,%writings of %,%stories by %,%poems by %,%works by %,%plays by %,%essays by %}')
        then
            piece := regexp_replace(
                piece,
                '(?:(?:^| )(?:and|[0-9]+(?:st|nd|rd|th)|revised|updated|expanded|illustrated|annotated|deluxe|special|premium|anniversary'
                '|collectors|new))*(?:^| )(?:edition|unabridged|revised|expanded|updated|illustrated)$| (?:the|les)$'
                '|(?<=(?:selected|collected|complete|other|short) (?:stories|poems|poetry|works|tales|plays|essays|writings))'
                ' (?:of|by) .*$',
                ''
            );
        end if;
        if piece <> '' then
            segments := segments || piece;
        end if;
    end loop;
    return segments;
end
$$;
comment on function enrichment.split_title(text, text) is
'A title''s segments, folded (most titles have one, which the caller has folded): cut at a colon, dash, semicolon, ", or" and ", a", and where a sentence ends (a word of four letters before the full stop: Mr. and Dr. are none). The edition at the end of one goes, so do an article put last ("Hobbit, The") and whose stories or poems they are.';

create function enrichment.is_weak_subtitle(segment text)
returns boolean
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return is_weak_subtitle.segment ~ (
        '^(?:an? |the )?(?:[a-z0-9]+ ){0,5}(?:novel|novella|memoir|thriller|mystery|romance|fable|edition|unabridged|classics?|paperback'
        '|hardcover)$|^(?:short )?(?:stories|poems|essays)$|^(?:a )?(?:true )?(?:story|tale)$|^(?:a )?novel '
        '|^(?:ein )?(?:kriminal)?roman$|^(?:novela|romanzo)$'
    );
end
$$;
comment on function enrichment.is_weak_subtitle(text) is
'Whether a subtitle only says what kind of book or edition it is: "a novel", "a Miss Marple mystery", "deluxe edition".';

create function enrichment.derivative_mark(folded text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    if string_to_array(derivative_mark.folded, ' ') && '{summary,guide,sparknotes,spark,cliffsnotes,cliffs,york,lesson,lessons,companion,
        workbook,work,graphic,manga,play,adaptation,adapted,screenplay,script,novelization,novelisation,storybook,coloring,colouring,
        critical,analysis,notes,making,readers,bookworms,level,golden,trivia,quiz,poster,sticker,calendar,journal,soundtrack,dramatized,
        dramatised,retold}'::text[]
    then
        return substring(
            concat(' ', derivative_mark.folded, ' ') from
            ' (summary|study guide|sparknotes|spark notes|cliffs ?notes|york notes|readers guide|reading guide|teachers guide'
            '|teaching guide|guide for|strategy guide|official [a-z ]*guide|lessons? plans?|companion|workbook|work book'
            '|graphic novel|graphic adaptation|manga|the play|a play|stage adaptation'
            '|adaptation|adapted|screenplay|shooting script|novelization|novelisation|storybook'
            '|colou?ring book|critical essays|analysis of|notes on|the making of|penguin readers|bookworms|level [0-9]+|little golden book'
            '|trivia|quiz|poster book|sticker book|calendar|journal|soundtrack|dramati[sz]ed|retold) '
        );
    end if;
    return null;
end
$$;
comment on function enrichment.derivative_mark(text) is
'The words that make it a book about the book, or the book in another form: "study guide", "graphic novel", "screenplay". Null where none.';

create function enrichment.omnibus_mark(folded text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    if string_to_array(omnibus_mark.folded, ' ') && '{trilogy,omnibus,compendium,deluxe,box,boxed,boxset,bundle,duology,tetralogy,quartet,quintet,anthology,
        complete,collected,other,selected,books,bks,volumes,vols}'::text[] or omnibus_mark.folded like '% in 1%'
    then
        return substring(
            concat(' ', omnibus_mark.folded, ' ') from
            ' (trilogy|omnibus|compendium|deluxe edition book|box set|boxed|boxset|bundle|duology|tetralogy|quartet|quintet|anthology'
            '|complete (?:novels|works|series|collection|saga|trilogy|stories|set|short|poems|plays)|collected (?:works|novels)'
            '|[0-9]+ complete novels|[0-9]+ (?:books )?in 1|(?:and|with) (?:other|selected) [a-z ]+'
            '|(?:books|bks|volumes|vols) [0-9]+ (?:to|and) [0-9]+) '
        );
    end if;
    return null;
end
$$;
comment on function enrichment.omnibus_mark(text) is
'The words that make it several books in one: "trilogy", "box set", "and other stories", "books 1 to 3", a comic''s "deluxe edition book 1". Null where none.';

create function enrichment.read_remarks(remarks text[])
returns text[]
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    remark text;
    folded text;
    volume text[];
    series text[] := array[null, null, null];
    rest text;
begin
    foreach remark in array string_to_array(array_to_string(read_remarks.remarks, ';'), ';') loop
        if remark like '%.%' then
            remark := regexp_replace(remark, '([0-9])\.([0-9])', '\1p\2', 'g');
        end if;
        folded := enrichment.fold_numbers(enrichment.fold_text(remark));
        volume := coalesce(enrichment.read_volume(folded), regexp_match(folded, '^(.+) ([0-9]{1,2}(?: to [0-9]{1,2})?)$'));
        if volume is null then
            rest := concat_ws(' ', rest, case when remark like '% / %' then 'omnibus' end, folded);
        elsif series[2] is null then
            series := array[
                enrichment.bare_title(coalesce(volume[1], case when volume[3] like any('{of %,in %}') then substr(volume[3], 4) end, volume[3], '')),
                replace(replace(volume[2], ' to ', '-'), 'p', '.'),
                case when remark like '%: %'
                    then (enrichment.read_volume(enrichment.fold_numbers(enrichment.fold_text(split_part(remark, ': ', -1)))))[1]
                end
            ];
        end if;
    end loop;
    return series || rest;
end
$$;
comment on function enrichment.read_remarks(text[]) is
'What a title''s brackets say: {series, number, last part of a series'' name with a colon, everything else}. The first series named counts.';

create function enrichment.place_segments(parts enrichment.title_parts, segments text[])
returns enrichment.title_parts
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    segment text;
    volume text[];
    volume_of text;
    kept text[] := '{}'::text[];
begin
    foreach segment in array place_segments.segments loop
        volume := enrichment.read_volume(segment);
        if cardinality(kept) = 0 then
            if volume[1] is not null and volume[3] is null then
                volume_of := enrichment.bare_title(volume[1]);
                parts.series_key := coalesce(parts.series_key, volume_of);
                parts.volume := replace(volume[2], ' to ', '-');
            end if;
        elsif volume is not null and (volume[1] is null or volume[3] is null) then
            if volume[3] is null and (
                volume[2] like '% to %' or not segment like any('{%no %,%number %}') and (volume[1] is not null or segment not like '%book%')
            ) then
                parts.volume := replace(volume[2], ' to ', '-');
            end if;
            if volume[1] is null and volume[3] like 'of %' then
                parts.series_key := coalesce(parts.series_key, enrichment.bare_title(substr(volume[3], 4)));
            end if;
            segment := case when volume[3] like 'of %' or volume[3] like 'in %' then '' else coalesce(volume[1], volume[3], '') end;
        end if;
        parts.series_number := coalesce(parts.series_number, case when volume[1] is null or volume[3] is null then replace(volume[2], ' to ', '-') end);
        if cardinality(kept) > 0 and enrichment.is_weak_subtitle(segment) then
            segment := '';
        end if;
        if segment <> '' then
            if cardinality(kept) > 0 and volume is null then
                parts.volume := null;
            end if;
            kept := kept || segment;
        end if;
    end loop;
    if volume_of is not null then
        kept := case when cardinality(kept) > 1 then kept[2:] else array[volume_of] end;
    end if;

    parts.core_key := coalesce(nullif(enrichment.bare_title(array_to_string(kept, ' ')), ''), parts.full_key);
    parts.main_key := coalesce(enrichment.bare_title(kept[1]), parts.full_key);
    parts.subtitle_key := array_to_string(kept[2:], ' ');
    return parts;
end
$$;
comment on function enrichment.place_segments(enrichment.title_parts, text[]) is
'Gives each segment of a title its place. A first segment that ends in a number is a series when a title follows ("Fables, Vol. 8: Wolves"), a volume when none does; a segment that only says which book of a series it is, or what kind of book, is no subtitle.';

create function enrichment.series_forms(parts enrichment.title_parts, series_tail text)
returns text[]
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    forms text[] := array[parts.core_key, parts.main_key];
    prefix text;
begin
    foreach prefix in array array[parts.series_key, series_forms.series_tail] loop
        if prefix <> parts.main_key then
            forms := forms || (prefix || ' ' || parts.core_key) || (prefix || ' ' || parts.main_key);
        end if;
    end loop;
    if parts.subtitle_key like '% %' and not string_to_array(parts.subtitle_key, ' ') && '{stories,story,poems,novels,essays,memoir,
        history,life,guide,letters,collection,works,tales,and,or,plays,biography,introduction,novel,edition,writings}'::text[]
    then
        forms := forms || enrichment.bare_title(parts.subtitle_key);
    end if;
    if split_part(parts.core_key, ' or ', 2) like '% % %' then
        forms := forms || split_part(parts.core_key, ' or ', 1);
    end if;
    if parts.core_key like any(
        '{%adventures of %,avent%,avvent%,%tragedy of %,comedy of %,%strange case of %,%opinions of %,%history of %,king %}'
    ) then
        forms := forms || regexp_replace(
            parts.core_key,
            '^(?:(?:[a-z]+ ){0,4}(?:adventures|tragedy|strange case|opinions) of|avv?entur(?:es?|as) d[ei]|comedy of'
            '|(?:tragical|personal) history of)(?: the)?(?: king)? '
            '|^king (?=[a-z]+ [0-9])', ''
        );
    end if;
    return forms;
end
$$;
comment on function enrichment.series_forms(enrichment.title_parts, text) is
'The folded ways the same title may be printed: without its subtitle or its second title ("or There and Back Again"), behind its series'' name, without the franchise before the colon ("Doctor Who: The Day of the Comet") unless what is left is a common phrase, or without an opening like "The Adventures of".';

create function enrichment.parse_title(title text, subtitle text default null)
returns enrichment.title_parts
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    bracket constant text := '\s[(\[]([^][()]*)[)\]](?=\s*(?:[:;,.]|$|[(\[]))';
    whole text := replace(replace(concat_ws(': ', parse_title.title, nullif(parse_title.subtitle, '')), '：', ': '), '#', ' no ');
    bare text;
    series text[] := array[null, null, null, null];
    folded text;
    known_titles jsonb := enrichment.known_titles();
    parts enrichment.title_parts;
begin
    if whole ~ '[0-9][,–—-]\s?[n0-9]' then
        whole := regexp_replace(whole, '([0-9]),([0-9]{3})\M', '\1\2', 'g');
        whole := regexp_replace(whole, '([0-9])\s?[–—-]\s?(?:no )?([0-9])', '\1 to \2', 'g');
    end if;
    if whole like any('{%l''%,%L''%,%d''%,%D''%,%l’%,%L’%,%d’%,%D’%}') then
        whole := regexp_replace(whole, '\m([ldLD])[''’](?=\w)', '\1 ', 'g');
    end if;
    bare := whole;
    if whole like any('{% (%,% [%}') then
        series := enrichment.read_remarks(array(select hit[1] from regexp_matches(whole, bracket, 'g') as hit));
        bare := regexp_replace(whole, bracket, '', 'g');
    end if;

    folded := enrichment.fold_text(bare);
    parts.full_key := enrichment.bare_title(folded);
    parts.series_key := nullif(series[1], '');
    parts.series_number := series[2];
    folded := enrichment.fold_numbers(folded);
    parts.derivative := enrichment.derivative_mark(concat_ws(' ', folded, series[4], series[1]));
    parts.omnibus := enrichment.omnibus_mark(concat_ws(' ', folded, series[4]));
    if parts.full_key = '' then
        parts.full_key := enrichment.fold_text(whole);
        bare := whole;
        folded := enrichment.fold_numbers(parts.full_key);
    elsif parts.derivative is not null or parts.omnibus is not null then
        parts.full_key := concat_ws(' ', parts.full_key, series[4]);
    end if;

    parts := enrichment.place_segments(parts, enrichment.split_title(bare, folded));
    if parts.omnibus is null then
        parts.omnibus := case
            when parts.subtitle_key = 'and' or parts.subtitle_key like 'and %' then 'and'
            when bare like '%: % / % / %' then '/'
        end;
    end if;
    -- A book that bears its series' name is the first of it; with another number it is a volume.
    if parts.series_key = parts.core_key and parts.series_number <> '1' then
        parts.volume := coalesce(parts.volume, parts.series_number);
    end if;
    -- "#5, Part 1" is half of the fifth book.
    if whole ilike any('{% no %\, part %,% no %: part %}') then
        parts.volume := coalesce(parts.volume, substring(lower(whole) from ' no [0-9]+[,:] part ([0-9]+)'));
    end if;
    if translate(parts.core_key, '0123456789', '') <> parts.core_key then
        parts.numbers := array(
            select word from unnest(string_to_array(parts.core_key, ' ')) as word where left(word, 1) between '0' and '9' order by 1
        );
    end if;
    parts.forms := enrichment.series_forms(parts, series[3])
        || case when parts.volume is null then enrichment.bare_title(folded) else parts.core_key || ' ' || parts.volume end;
    if series[4] is not null then
        parts.forms := parts.forms || (series[4] || ' ' || parts.core_key);
    end if;
    parts.known_as := coalesce(known_titles ->> parts.core_key, known_titles ->> parts.main_key);
    parts.words := enrichment.title_words(parts.core_key);
    return parts;
end
$$;
comment on function enrichment.parse_title(text, text) is
'Splits "Mockingjay (The Hunger Games, #3)" into folded title, main title, subtitle, series and number, volume, marks of a derivative work or an omnibus, and the forms under which it may also be printed.';

-- 20_text/values

-- Single values as files and providers spell them, turned into what our columns hold: years, dates, languages, bindings; null where none.

create function enrichment.year_of(value text)
returns integer
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return nullif(substring(year_of.value from '(?:^|[^0-9])(1[0-9]{3}|20[0-9]{2})(?:$|[^0-9])'), '')::integer;
end
$$;
comment on function enrichment.year_of(text) is 'The first year from 1000 to 2099 in a date of any form.';

create function enrichment.date_of(value text)
returns date
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    found_year integer := enrichment.year_of(date_of.value);
    iso text[] := regexp_match(date_of.value, '^\s*[0-9]{4}-([0-9]{1,2})(?:-([0-9]{1,2})(?![0-9]))?');
    month_name text := case when iso is null then lower(substring(date_of.value from '(?i)\m(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)')) end;
    found_month integer := coalesce(
        iso[1]::integer,
        array_position(array['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'], month_name), 1
    );
    found_day integer := coalesce(
        iso[2]::integer,
        case when month_name is not null then substring(date_of.value from '(?:^|[^0-9])([0-9]{1,2})(?:$|[^0-9])')::integer end, 1
    );
begin
    if found_year is null or found_month not between 1 and 12 then
        return make_date(found_year, 1, 1);
    end if;
    return make_date(
        found_year, found_month,
        case when found_day between 1 and extract(day from make_date(found_year, found_month, 1) + interval '1 month - 1 day')
            then found_day else 1 end
    );
end
$$;
comment on function enrichment.date_of(text) is
'A publication date from ISO, "June 12, 1997", "12 Jun 1997", "June 1997" or a year alone; what the text leaves open is 1 (the host''s column is a date).';

create function enrichment.language_of(value text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    code text := lower(substring(language_of.value from '^(?:/languages/)?([A-Za-z]{2,3})(?:[-_][A-Za-z0-9]+)*$'));
begin
    return coalesce(
        ('{"en": "eng", "fr": "fre", "de": "ger", "es": "spa", "it": "ita", "nl": "dut", "pt": "por", "ru": "rus", "ja": "jpn", "zh": "chi",
           "sv": "swe", "da": "dan", "no": "nor", "nb": "nor", "fi": "fin", "pl": "pol", "cs": "cze", "el": "gre", "tr": "tur", "ar": "ara",
           "he": "heb", "hu": "hun", "ro": "rum", "ko": "kor", "la": "lat", "uk": "ukr", "ca": "cat",
           "fra": "fre", "deu": "ger", "nld": "dut", "zho": "chi", "ces": "cze", "ell": "gre", "ron": "rum"}'::jsonb) ->> code,
        case when length(code) = 3 then code end
    );
end
$$;
comment on function enrichment.language_of(text) is
'One three-letter MARC code for "/languages/eng", "eng", "en" or "en-GB", so that the providers'' codes can be compared; null where unknown.';

create function enrichment.format_of(value text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return case
        when format_of.value ilike any(array['%audio%', '%mp3%', '%cassette%']) then 'audiobook'
        when format_of.value ilike any(array['%ebook%', '%e-book%', '%kindle%', '%epub%', '%pdf%', '%digital%', '%electronic%']) then 'ebook'
        when format_of.value ilike any(array['%hard%', '%cloth%', '%library binding%']) then 'hardcover'
        when format_of.value ilike any(array['%paper%', '%soft%', '%mass market%']) then 'paperback'
    end;
end
$$;
comment on function enrichment.format_of(text) is
'audiobook, ebook, hardcover or paperback for what providers and readers write, so that formats can be compared; null where it says none of them.';

-- 25_matching/batch

-- Scoring for many rows at once: every candidate that the cache holds for them, from parsed forms, rejected ones left out.
-- Before: 35_cache parsed the replies. After: rivals chooses among what is scored here.

create type enrichment.scored_book as (
    queue_id uuid, provider text, work_key text, title text, authors text, source_record jsonb,
    title_parts enrichment.title_parts, author_parts enrichment.author_parts,
    title_score integer, author_score integer, isbn_score integer, confidence enrichment.confidence, rejection text,
    place integer, place_at_provider integer, is_contested boolean, is_rival boolean, agreement text [], "values" jsonb
);
comment on type enrichment.scored_book is
'A provider''s book weighed against a queue row''s work: score parts, tier, place, and what it could fill. place_at_provider: its place among those of its provider that are one book with the best. is_contested: the row''s best has rivals, this may be one. agreement: who knows the best. rejection: dismissed, passed_over or null.';

create function enrichment.merge_values(objects jsonb[])
returns jsonb
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    -- One, or one and its echo: no need to take them apart.
    if merge_values.objects[1] = all(merge_values.objects) then
        return merge_values.objects[1];
    end if;
    return (
        select jsonb_object_agg(v.key, v.value order by o.place)
        from unnest(merge_values.objects) with ordinality as o (value, place)
        cross join lateral jsonb_each(o.value) as v
    );
end
$$;
comment on function enrichment.merge_values(jsonb[]) is 'Objects laid over each other; where a key comes twice the later one stays. Null for no object.';

create function enrichment.score_candidates(queue_ids uuid[], with_rejected boolean default false)
returns setof enrichment.scored_book
language sql stable set search_path = ''
as $$
    with wanted as materialized (
        select
            q.id, q.work_id, w.title_parts, w.author_parts, e.isbn13, e.isbn10, enrichment.language_of(e.language) as language,
            enrichment.format_of(e.format) as format, enrichment.isbn_key(coalesce(nullif(e.isbn13, ''), e.isbn10)) as isbn,
            array[enrichment.isbn_key(e.isbn13), enrichment.isbn_key(e.isbn10)] as isbns,
            (
                select array_agg(split_part(x.provider_id, '/', -1))
                from public.work_authors as wa
                join public.external_ids as x on x.entity_type = 'author' and x.entity_id = wa.author_id
                where wa.work_id = q.work_id
            ) as author_ids
        from public.enrichment_queue as q
        join enrichment.parsed_works as w on w.work_id = q.work_id
        left join public.editions as e on e.id = q.edition_id
        where q.id = any(score_candidates.queue_ids)
    ),

    -- Materialized: each score is computed once per pair, not once per mention. An author whose key is equal is ours, under any name.
    pairs as materialized (
        select
            r.id, c.provider, c.work_key, c.title, c.author_names, c.work_values, c.edition_values, r.isbn, c.title_parts,
            case when r.author_ids && c.author_ids then r.author_parts else c.author_parts end as author_parts,
            jsonb_build_object('entity_type', c.entity_type, 'provider_id', c.provider_id) as source_record,
            case when j.is_dismissed then 'dismissed' when not j.is_dismissed then 'passed_over' end as rejection,
            enrichment.title_score(r.title_parts, c.title_parts) as title_score,
            case when r.author_ids && c.author_ids then 3 else enrichment.author_score(r.author_parts, c.author_parts) end as author_score,
            case when r.isbns && c.isbns then enrichment.isbn_score(r.isbn13, r.isbn10, c.isbns) else 0 end as isbn_score,
            r.isbn = any(c.isbns)
            and coalesce(r.language <> c.edition_values ->> 'edition.language', false) is false
            and coalesce(r.format <> enrichment.format_of(c.edition_values ->> 'edition.format'), false) is false as is_same_edition
        from wanted as r
        join enrichment.queue_records as x on x.queue_id = r.id
        join enrichment.candidates as c
            on c.provider = x.provider and c.entity_type = x.entity_type and c.provider_id = x.provider_id
        left join enrichment.rejected_candidates as j
            on j.work_id = r.work_id and j.provider = c.provider and j.candidate_key = c.work_key
        where j.work_id is null or score_candidates.with_rejected
    ),

    books as (
        select
            p.id, p.provider, p.work_key, p.rejection,
            (array_agg(p.title order by p.title_score desc))[1] as title,
            (array_agg(array_to_string(p.author_names, ', ') order by p.author_score desc nulls last))[1] as authors,
            (array_agg(p.source_record order by p.is_same_edition desc nulls last, p.title_score desc))[1] as source_record,
            (array_agg(p.title_parts order by p.title_score desc))[1] as title_parts,
            (array_agg(p.author_parts order by p.author_score desc nulls last))[1] as author_parts,
            max(p.title_score) as title_score, max(p.author_score) as author_score, max(p.isbn_score) as isbn_score,
            coalesce(enrichment.merge_values(array_agg(p.work_values order by p.is_same_edition nulls first, p.title_score)), '{}')
            || coalesce(
                enrichment.merge_values(
                    array_agg(
                        p.edition_values || jsonb_build_object(
                            'edition.isbn13', p.isbn,
                            'edition.isbn10', case when p.isbn like '978%' then enrichment.isbn10_of(substr(p.isbn, 4, 9)) end
                        )
                    ) filter (where p.is_same_edition)
                ), '{}'
            ) as "values"
        from pairs as p
        group by p.id, p.provider, p.work_key, p.rejection
    ),

    tiers as (
        select b.*, enrichment.confidence_of(b.title_score, b.author_score, b.isbn_score) as confidence, p."position"
        from books as b
        join enrichment.providers as p on p.provider = b.provider
    )

    select
        t.id, t.provider, t.work_key, t.title, t.authors, t.source_record, t.title_parts, t.author_parts, t.title_score, t.author_score,
        t.isbn_score, t.confidence, t.rejection,
        row_number() over (
            partition by t.id
            order by t.rejection nulls first, t.confidence desc, total desc, t."position", t."values" ? 'work.cover_url' desc, t.work_key
        )::integer,
        null::integer, false, false, null::text[], t."values"
    from tiers as t
    cross join lateral (select t.isbn_score + t.title_score + coalesce(t.author_score, 0)) as sum (total)
$$;
comment on function enrichment.score_candidates(uuid[], boolean) is
'Weighs every candidate that the valid records hold for these queue rows, one line per provider and book, best first by place. Those a reader turned away are left out, or come last where they are asked for.';

-- 25_matching/explain

-- The same comparison in words: each part of a score and one sentence, for the reader who reviews a match.

create function enrichment.explain_title(one enrichment.title_parts, other enrichment.title_parts, score integer, veto text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return case
        when veto = 'derivative'
            then coalesce('a ' || other.derivative || ', not the book itself', 'the book itself, not the ' || one.derivative)
        when veto = 'omnibus' and other.omnibus is null then 'a single book, not the omnibus'
        when veto = 'omnibus' then 'an omnibus, not the single book'
        when veto = 'series' then format('a book of another series: %s, not %s', other.series_key, one.series_key)
        when veto = 'volume' then format(
            'another volume of the series: %s, not %s', coalesce(other.volume, other.series_number), coalesce(one.volume, one.series_number)
        )
        when veto = 'number'
            then format('another number in the title: %s, not %s', array_to_string(other.numbers, ', '), array_to_string(one.numbers, ', '))
        when veto = 'unstated' then format('title alike, but only one side says which volume it is: %s', coalesce(one.volume, other.volume))
        when score = 4 and (one.series_number is null) <> (other.series_number is null) then 'title equal without the series name'
        when score = 4 then 'title equal'
        when score = 3 and one.main_key = other.main_key and '' in (one.subtitle_key, other.subtitle_key)
            then 'title equal but for a subtitle'
        when score = 3 and one.main_key = other.main_key then 'title equal but for the wording of the subtitle'
        when score = 3 and one.words = other.words then 'title equal in other words or spelling'
        when score = 3 and coalesce(one.known_as, other.known_as) is not null then 'the same book under another title'
        when score = 3 then 'title equal without the series name'
        when score = 2 and one.main_key = other.main_key then 'same main title, other subtitle'
        else (array['title differs', 'title partly alike', 'title alike'])[score + 1]
    end;
end
$$;
comment on function enrichment.explain_title(enrichment.title_parts, enrichment.title_parts, integer, text) is
'What a title score says to a reader; ours is the first side, the candidate the other.';

create function enrichment.explain_match(
    one_title enrichment.title_parts, other_title enrichment.title_parts,
    one_authors enrichment.author_parts, other_authors enrichment.author_parts, isbn_score integer
)
returns jsonb
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    title integer := enrichment.title_score(one_title, other_title);
    author integer := enrichment.author_score(one_authors, other_authors);
    veto text := case when title > 0 then enrichment.title_veto(one_title, other_title) end;
begin
    return jsonb_build_object(
        'sentence', concat_ws(
            ', ', case when explain_match.isbn_score >= 4 then 'same ISBN' end,
            enrichment.explain_title(one_title, other_title, title, veto),
            coalesce(
                (array['other author', 'author of the same last name', 'author alike', 'author equal'])[author + 1], 'author not named'
            )
        ),
        'parts', jsonb_build_object(
            'title', jsonb_build_object(
                'score', title, 'ours', jsonb_strip_nulls(to_jsonb(one_title)), 'theirs', jsonb_strip_nulls(to_jsonb(other_title)),
                'veto', case veto when 'series' then 'volume' when 'unstated' then 'volume' else veto end
            ),
            'author', jsonb_build_object('score', author, 'ours', one_authors.names, 'theirs', other_authors.names),
            'isbn', jsonb_build_object('score', explain_match.isbn_score)
        )
    );
end
$$;
comment on function enrichment.explain_match(
    enrichment.title_parts, enrichment.title_parts, enrichment.author_parts, enrichment.author_parts, integer
) is 'One sentence a reader understands, and every part with its value and score: {"sentence", "parts": {"title", "author", "isbn"}}.';

-- 25_matching/rivals

-- Which of the scored candidates is the book: one, or several editions of it, or two that fit nearly equally and are left to a person.
-- What the chosen ones offer is listed field by field.

create function enrichment.is_same_book(
    one_title enrichment.title_parts, other_title enrichment.title_parts, one_authors enrichment.author_parts,
    other_authors enrichment.author_parts, one_year integer, other_year integer
)
returns boolean
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    authors integer;
begin
    if enrichment.title_score(one_title, other_title) < 3 then
        return false;
    end if;
    authors := enrichment.author_score(one_authors, other_authors);
    return coalesce(authors >= 2, false) or (authors is distinct from 0 and coalesce(abs(one_year - other_year) <= 1, true));
end
$$;
comment on function enrichment.is_same_book(
    enrichment.title_parts, enrichment.title_parts, enrichment.author_parts, enrichment.author_parts, integer, integer
) is
'Whether two candidates are one book: titles equal but for a subtitle, and an author in common; where the authors leave it open, years no more than one apart.';

create function enrichment.choose_books(books enrichment.scored_book[])
returns setof enrichment.scored_book
language sql stable set search_path = '' set enable_nestloop = off
as $$
    -- Nothing here has statistics: joined by nested loops the choice for 1,000 rows took 1.8 s, hashed 0.1 s.
    with weighed as materialized (
        select
            b.*, least(b.confidence, 'medium') as tier, b.isbn_score >= 4 as has_isbn, b.title_score + coalesce(b.author_score, 0) as fit,
            (b."values" ->> 'work.first_publish_year')::integer as year
        from unnest(choose_books.books) as b
    ),

    beside_best as materialized (
        select
            b.queue_id, b.place, b.provider, b.tier, b.title_parts, b.author_parts, b.year,
            b.tier = best.tier and b.has_isbn = best.has_isbn and abs(b.fit - best.fit) <= 1 as is_near,
            b.place = 1 or (b.tier = 'medium' and b.has_isbn and best.has_isbn)
            or enrichment.is_same_book(best.title_parts, b.title_parts, best.author_parts, b.author_parts, best.year, b.year) as is_same
        from weighed as best
        join weighed as b on b.queue_id = best.queue_id
        where best.place = 1 and best.rejection is null and b.rejection is null and b.confidence >= 'low'
    ),

    -- Only where another work comes near the best: which books are one with each of those that compete, and how many providers know it.
    competitors as materialized (
        select
            one.queue_id, one.place, array_agg(other.place) as same_places,
            count(distinct other.provider) filter (where other.tier = one.tier) as providers
        from beside_best as one
        join beside_best as other on other.queue_id = one.queue_id
        where one.is_near and one.queue_id in (select b.queue_id from beside_best as b where b.is_near and not b.is_same)
            and (one.place = other.place or enrichment.is_same_book(
                one.title_parts, other.title_parts, one.author_parts, other.author_parts, one.year, other.year
            ))
        group by one.queue_id, one.place
    ),

    winners as (
        select distinct on (c.queue_id) c.queue_id, c.place, c.same_places, c.providers
        from competitors as c
        order by c.queue_id, c.providers desc, c.place
    ),

    opponents as (
        select c.queue_id, c.place, c.same_places
        from competitors as c
        join winners as w on w.queue_id = c.queue_id and c.place <> all(w.same_places) and c.providers = w.providers
    ),

    rivals as (
        select o.queue_id, array_agg(o.place) as places
        from opponents as o
        where not exists (
            select 1 from opponents as better
            where better.queue_id = o.queue_id and better.place < o.place and o.place = any(better.same_places)
        )
        group by o.queue_id
    ),

    choices as (
        select b.queue_id, coalesce(w.place, 1) as best_place, coalesce(w.same_places, b.same_places) as same_places, r.places as rival_places
        from (
            select s.queue_id, array_agg(s.place) filter (where s.is_same) as same_places from beside_best as s group by s.queue_id
        ) as b
        left join winners as w on w.queue_id = b.queue_id
        left join rivals as r on r.queue_id = b.queue_id
    ),

    agreements as (
        select c.queue_id, array_agg(distinct b.provider) as providers
        from choices as c
        join beside_best as best on best.queue_id = c.queue_id and best.place = c.best_place
        join beside_best as b on b.queue_id = c.queue_id and b.place = any(c.same_places) and b.tier = best.tier
        group by c.queue_id
        having count(distinct b.provider) > 1
    )

    select
        b.queue_id, b.provider, b.work_key, b.title, b.authors, b.source_record, b.title_parts, b.author_parts, b.title_score, b.author_score,
        b.isbn_score, b.confidence, b.rejection,
        case when b.place = c.best_place then 1 when b.place < c.best_place then b.place + 1 else b.place end,
        case when b.place = any(c.same_places) then row_number() over (
            partition by b.queue_id, b.provider, b.place = any(c.same_places) order by b.place = c.best_place desc, b.place
        )::integer end,
        c.rival_places is not null, coalesce(b.place = any(c.rival_places), false), a.providers, b."values"
    from weighed as b
    left join choices as c on c.queue_id = b.queue_id
    left join agreements as a on a.queue_id = b.queue_id
$$;
comment on function enrichment.choose_books(enrichment.scored_book[]) is
'The answer of score_candidates with the choice made: other works whose title and author fit as well (a point apart at most), equal ISBN or none on both sides, are rivals. Where two providers know one of them and the others one does, that one is best and has no rivals.';

create function enrichment.offer_values(books enrichment.scored_book[])
returns setof enrichment.offered_value
language sql stable set search_path = ''
as $$
    select distinct on (b.queue_id, v.key, case when b.is_rival then b.place end)
        b.queue_id, v.key, v.value, b.provider, b.work_key, b.source_record, b.confidence,
        case
            when b.is_contested then false
            when v.key = 'work.cover_url' then s.auto_apply_covers and b.confidence >= 'medium'
            else s.auto_apply_metadata and b.confidence = 'high'
        end,
        b.is_rival
    from unnest(offer_values.books) as b
    join public.enrichment_queue as q on q.id = b.queue_id
    join enrichment.wanted_fields as gaps on gaps.queue_id = b.queue_id
    cross join enrichment.settings as s
    cross join lateral jsonb_each_text(b."values") as v
    where (b.is_rival or (b.place_at_provider = 1 and (b.confidence >= 'medium' or (b.confidence = 'low' and b.place = 1))))
        and v.key = any(gaps.fields)
        and not exists (
            select 1 from enrichment.filled_fields as f
            where f.entity_id = case when v.key like 'work.%' then q.work_id else q.edition_id end
                and f.field = v.key and f.provider = b.provider and f.candidate_key = b.work_key
        )
    order by b.queue_id, v.key, case when b.is_rival then b.place end, b.place
$$;
comment on function enrichment.offer_values(enrichment.scored_book[]) is
'The best value for each gap: from the best book and what other providers know of the same, medium or better, or the one low book there is; beside it what each rival would fill, and then nothing is applied. A candidate that has filled a field before does not offer it again.';

-- 25_matching/scores

-- Is it the same book? Title 0–4, author 0–3, ISBN 0, 4 or 5, and what they amount to. All are pure functions of parsed parts
-- (20_text), without tables, to be tried by hand: select enrichment.title_score(enrichment.parse_title('…'), enrichment.parse_title('…')).

create function enrichment.title_veto(one enrichment.title_parts, other enrichment.title_parts)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return case
        when (one.derivative is null) <> (other.derivative is null) then 'derivative'
        when (one.omnibus is null) <> (other.omnibus is null) and one.full_key <> other.full_key then 'omnibus'
        when one.series_number <> other.series_number and (
            one.series_key is null or other.series_key is null
            or strpos(one.series_key, other.series_key) > 0 or strpos(other.series_key, one.series_key) > 0
            or one.series_number like '%-%' or other.series_number like '%-%'
        ) then 'volume'
        when one.volume <> coalesce(other.volume, other.series_number) then 'volume'
        when other.volume <> coalesce(one.volume, one.series_number) then 'volume'
        when not string_to_array(one.series_key, ' ') && string_to_array(other.series_key, ' ')
            -- Printed alike, "I Am Number Four" is not the fourth of "I Am" because one side names the series it is in.
            and (one.full_key <> other.full_key or one.core_key not in (one.series_key, other.series_key)) then 'series'
        when one.core_key <> other.core_key and not (one.numbers <@ other.numbers or other.numbers <@ one.numbers) then 'number'
        -- Volumes 1 to 3 of what bears the series' name are the whole, which needs no number.
        when one.core_key = other.core_key and (
            one.volume like '%-%' and one.series_key = one.core_key or other.volume like '%-%' and other.series_key = other.core_key
        ) then null
        when other.core_key = one.core_key || ' ' || one.volume or one.core_key = other.core_key || ' ' || other.volume then null
        when one.volume is not null and other.series_number is null then 'unstated'
        when other.volume is not null and one.series_number is null then 'unstated'
    end;
end
$$;
comment on function enrichment.title_veto(enrichment.title_parts, enrichment.title_parts) is
'Why two titles that look alike are not the same book: one is a derivative work or an omnibus, or they name other volumes, series or numbers, or only one says which volume it is (unstated; "Death Note 1" says it as well). Null where nothing speaks against it.';

create function enrichment.title_likeness(one enrichment.title_parts, other enrichment.title_parts)
returns integer
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    longer integer := greatest(cardinality(one.words), cardinality(other.words));
    shorter integer := least(cardinality(one.words), cardinality(other.words));
    shared integer := 0;
begin
    if one.words && other.words then
        select count(*)::integer into shared from (select unnest(one.words) intersect all select unnest(other.words)) as common;
    end if;
    return case
        when one.main_key = other.main_key and shared >= 4 and shared * 4 >= shorter * 3
            and (one.numbers is not distinct from other.numbers) then 3
        when one.main_key = other.main_key or one.forms && other.forms then 2
        when shared * 4 >= longer * 3 or shared = shorter and shorter >= 3 then 2
        when shared > 0 and shared * 2 >= shorter then 1
        else 0
    end;
end
$$;
comment on function enrichment.title_likeness(enrichment.title_parts, enrichment.title_parts) is
'How alike two titles are that are not equal. 3: same main title, and three quarters of the shorter subtitle too. 2: same main title, or three quarters of the words, or all three and more words of one. 1: half the words of one.';

create function enrichment.title_score(one enrichment.title_parts, other enrichment.title_parts)
returns integer
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    score integer;
    veto text;
begin
    if coalesce(one.core_key, '') = '' or coalesce(other.core_key, '') = '' then
        return 0;
    end if;
    score := case
        when one.core_key = other.core_key or one.full_key = other.full_key then 4
        -- "The Hunger Games" is the series as well: a longer title behind it may be another book of it.
        when one.core_key = any(other.forms) or other.core_key = any(one.forms) then
            case
                when one.core_key = one.series_key and other.subtitle_key <> '' then 2
                when other.core_key = other.series_key and one.subtitle_key <> '' then 2
                else 3
            end
        when one.known_as = other.known_as or one.known_as = any(other.forms) or other.known_as = any(one.forms) then 3
        -- "Death Note, Vol. 1" may be printed with the name of the volume.
        when one.volume is not null and starts_with(other.full_key, one.full_key || ' ') then 3
        when other.volume is not null and starts_with(one.full_key, other.full_key || ' ') then 3
        when one.words = other.words or replace(one.core_key, ' ', '') = replace(other.core_key, ' ', '') then 3
        when one.main_key = other.main_key and (one.words <@ other.words or other.words <@ one.words) then 3
        when not one.words && other.words then 0
        else enrichment.title_likeness(one, other)
    end;
    if score < 2 then
        return score;
    end if;
    veto := enrichment.title_veto(one, other);
    return case when veto is null then score when veto = 'unstated' then 2 else 1 end;
end
$$;
comment on function enrichment.title_score(enrichment.title_parts, enrichment.title_parts) is
'4: equal. 3: equal but for what one of them does not print (subtitle, series'' name, franchise, name of a volume), how it spells it, or under which title it is known. 2: same main title under another subtitle, most of the words, or only one says which volume it is. 1: half the words of one, or a veto. 0: less.';

create function enrichment.author_score(one enrichment.author_parts, other enrichment.author_parts)
returns integer
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return case
        when one.names && other.names or one.spellings && other.spellings then 3
        when one.initialled && other.initialled then 2
        when one.single_names && other.first_names or one.single_names && other.last_names
            or other.single_names && one.first_names or other.single_names && one.last_names then 2
        when one.last_names && other.last_names then 1
        when one.names is null or other.names is null then null
        when one.names <@ '{anonymous,unknown,various}'::text[] or other.names <@ '{anonymous,unknown,various}'::text[] then null
        else 0
    end;
end
$$;
comment on function enrichment.author_score(enrichment.author_parts, enrichment.author_parts) is
'3: one name equal, in any order. 2: last name and first initial, one known pen name, or a single name that is part of the other. 1: last name. 0: other people. Null: one side names nobody, or only Anonymous, which is not a contradiction.';

create function enrichment.isbn_score(isbn13 text, isbn10 text, isbns text[])
returns integer
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return case
        when isbn_score.isbns is null then 0
        when enrichment.isbn_key(isbn_score.isbn13) = any(isbn_score.isbns) then 5
        when enrichment.isbn_key(isbn_score.isbn10) = any(isbn_score.isbns) then 4
        else 0
    end;
end
$$;
comment on function enrichment.isbn_score(text, text, text[]) is
'5: our ISBN-13 is among the candidate''s 13-digit keys. 4: our ISBN-10 is, as the same key. 0: neither.';

create function enrichment.confidence_of(title_score integer, author_score integer, isbn_score integer)
returns enrichment.confidence
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return case
        when isbn_score >= 4 and title_score >= 3 and author_score is distinct from 0 then 'high'
        when title_score >= 3 and (author_score >= 2 or isbn_score >= 4) then 'medium'
        when title_score = 2 and author_score >= 2 and isbn_score >= 4 then 'medium'
        when title_score >= 2 or isbn_score >= 4 then 'low'
        else 'none'
    end::enrichment.confidence;
end
$$;
comment on function enrichment.confidence_of(integer, integer, integer) is
'High: ISBN ≥ 4 and title ≥ 3, author not contradicting. Medium: two of the three agree, title ≥ 3 with author ≥ 2 or an equal ISBN, or title 2 with both. Low: title ≥ 2, or an equal ISBN under a foreign title. None: less.';

-- 30_providers/answers

-- Reading what providers sent: JSON of any shape becomes clean values, never an error. Each provider's own reader is in a file of its
-- name; read_record picks it by that name. A value that does not fit its column is cleaned or dropped.

create type enrichment.candidate_fields as (
    work_key text, edition_key text, title text, subtitle text, author_names text [], author_ids text [], isbns text [],
    cover_url text, description text, first_publish_year integer, publisher text, publish_date date, language text,
    format text, total_pages integer, total_audio_minutes integer
);
comment on type enrichment.candidate_fields is
'One book as a provider describes it, cleaned to what our columns hold. isbns are 13-digit keys; author_ids are the provider''s own.';

create function enrichment.json_list(value jsonb)
returns jsonb
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return case jsonb_typeof(json_list.value)
        when 'array' then json_list.value when 'null' then '[]' else coalesce(jsonb_build_array(json_list.value), '[]')
    end;
end
$$;
comment on function enrichment.json_list(jsonb) is 'A list as it is, any other value as a list of one, nothing as an empty list.';

create function enrichment.json_text(value jsonb, max_length integer default null)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return case jsonb_typeof(json_text.value)
        when 'string' then enrichment.clean_text(json_text.value #>> '{}', json_text.max_length)
        when 'object' then case when jsonb_typeof(json_text.value -> 'value') = 'string'
            then enrichment.clean_text(json_text.value ->> 'value', json_text.max_length) end
    end;
end
$$;
comment on function enrichment.json_text(jsonb, integer) is 'The text of a string or of {"type", "value"}, cleaned; null for any other shape.';

create function enrichment.json_texts(value jsonb, max_length integer default 255)
returns text[]
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    if json_texts.value is null then
        return null;
    end if;
    return (
        select array_agg(texts.cleaned order by texts.ordinality)
        from (
            select element.ordinality, enrichment.json_text(element.value, json_texts.max_length) as cleaned
            from jsonb_array_elements(enrichment.json_list(json_texts.value)) with ordinality as element
            limit 200
        ) as texts
        where texts.cleaned is not null
    );
end
$$;
comment on function enrichment.json_texts(jsonb, integer) is 'The strings of a list, cleaned, at most 200; null where there is none.';

create function enrichment.json_integer(value jsonb, least_value integer, greatest_value integer)
returns integer
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    digits text := json_integer.value #>> '{}';
begin
    if length(digits) <= 9 and (jsonb_typeof(json_integer.value) = 'number' or digits ~ '^[0-9]+$')
        and digits::numeric between json_integer.least_value and json_integer.greatest_value and digits::numeric % 1 = 0 then
        return digits::numeric::integer;
    end if;
    return null;
end
$$;
comment on function enrichment.json_integer(jsonb, integer, integer) is 'A whole number, also one written as a string, within the bounds; null otherwise.';

create function enrichment.source_url(provider text, work_key text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return case
        when source_url.provider = 'openlibrary' and source_url.work_key ~ '^/(works|books)/OL[0-9]+[WM]$'
            then 'https://openlibrary.org' || source_url.work_key
        when source_url.provider = 'googlebooks' and source_url.work_key ~ '^[A-Za-z0-9_-]+$'
            then 'https://books.google.com/books?id=' || source_url.work_key
    end;
end
$$;
comment on function enrichment.source_url(text, text) is
'The page where a person can look at a provider''s book: its own key, /works/OL…W or a volume id, as an address; null for a key of no known form.';

create function enrichment.json_isbns(value jsonb)
returns text[]
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    if json_isbns.value = '[]' then
        return null;
    end if;
    return (
        select array_agg(distinct key)
        from (select isbn from jsonb_array_elements(json_isbns.value) as isbn limit 200) as first
        cross join lateral enrichment.isbn_key(left(first.isbn #>> '{}', 64)) as key
        where key is not null
    );
end
$$;
comment on function enrichment.json_isbns(jsonb) is 'The distinct 13-digit keys among the first 200 ISBNs of a list; null where there is none.';

create function enrichment.json_key(value jsonb)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return case when jsonb_typeof(json_key.value) = 'string' and json_key.value #>> '{}' ~ '^[!-;=?-~]{1,64}$' then json_key.value #>> '{}' end;
end
$$;
comment on function enrichment.json_key(jsonb) is 'A provider''s own key: a string of at most 64 printable characters; null for any other shape.';

create function enrichment.read_record(provider text, entity_type text, raw jsonb)
returns setof enrichment.candidate_fields
language plpgsql stable parallel safe set search_path = ''
as $$
begin
    -- These two directly: to find a function by its name costs 70 µs a record.
    if provider = 'openlibrary' then
        return query select * from enrichment.read_openlibrary(entity_type, raw);
    elsif provider = 'googlebooks' then
        return query select * from enrichment.read_googlebooks(entity_type, raw);
    elsif to_regprocedure(format('enrichment.%I(text, jsonb)', 'read_' || provider)) is not null then
        return query execute format('select * from enrichment.%I($1, $2)', 'read_' || provider) using entity_type, raw;
    end if;
end
$$;
comment on function enrichment.read_record(text, text, jsonb) is
'The candidates in one raw reply, by the reader of its provider, enrichment.read_<provider>(entity_type, raw): the host''s records (work, edition) and our own look-ups (isbn_lookup, title_lookup). Zero rows for a miss or a shape nobody knows.';

-- 30_providers/googlebooks

-- Google Books: its volumes read into candidate fields, and its covers in the size and over the protocol we want.

create function enrichment.googlebooks_cover(link text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    path text := substring(
        googlebooks_cover.link from '^https?(://books\.google\.(?:com|[a-z]{2}|com?\.[a-z]{2})/[a-zA-Z0-9/?&=%_.,:;~+-]+)$'
    );
begin
    if length(path) > 1000 then
        return null;
    end if;
    -- What Google serves as zoom 0, 2, 3, 4 and 6 is a placeholder for most books, 5 is smaller.
    return 'https' || regexp_replace(replace(replace(path, '&edge=curl', ''), '?edge=curl&', '?'), '([?&]zoom=)[0-9]+', '\11', 'g');
end
$$;
comment on function enrichment.googlebooks_cover(text) is
'A thumbnail link over https, at zoom 1 and without the curled page; null for one that does not lead to Google''s own book servers.';

create function enrichment.read_googlebooks_volume(volume jsonb)
returns setof enrichment.candidate_fields
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return query
    select
        volume ->> 'id', volume ->> 'id', enrichment.json_text(info -> 'title', 512), enrichment.json_text(info -> 'subtitle', 512),
        enrichment.json_texts(info -> 'authors'), null::text[],
        enrichment.json_isbns(jsonb_path_query_array(info -> 'industryIdentifiers', 'lax $[*].identifier')),
        enrichment.googlebooks_cover(info #>> '{imageLinks,thumbnail}'), enrichment.json_text(info -> 'description', 20000), null::integer, enrichment.json_text(info -> 'publisher', 255),
        enrichment.date_of(enrichment.json_text(info -> 'publishedDate', 64)),
        enrichment.language_of(enrichment.json_text(info -> 'language', 32)), null::text,
        enrichment.json_integer(info -> 'pageCount', 1, 30000), null::integer
    from (select volume -> 'volumeInfo') as volume_info (info)
    where enrichment.json_key(volume -> 'id') is not null and enrichment.json_text(info -> 'title', 512) is not null;
end
$$;
comment on function enrichment.read_googlebooks_volume(jsonb) is 'Reads a Google Books volume. Its year is the edition''s, so it says nothing of the work''s first year.';

create function enrichment.read_googlebooks(entity_type text, raw jsonb)
returns setof enrichment.candidate_fields
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    if entity_type in ('work', 'edition') then
        return query select * from enrichment.read_googlebooks_volume(raw);
    elsif entity_type in ('isbn_lookup', 'title_lookup') then
        return query select fields.* from jsonb_array_elements(enrichment.json_list(raw -> 'items')) as item
            cross join lateral enrichment.read_googlebooks_volume(item) as fields limit 10;
    end if;
end
$$;
comment on function enrichment.read_googlebooks(text, jsonb) is 'Reads Google Books volumes and our look-ups there: {"items": […]}.';

-- 30_providers/limits

-- Whose servers may be asked, how often, and whether they answer. One row per provider holds its limits and its live state, so that all
-- workers share one token bucket, one daily count and one breaker, across processes and restarts. A worker reserves before each call
-- and reports after it; claim and the sweep only read.

create type enrichment.reservation as (granted integer, retry_after numeric, reason text);

create type enrichment.provider_report as (
    provider text, failures integer, open_until timestamptz, retry_at timestamptz, paused_reason text
);

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

-- Open Library: 0.33/s and burst 10 as the request has it; a client that names itself may be set to 1 or 3 per second.
-- Google Books: 1,000 calls a day per free key, counted from midnight Pacific; stop short of it.
insert into enrichment.providers (
    provider, "position", fills, needs_contact, needs_key, needs_opt_in, keys_per_call,
    rate_per_second, burst_size, daily_limit, daily_reserve, reset_time_zone, tokens
) values
(
    'openlibrary', 1,
    array[
        'work.cover_url', 'work.description', 'work.first_publish_year', 'edition.publisher', 'edition.publish_date', 'edition.isbn10',
        'edition.isbn13', 'edition.language', 'edition.format', 'edition.total_pages'
    ],
    true, false, false, 25, 0.33, 10, null, 0, 'UTC', 10
),
(
    'googlebooks', 2,
    array[
        'work.cover_url', 'work.description', 'edition.publisher', 'edition.publish_date', 'edition.isbn10', 'edition.isbn13',
        'edition.language', 'edition.total_pages'
    ],
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
            when answer.granted > 0 and bucket.open_until is not null then clock_timestamp() + make_interval(secs => bucket.cooldown_seconds)
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
    set failures = case when report_provider_calls_impl.failed > 0
            then p.failures + report_provider_calls_impl.failed
            else case when report_provider_calls_impl.succeeded > 0 then 0 else p.failures end end,
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

-- 30_providers/openlibrary

-- Open Library: its works, editions and search replies read into candidate fields, and the address of its covers.

create function enrichment.openlibrary_cover(cover_ids jsonb)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return (
        select 'https://covers.openlibrary.org/b/id/' || cover_id || '-M.jpg'
        from jsonb_array_elements(enrichment.json_list(openlibrary_cover.cover_ids)) with ordinality as element
        cross join lateral enrichment.json_integer(element.value, 1, 999999999) as cover_id
        where cover_id is not null
        order by element.ordinality
        limit 1
    );
end
$$;
comment on function enrichment.openlibrary_cover(jsonb) is 'URL of the first usable cover id; -1 and null, which mean none, are passed over.';

create function enrichment.read_openlibrary_work(work jsonb)
returns setof enrichment.candidate_fields
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return query
    select
        work ->> 'key', null::text, enrichment.json_text(work -> 'title', 512), enrichment.json_text(work -> 'subtitle', 512),
        enrichment.json_texts(jsonb_path_query_array(work, 'lax $.authors[*].name')),
        enrichment.json_texts(jsonb_path_query_array(work, 'lax $.authors[*].author.key') || jsonb_path_query_array(work, 'lax $.authors[*].key'), 64),
        null::text[], enrichment.openlibrary_cover(work -> 'covers'), enrichment.json_text(work -> 'description', 20000),
        enrichment.year_of(enrichment.json_text(work -> 'first_publish_date', 64)),
        null::text, null::date, null::text, null::text, null::integer, null::integer
    where enrichment.json_key(work -> 'key') like '/works/%' and enrichment.json_text(work -> 'title', 512) is not null;
end
$$;
comment on function enrichment.read_openlibrary_work(jsonb) is 'Reads a work as /works/OL…W.json gives it. Zero rows for a redirect, a deletion or any other shape.';

create function enrichment.read_openlibrary_edition(edition jsonb)
returns setof enrichment.candidate_fields
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return query
    select
        coalesce(enrichment.json_key((enrichment.json_list(edition -> 'works') -> 0) -> 'key'), edition ->> 'key'), edition ->> 'key',
        enrichment.json_text(edition -> 'title', 512), enrichment.json_text(edition -> 'subtitle', 512),
        enrichment.json_texts(jsonb_path_query_array(edition, 'lax $.authors[*].name')),
        enrichment.json_texts(jsonb_path_query_array(edition, 'lax $.authors[*].key'), 64),
        enrichment.json_isbns(
            enrichment.json_list(edition -> 'isbn_13') || enrichment.json_list(edition -> 'isbn_10') || enrichment.json_list(edition -> 'isbn')
        ),
        enrichment.openlibrary_cover(edition -> 'covers'), enrichment.json_text(edition -> 'description', 20000), null::integer,
        enrichment.json_text(enrichment.json_list(edition -> 'publishers') -> 0, 255), enrichment.date_of(enrichment.json_text(edition -> 'publish_date', 64)),
        enrichment.language_of(enrichment.json_key((enrichment.json_list(edition -> 'languages') -> 0) -> 'key')),
        lower(enrichment.json_text(edition -> 'physical_format', 64)), enrichment.json_integer(edition -> 'number_of_pages', 1, 30000),
        null::integer
    where enrichment.json_key(edition -> 'key') like '/books/%' and enrichment.json_text(edition -> 'title', 512) is not null;
end
$$;
comment on function enrichment.read_openlibrary_edition(jsonb) is
'Reads an edition as /books/OL…M.json, editions.json or /api/books?jscmd=details gives it. Zero rows for any other shape.';

create function enrichment.read_openlibrary_search_doc(doc jsonb)
returns setof enrichment.candidate_fields
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return query
    select
        doc ->> 'key', enrichment.json_key(edition.value -> 'key'), enrichment.json_text(described.value -> 'title', 512),
        enrichment.json_text(described.value -> 'subtitle', 512), enrichment.json_texts(doc -> 'author_name'), enrichment.json_texts(doc -> 'author_key', 64),
        enrichment.json_isbns(enrichment.json_list(edition.value -> 'isbn')),
        coalesce(enrichment.openlibrary_cover(edition.value -> 'cover_i'), enrichment.openlibrary_cover(doc -> 'cover_i')),
        enrichment.json_text(enrichment.json_list(doc -> 'description') -> 0, 20000),
        enrichment.json_integer(doc -> 'first_publish_year', 1000, 2099),
        enrichment.json_text(enrichment.json_list(edition.value -> 'publisher') -> 0, 255),
        enrichment.date_of(enrichment.json_text(enrichment.json_list(edition.value -> 'publish_date') -> 0, 64)),
        enrichment.language_of(enrichment.json_text(enrichment.json_list(edition.value -> 'language') -> 0, 32)), null::text, null::integer, null::integer
    from (select enrichment.json_list(doc #> '{editions,docs}') -> 0) as edition (value)
    cross join lateral (
        select doc
        union all
        select edition.value
        where (edition.value -> 'title', edition.value -> 'subtitle') is distinct from (doc -> 'title', doc -> 'subtitle')
    ) as described (value)
    where enrichment.json_key(doc -> 'key') like '/works/%' and enrichment.json_text(described.value -> 'title', 512) is not null;
end
$$;
comment on function enrichment.read_openlibrary_search_doc(jsonb) is
'Reads one document of /search.json, a work with the one edition that search shows of it: once under the work''s title, once under the edition''s where that is another, perhaps a translation. Zero rows for any other shape.';

create function enrichment.read_openlibrary(entity_type text, raw jsonb)
returns setof enrichment.candidate_fields
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    if entity_type = 'work' then
        return query select * from enrichment.read_openlibrary_work(raw);
    elsif entity_type = 'edition' then
        return query select * from enrichment.read_openlibrary_edition(raw);
    elsif entity_type in ('isbn_lookup', 'title_lookup') then
        return query select fields.* from jsonb_array_elements(enrichment.json_list(raw -> 'docs')) as doc
            cross join lateral enrichment.read_openlibrary_search_doc(doc) as fields limit 10;
        if raw ? 'edition' then
            return query select * from enrichment.read_openlibrary_edition(raw -> 'edition');
        end if;
    end if;
end
$$;
comment on function enrichment.read_openlibrary(text, jsonb) is 'Reads Open Library''s records and our look-ups there: {"docs": […]} or {"edition": …}.';

-- 35_cache/records

-- Replies that still answer without a call, and what they say. A raw reply is parsed once, when it is first met, into candidates;
-- scoring reads those (46,000–52,000 pairs a second, against 3,700 from the raw text).

create table enrichment.parsed_records (
    provider text not null,
    entity_type text not null,
    provider_id text not null,
    fetched_at timestamptz not null,
    is_miss boolean not null,
    primary key (provider, entity_type, provider_id)
);
alter table enrichment.parsed_records enable row level security;
revoke all on enrichment.parsed_records from public, anon, authenticated, service_role;

comment on table enrichment.parsed_records is 'Source records already read into candidates, as they were at fetched_at.';

create table enrichment.candidates (
    id bigint primary key generated always as identity,
    provider text not null,
    entity_type text not null,
    provider_id text not null,
    work_key text not null,
    title text not null,
    author_names text[],
    title_parts enrichment.title_parts not null,
    author_parts enrichment.author_parts not null,
    author_ids text[],
    isbns text[],
    work_values jsonb not null,
    edition_values jsonb not null,
    foreign key (provider, entity_type, provider_id) references enrichment.parsed_records on delete cascade
);

create index candidates_by_record on enrichment.candidates (provider, entity_type, provider_id);
alter table enrichment.candidates enable row level security;
revoke all on enrichment.candidates from public, anon, authenticated, service_role;

comment on table enrichment.candidates is 'Books as providers describe them, parsed once per reply; scoring reads these and never raw JSON.';
comment on column enrichment.candidates.work_key is 'The provider''s own key of the work: /works/OL…W, a volume id. Candidates that share it are one book.';
comment on column enrichment.candidates.author_ids is 'The provider''s keys of the authors, without a leading path.';
comment on column enrichment.candidates.isbns is '13-digit keys of the edition described.';
comment on column enrichment.candidates.work_values is 'What it knows of the work: {"work.cover_url": "…"}.';
comment on column enrichment.candidates.edition_values is 'What it knows of that edition: {"edition.publisher": "…"}.';

create view enrichment.valid_records with (security_invoker = true) as
select s.provider, s.entity_type, s.provider_id, s.fetched_at, s.raw ? 'no_match' as is_miss
from enrichment.settings as t
cross join public.source_records as s
-- The first line is for speed: to look into a large reply means to unpack it.
where s.fetched_at > now() - make_interval(days => least(t.record_valid_days, t.miss_valid_days))
    or s.fetched_at > now() - make_interval(days => case when s.raw ? 'no_match' then t.miss_valid_days else t.record_valid_days end);
revoke all on enrichment.valid_records from public, anon, authenticated, service_role;
comment on view enrichment.valid_records is 'Source records that still answer without a call: replies for record_valid_days, misses for miss_valid_days.';

create function enrichment.parse_records(queue_ids uuid[])
returns void
language plpgsql set search_path = ''
as $$
declare
    unread enrichment.parsed_records[];
begin
    with outdated as (
        select distinct r.provider, r.entity_type, r.provider_id, r.fetched_at
        from enrichment.queue_records as r
        left join enrichment.parsed_records as p using (provider, entity_type, provider_id)
        where r.queue_id = any(parse_records.queue_ids) and p.fetched_at is distinct from r.fetched_at
    ),

    marked as (
        insert into enrichment.parsed_records as p (provider, entity_type, provider_id, fetched_at, is_miss)
        select s.provider, s.entity_type, s.provider_id, s.fetched_at, s.raw ? 'no_match'
        from outdated as o
        join public.source_records as s
            on s.provider = o.provider and s.entity_type = o.entity_type and s.provider_id = o.provider_id
        order by s.provider, s.entity_type, s.provider_id
        on conflict (provider, entity_type, provider_id) do update
        set fetched_at = excluded.fetched_at, is_miss = excluded.is_miss
        where p.fetched_at <> excluded.fetched_at
        returning p.*
    )

    select array_agg(row(marked.*)::enrichment.parsed_records) into unread from marked;

    delete from enrichment.candidates as c
    using unnest(unread) as u
    where c.provider = u.provider and c.entity_type = u.entity_type and c.provider_id = u.provider_id;

    insert into enrichment.candidates (
        provider, entity_type, provider_id, work_key, title, author_names, title_parts, author_parts, author_ids, isbns,
        work_values, edition_values
    )
    select
        s.provider, s.entity_type, s.provider_id, f.work_key, f.title, f.author_names, enrichment.parse_title(f.title, f.subtitle),
        enrichment.parse_authors(f.author_names),
        (select array_agg(split_part(author_id, '/', -1)) from unnest(f.author_ids) as author_id), f.isbns,
        jsonb_strip_nulls(jsonb_build_object(
            'work.cover_url', f.cover_url, 'work.description', f.description, 'work.first_publish_year', f.first_publish_year
        )),
        jsonb_strip_nulls(jsonb_build_object(
            'edition.publisher', f.publisher, 'edition.publish_date', f.publish_date, 'edition.language', f.language,
            'edition.format', f.format, 'edition.total_pages', f.total_pages, 'edition.total_audio_minutes', f.total_audio_minutes
        ))
    from unnest(unread) as u
    join public.source_records as s on s.provider = u.provider and s.entity_type = u.entity_type and s.provider_id = u.provider_id
    cross join lateral enrichment.read_record(s.provider, s.entity_type, s.raw) as f
    where not u.is_miss and f.work_key is not null;
end
$$;
comment on function enrichment.parse_records(uuid[]) is
'Reads the records that speak of these queue rows into candidates, where that is not done yet or the record was fetched again.';

-- 35_cache/works

-- Our own books in parsed form, once per work and again when its title or authors changed: matching and imports find works by these
-- keys without parsing anything.

create table enrichment.parsed_works (
    work_id uuid primary key references public.works (id) on delete cascade,
    title text not null,
    author_names text[] not null,
    title_parts enrichment.title_parts not null,
    author_parts enrichment.author_parts not null,
    title_key text not null,
    lookup_key text not null
);

create index parsed_works_by_title on enrichment.parsed_works (title_key);
alter table enrichment.parsed_works enable row level security;
revoke all on enrichment.parsed_works from public, anon, authenticated, service_role;

comment on table enrichment.parsed_works is 'The library''s own side of every comparison, folded once; refresh_parsed_works() keeps it true.';
comment on column enrichment.parsed_works.title_key is 'The whole title folded: identity of a row that has no ISBN, together with its author.';
comment on column enrichment.parsed_works.lookup_key is 'Key of the title look-up: folded title and first author, within 255 characters.';

create function enrichment.lookup_key(full_key text, author text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    key text := concat_ws(' | ', lookup_key.full_key, enrichment.fold_text(lookup_key.author));
begin
    return case when length(key) <= 200 then key else left(key, 200) || ' #' || md5(key) end;
end
$$;
comment on function enrichment.lookup_key(text, text) is
'Key of a title look-up in source_records.provider_id, from the title''s full_key and an author: "hunger games | suzanne collins".';

create function enrichment.refresh_parsed_works(work_ids uuid[])
returns void
language sql set search_path = ''
as $$
    with named as (
        select
            w.id, w.title::text as title,
            coalesce(array_agg(a.name::text order by a.name) filter (where a.name is not null), '{}') as author_names
        from public.works as w
        left join public.work_authors as wa on wa.work_id = w.id
        left join public.authors as a on a.id = wa.author_id
        where w.id = any(refresh_parsed_works.work_ids)
        group by w.id, w.title
    ),

    outdated as materialized (
        select named.*, enrichment.parse_title(named.title) as title_parts
        from named
        left join enrichment.parsed_works as p on p.work_id = named.id
        where (p.title, p.author_names) is distinct from (named.title, named.author_names)
        order by named.id
    )

    insert into enrichment.parsed_works (work_id, title, author_names, title_parts, author_parts, title_key, lookup_key)
    select
        id, title, author_names, title_parts, enrichment.parse_authors(author_names),
        enrichment.fold_text(title), enrichment.lookup_key((title_parts).full_key, author_names[1])
    from outdated
    on conflict (work_id) do update
    set title = excluded.title, author_names = excluded.author_names, title_parts = excluded.title_parts,
        author_parts = excluded.author_parts, title_key = excluded.title_key, lookup_key = excluded.lookup_key
$$;
comment on function enrichment.refresh_parsed_works(uuid[]) is
'Folds the titles and authors of those works that are new, or whose title or authors were changed. A host needs no trigger for it.';

create function enrichment.parse_new_works(most integer default 2000)
returns void
language sql set search_path = ''
as $$
    select enrichment.refresh_parsed_works(array(
        select w.id
        from public.works as w
        left join enrichment.parsed_works as p on p.work_id = w.id
        where p.work_id is null or p.title <> w.title
        order by w.created_at desc
        limit parse_new_works.most
    ))
$$;
comment on function enrichment.parse_new_works(integer) is
'Folds works that were added or renamed behind our back, the newest first, within a reader''s patience (0.3 ms each): an import finds works by their folded title.';

-- 40_queue/00_tables

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
comment on type enrichment.queue_status is 'State of a queue row; the arrows between states are kept by enrichment.refuse_missing_arrow().';

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

select enrichment.publish_queue();

-- 40_queue/apply

-- The worker's way back: raw replies come in, are stored for all readers, and decide the rows that asked for them. A bad element fails
-- alone.

create type enrichment.apply_outcome as (
    "position" integer, queue_id uuid, outcome text, status enrichment.queue_status, confidence enrichment.confidence,
    fields_applied text [], message text
);

create type enrichment.answered_element as ("position" integer, queue_id uuid, claim_token uuid, lookups jsonb, problem text);

create function enrichment.read_results(results jsonb)
returns setof enrichment.answered_element
language sql stable set search_path = ''
as $$
    select
        element.place::integer - 1,
        case when element.value ->> 'queue_id' ~ uuid_shape then (element.value ->> 'queue_id')::uuid end,
        case when element.value ->> 'claim_token' ~ uuid_shape then (element.value ->> 'claim_token')::uuid end,
        lookups,
        case
            when jsonb_typeof(element.value) <> 'object' then 'the element is not a JSON object'
            when coalesce(element.value ->> 'queue_id', '') !~ uuid_shape then 'queue_id is not a uuid'
            when coalesce(element.value ->> 'claim_token', '') !~ uuid_shape then 'claim_token is not a uuid'
            when jsonb_typeof(lookups) <> 'array' then 'lookups is not an array'
            else (
                select format('look-up %s: %s', l.place - 1, problem.text)
                from jsonb_array_elements(case when jsonb_typeof(lookups) = 'array' then lookups else '[]' end) with ordinality as l (value, place)
                cross join lateral (
                    select case
                        when not exists (select 1 from enrichment.providers as p where p.provider = l.value ->> 'provider') then 'unknown provider'
                        when coalesce(l.value ->> 'kind', '') not in ('isbn', 'title') then 'kind is neither isbn nor title'
                        when coalesce(length(l.value ->> 'key'), 0) not between 1 and 255 then 'key has not 1 to 255 characters'
                        when l.value -> 'no_match' is distinct from 'true' and jsonb_typeof(l.value -> 'raw') is distinct from 'object'
                            then 'neither raw (an object) nor no_match'
                        when length(l.value ->> 'raw') > 1000000 then 'raw is longer than 1,000,000 characters'
                    end as text
                ) as problem
                where problem.text is not null
                order by l.place
                limit 1
            )
        end
    from jsonb_array_elements(read_results.results) with ordinality as element (value, place)
    cross join lateral coalesce(element.value -> 'lookups', '[]') as lookups
    cross join (values ('^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$')) as pattern (uuid_shape)
$$;
comment on function enrichment.read_results(jsonb) is 'The elements of an apply call, each with what is wrong with it, if anything.';

create function enrichment.store_lookups(elements enrichment.answered_element[])
returns void
language sql set search_path = ''
as $$
    insert into public.source_records as s (provider, entity_type, provider_id, raw, fetched_at)
    select distinct on (l.value ->> 'provider', l.value ->> 'kind', l.value ->> 'key')
        l.value ->> 'provider', (l.value ->> 'kind') || '_lookup', l.value ->> 'key',
        case when l.value -> 'no_match' = 'true' then '{"no_match": true}' else l.value -> 'raw' end, now()
    from unnest(store_lookups.elements) as e
    cross join lateral jsonb_array_elements(e.lookups) as l (value)
    order by l.value ->> 'provider', l.value ->> 'kind', l.value ->> 'key', l.value -> 'no_match' = 'true' nulls first
    on conflict (provider, entity_type, provider_id) do update
    set raw = excluded.raw, fetched_at = excluded.fetched_at
$$;
comment on function enrichment.store_lookups(enrichment.answered_element[]) is
'Keeps each reply once, under its look-up key, as source_records of our own entity types isbn_lookup and title_lookup.';

create function enrichment.apply_enrichment_impl(results jsonb)
returns setof enrichment.apply_outcome
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    elements enrichment.answered_element[];
    fenced enrichment.answered_element[];
    fenced_ids uuid[];
begin
    if jsonb_typeof(apply_enrichment_impl.results) is distinct from 'array' then
        perform enrichment.refuse('PT422', 'results is not a JSON array', 'send [{"queue_id", "claim_token", "lookups"}]');
    end if;
    perform enrichment.refuse_long_list(jsonb_array_length(apply_enrichment_impl.results));
    select array_agg(r) into elements from enrichment.read_results(apply_enrichment_impl.results) as r;

    perform enrichment.refresh_parsed_works(array(
        select q.work_id from public.enrichment_queue as q where q.id in (select e.queue_id from unnest(elements) as e)
    ));

    with held as (
        select q.id, q.claim_token
        from public.enrichment_queue as q
        where q.id in (select e.queue_id from unnest(elements) as e where e.problem is null) and q.status = 'in_progress'
        order by q.id
        for update
    )

    select array_agg(first.e), array_agg((first.e).queue_id) into fenced, fenced_ids
    from (
        select distinct on (e.queue_id) e
        from unnest(elements) as e
        join held on held.id = e.queue_id and held.claim_token = e.claim_token
        where e.problem is null
        order by e.queue_id, e."position"
    ) as first;

    perform enrichment.store_lookups(fenced);

    return query
    with resolved as (select r.* from enrichment.resolve_claimed(fenced_ids) as r where fenced_ids is not null)

    select
        e."position", e.queue_id,
        case when e.problem is not null then 'rejected' when r.queue_id is null then 'stale_claim' else 'applied' end,
        r.status, r.confidence, r.fields_applied,
        case
            when e.problem is not null then e.problem
            when r.queue_id is null then 'the claim is no longer yours; nothing was changed'
            else coalesce(r.last_error, r.wait_reason)
        end
    from unnest(elements) as e
    left join unnest(fenced) as f on f."position" = e."position"
    left join resolved as r on r.queue_id = f.queue_id
    order by e."position";
end
$$;

-- 40_queue/claim

-- How a worker takes rows: due ones, in order of priority, with a token and the look-ups they need, only for providers that may be called
-- now. Before: enqueue. After: the worker asks the providers, then apply, fail or release.

create type enrichment.claimed_row as (
    queue_id uuid, claim_token uuid, work_id uuid, edition_id uuid, title text, authors text [], attempt_count integer, lookups jsonb
);

create function enrichment.backoff_delay(attempt_count integer)
returns interval
language sql stable set search_path = ''
as $$
    select make_interval(secs => least(s.backoff_base_seconds * 2.0 ^ (greatest(backoff_delay.attempt_count, 1) - 1), s.backoff_max_seconds))
    from enrichment.settings as s
$$;
comment on function enrichment.backoff_delay(integer) is 'Wait after the n-th spent attempt: backoff_base_seconds, doubling, at most backoff_max_seconds.';

create function enrichment.postpone_unservable(queue_ids uuid[])
returns void
language sql set search_path = ''
as $$
    update public.enrichment_queue as q
    set next_attempt_after = waiting.until, wait_reason = waiting.reason, updated_at = now()
    from (
        select
            due.id,
            case
                when is_switched_off then 'infinity'
                -- One after the other, as the calls come back, or a thousand rows would be put off again for each call.
                when n.wait_reason = 'rate' then n.available_at + least(
                    make_interval(secs => ((row_number() over (partition by n.provider order by due.priority, due.id) - 1) / p.rate_per_second)::double precision),
                    interval '1 hour'
                )
                else n.available_at
            end as until,
            case when is_switched_off then 'auto_disabled' else n.wait_reason end as reason
        from public.enrichment_queue as due
        cross join enrichment.settings as s
        cross join lateral (select not s.auto_enabled and due.trigger_source <> 'manual_bulk') as switch (is_switched_off)
        left join enrichment.needed_lookups as n on n.queue_id = due.id
        left join enrichment.providers as p on p.provider = n.provider
        where due.id = any(postpone_unservable.queue_ids)
    ) as waiting
    where q.id = waiting.id and waiting.reason is not null
$$;
comment on function enrichment.postpone_unservable(uuid[]) is
'Due rows wait for the switch, or for the provider of their next look-up where that may not be called now, with the reason; behind an empty bucket in a line, of at most an hour. The caller holds their locks.';

create function enrichment.lock_due_rows(most integer)
returns uuid[]
language sql set search_path = ''
as $$
    -- Parsed works come before queue rows in every verb's order of locks, or a renamed work makes two of them wait for each other.
    select enrichment.refresh_parsed_works(array(
        select q.work_id
        from public.enrichment_queue as q
        where q.is_open and q.status = 'pending' and q.next_attempt_after <= now()
        order by q.priority, q.next_attempt_after, q.id
        limit lock_due_rows.most
    ));

    with picked as (
        select q.id, q.priority, q.next_attempt_after
        from public.enrichment_queue as q
        where q.is_open and q.status = 'pending' and q.next_attempt_after <= now()
        order by q.priority, q.next_attempt_after, q.id
        limit lock_due_rows.most
        for update skip locked
    )

    select array_agg(picked.id order by picked.priority, picked.next_attempt_after, picked.id) from picked
$$;
comment on function enrichment.lock_due_rows(integer) is
'Locks up to that many due rows that nobody else holds, first come first, their works freshly parsed. Two claimers never get the same row.';

create function enrichment.claim_enrichment_impl(worker_name text, batch_size integer)
returns setof enrichment.claimed_row
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    batch integer := coalesce(claim_enrichment_impl.batch_size, (select s.batch_size from enrichment.settings as s));
    due_ids uuid[];
    servable_ids uuid[];
begin
    if batch not between 1 and 1000 then
        perform enrichment.refuse('PT422', format('batch_size %s is not between 1 and 1,000', batch), 'ten is the default');
    end if;

    -- Rows that must wait are put off by the thousand, so that one claim finds what can be served behind them.
    loop
        due_ids := enrichment.lock_due_rows(case when due_ids is null then batch else 1000 end);
        exit when due_ids is null;
        perform enrichment.postpone_unservable(due_ids);
        select array_agg(q.id order by array_position(due_ids, q.id)) into servable_ids
        from public.enrichment_queue as q
        where q.id = any(due_ids) and q.next_attempt_after <= now();
        exit when servable_ids is not null;
    end loop;

    return query
    with claimed as (
        update public.enrichment_queue as q
        set status = 'in_progress', started_at = now(), attempt_count = q.attempt_count + 1, wait_reason = null,
            claim_token = gen_random_uuid(), claimed_by = left(claim_enrichment_impl.worker_name, 200), updated_at = now()
        where q.id = any(servable_ids[1:batch])
        returning q.*
    )

    select
        c.id, c.claim_token, c.work_id, c.edition_id, w.title, w.author_names, c.attempt_count::integer,
        coalesce((
            select jsonb_agg(jsonb_build_object('provider', n.provider, 'kind', n.kind, 'key', n.key, 'title', n.title, 'author', n.author))
            from enrichment.needed_lookups as n
            where n.queue_id = c.id
        ), '[]')
    from claimed as c
    join enrichment.parsed_works as w on w.work_id = c.work_id
    order by array_position(servable_ids, c.id);
end
$$;

-- 40_queue/enqueue

-- How a work gets in line: asked for by an import, by the host or by a reader's button. One outcome per work; a work that has nothing to
-- gain is not queued.

create type enrichment.enqueue_outcome as (work_id uuid, outcome text, queue_id uuid);

create function enrichment.enqueue_works(
    work_ids uuid[], edition_ids uuid[], trigger_source enrichment.trigger_source, triggered_by uuid, priority integer, import_id uuid
)
returns setof enrichment.enqueue_outcome
language plpgsql set search_path = ''
as $$
declare
    waits_for_switch boolean := enqueue_works.trigger_source <> 'manual_bulk'
        and not (select s.auto_enabled from enrichment.settings as s);
    -- Lists go by id: rows stand there in the order in which their works were named, whatever order they are written in.
    minted uuid[] := array(select enrichment.uuid_v7() as id from unnest(enqueue_works.work_ids) order by id);
    new_ids uuid[];
    complete_ids uuid[];
    known_miss_ids uuid[];
begin
    perform enrichment.refresh_parsed_works(coalesce(enqueue_works.work_ids, '{}'));

    with asked as (
        select distinct on (a.work_id) a.work_id, coalesce(a.edition_id, c.edition_id) as edition_id, a.place
        from unnest(enqueue_works.work_ids, enqueue_works.edition_ids) with ordinality as a (work_id, edition_id, place)
        left join enrichment.choose_editions(enqueue_works.work_ids, enqueue_works.triggered_by) as c on c.work_id = a.work_id
        order by a.work_id, a.edition_id
    ),

    inserted as (
        insert into public.enrichment_queue as q (
            id, work_id, edition_id, triggered_by, import_id, trigger_source, priority, max_attempts, next_attempt_after, wait_reason, scored_at
        )
        select
            minted[asked.place], w.id, asked.edition_id, enqueue_works.triggered_by, enqueue_works.import_id, enqueue_works.trigger_source,
            enqueue_works.priority, (select s.max_attempts from enrichment.settings as s),
            case when waits_for_switch then 'infinity' else now() end,
            case when waits_for_switch then 'auto_disabled' else 'queued' end,
            (select max(earlier.scored_at) from public.enrichment_queue as earlier where earlier.work_id = w.id)
        from asked
        join public.works as w on w.id = asked.work_id
        where not exists (select 1 from public.enrichment_queue as r where r.work_id = w.id and (r.is_open or r.is_in_review))
        order by w.id
        on conflict (work_id) where is_open do nothing
        returning q.id
    )

    select coalesce(array_agg(inserted.id), '{}') into new_ids from inserted;

    -- While the insert waited for somebody else's row, that one may have come to review; a second could never join it there.
    delete from public.enrichment_queue as q
    where q.id = any(new_ids) and exists (select 1 from public.enrichment_queue as r where r.work_id = q.work_id and r.is_in_review);
    if found then
        new_ids := array(select q.id from public.enrichment_queue as q where q.id = any(new_ids));
    end if;

    select coalesce(array_agg(new_id), '{}') into complete_ids
    from unnest(new_ids) as new_id
    where not exists (select 1 from enrichment.wanted_fields as gaps where gaps.queue_id = new_id);

    select coalesce(array_agg(q.id), '{}') into known_miss_ids
    from public.enrichment_queue as q
    where q.id = any(new_ids) and q.id <> all(complete_ids)
        and not exists (select 1 from enrichment.needed_lookups as n where n.queue_id = q.id)
        and not exists (
            select 1 from enrichment.queue_records as r
            where r.queue_id = q.id and r.fetched_at > coalesce(q.scored_at, '-infinity') and not r.is_miss
        );

    with open_rows as (
        select q.id
        from public.enrichment_queue as q
        where q.work_id = any(enqueue_works.work_ids) and q.is_open and q.id <> all(new_ids) and (
            q.priority > enqueue_works.priority
            or (q.wait_reason = 'auto_disabled' and enqueue_works.trigger_source = 'manual_bulk')
        )
        order by q.id
        for update skip locked
    )

    update public.enrichment_queue as q
    set priority = least(q.priority, enqueue_works.priority),
        trigger_source = case when enqueue_works.trigger_source = 'manual_bulk' then 'manual_bulk' else q.trigger_source end,
        triggered_by = coalesce(q.triggered_by, enqueue_works.triggered_by),
        wait_reason = case when q.wait_reason = 'auto_disabled' and not waits_for_switch then 'queued' else q.wait_reason end,
        next_attempt_after = case
            when q.wait_reason = 'auto_disabled' and not waits_for_switch then now() else q.next_attempt_after
        end,
        updated_at = now()
    from open_rows
    where q.id = open_rows.id;
    if found then
        perform pg_notify('enrichment', 'queued');
    end if;

    return query
    select
        a.work_id,
        case
            when w.id is null then 'unknown'
            when q.id = any(complete_ids) then 'complete'
            when q.id = any(known_miss_ids) then 'known_miss'
            when q.id = any(new_ids) then 'enqueued'
            when q.is_in_review then 'in_review'
            else 'already_open'
        end,
        case when q.id = any(complete_ids || known_miss_ids) then null else q.id end
    from unnest(enqueue_works.work_ids) with ordinality as a (work_id, place)
    left join public.works as w on w.id = a.work_id
    left join public.enrichment_queue as q on q.work_id = w.id and (q.is_open or q.is_in_review)
    order by a.place;

    delete from public.enrichment_queue as q where q.id = any(complete_ids || known_miss_ids);
end
$$;
comment on function enrichment.enqueue_works(uuid[], uuid[], enrichment.trigger_source, uuid, integer, uuid) is
'Queues works, with an edition each where the caller knows it. Rows are inserted first and weighed by the same views as everywhere; those that could learn nothing are taken back before anyone sees them. Never waits for a row somebody works on: those are open already, and their priority no longer matters.';

create function enrichment.enqueue_enrichment_impl(work_ids uuid[], trigger_source text, triggered_by uuid, priority integer)
returns setof enrichment.enqueue_outcome
language plpgsql security definer set search_path = '' set jit = off
as $$
begin
    perform enrichment.refuse_long_list(cardinality(enqueue_enrichment_impl.work_ids));
    if enqueue_enrichment_impl.trigger_source is null
        or enqueue_enrichment_impl.trigger_source <> all(enum_range(null::enrichment.trigger_source)::text[]) then
        perform enrichment.refuse(
            'PT422', format('unknown trigger_source %s', enqueue_enrichment_impl.trigger_source), 'use post_import, manual_bulk or scheduled'
        );
    end if;
    if enqueue_enrichment_impl.priority not between 0 and 1000 then
        perform enrichment.refuse('PT422', 'priority must be between 0 and 1000', 'lower goes first: 50 for a person, 100 for an import');
    end if;
    if enqueue_enrichment_impl.triggered_by is not null
        and not exists (select 1 from public.users as u where u.id = enqueue_enrichment_impl.triggered_by) then
        perform enrichment.refuse('PT404', format('no user %s', enqueue_enrichment_impl.triggered_by), 'triggered_by is an id of public.users, or null');
    end if;
    return query
    select * from enrichment.enqueue_works(
        enqueue_enrichment_impl.work_ids, null, enqueue_enrichment_impl.trigger_source::enrichment.trigger_source,
        enqueue_enrichment_impl.triggered_by,
        coalesce(enqueue_enrichment_impl.priority, case when enqueue_enrichment_impl.trigger_source = 'manual_bulk' then 50 else 100 end), null
    );
end
$$;

create function enrichment.trigger_enrichment_impl(work_ids uuid[])
returns setof enrichment.enqueue_outcome
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    reader uuid := enrichment.current_reader();
begin
    perform enrichment.refuse_long_list(cardinality(trigger_enrichment_impl.work_ids));
    return query
    with own as (
        select array_agg(distinct i.work_id) as work_ids
        from public.library_items as i
        where i.user_id = reader and i.work_id = any(trigger_enrichment_impl.work_ids)
    )

    select a.work_id, coalesce(o.outcome, 'unknown'), o.queue_id
    from unnest(trigger_enrichment_impl.work_ids) with ordinality as a (work_id, place)
    left join (
        select enqueued.*
        from own cross join lateral enrichment.enqueue_works(own.work_ids, null, 'manual_bulk', reader, 50, null) as enqueued
    ) as o on o.work_id = a.work_id
    order by a.place;
end
$$;

create function enrichment.trigger_missing_enrichment_impl()
returns setof enrichment.enqueue_outcome
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    reader uuid := enrichment.current_reader();
begin
    return query
    with missing as (
        select i.work_id
        from public.library_items as i
        join public.works as w on w.id = i.work_id
        left join public.editions as e on e.id = i.preferred_edition_id
        where i.user_id = reader and cardinality(enrichment.empty_fields(w, e)) > 0
            and not exists (
                select 1 from public.enrichment_queue as q
                where q.work_id = i.work_id and (q.is_open or q.is_in_review) and q.wait_reason is distinct from 'auto_disabled'
            )
        order by i.created_at desc
        limit 1000
    ),

    listed as (select array_agg(missing.work_id) as work_ids from missing)

    select enqueued.*
    from listed cross join lateral enrichment.enqueue_works(listed.work_ids, null, 'manual_bulk', reader, 50, null) as enqueued;
end
$$;

-- 40_queue/lookups

-- What a waiting row still needs: the records that answer it already, the fields it wants, the look-ups that could fill them, and of
-- those the next. Claim, sweep, preview and health read these views; so may you, in the dashboard.

create view enrichment.queue_records with (security_invoker = true) as
select
    path.queue_id, path.is_open, path.scored_at, s.provider::text as provider, s.entity_type::text as entity_type,
    s.provider_id::text as provider_id, s.fetched_at, s.is_miss
from (
    select q.id as queue_id, q.is_open, q.scored_at, x.provider, x.entity_type, x.provider_id
    from public.enrichment_queue as q
    join public.external_ids as x on x.entity_type = 'work' and x.entity_id = q.work_id
    union all
    select q.id, q.is_open, q.scored_at, x.provider, x.entity_type, x.provider_id
    from public.enrichment_queue as q
    join public.external_ids as x on x.entity_type = 'edition' and x.entity_id = q.edition_id
    union all
    select q.id, q.is_open, q.scored_at, p.provider, 'isbn_lookup', isbn
    from public.enrichment_queue as q
    join public.editions as e on e.id = q.edition_id
    cross join lateral enrichment.isbn_key(coalesce(nullif(e.isbn13, ''), e.isbn10)) as isbn
    join enrichment.providers as p on p.fills <> '{}'
    where isbn is not null
    union all
    select q.id, q.is_open, q.scored_at, p.provider, 'title_lookup', w.lookup_key
    from public.enrichment_queue as q
    join enrichment.parsed_works as w on w.work_id = q.work_id
    join enrichment.providers as p on p.fills <> '{}'
) as path
join enrichment.valid_records as s
    on s.provider = path.provider and s.entity_type = path.entity_type and s.provider_id = path.provider_id;
revoke all on enrichment.queue_records from public, anon, authenticated, service_role;
comment on view enrichment.queue_records is
'The still valid source records that speak of a queue row''s work: by external id of the work or its edition, by our look-up of its ISBN or of its title.';

create view enrichment.wanted_fields with (security_invoker = true) as
select q.id as queue_id, gaps.fields
from public.enrichment_queue as q
join public.works as w on w.id = q.work_id
left join public.editions as e on e.id = q.edition_id
cross join lateral (
    select array_agg(gap.field) as fields
    from unnest(enrichment.empty_fields(w, e)) as gap (field)
    where not exists (
        select 1 from enrichment.field_locks as l
        where l.field = gap.field and l.entity_id = case when gap.field like 'work.%' then w.id else e.id end
    )
) as gaps
where gaps.fields is not null;
revoke all on enrichment.wanted_fields from public, anon, authenticated, service_role;
comment on view enrichment.wanted_fields is 'The gaps of each queue row''s work and edition: empty fields that nobody locked. No row where there is none.';

create view enrichment.possible_lookups with (security_invoker = true) as
select distinct on (q.id, p."position")
    q.id as queue_id, p.provider, p."position",
    -- Which edition it is shows by ISBN alone: without one, a look-up can only say something of the work.
    case when isbn is null then array(select field from unnest(p.fills) as field where field like 'work.%') else p.fills end as fills,
    stage.kind, stage.key, w.title, w.author_names[1] as author,
    s.wait_reason, s.available_at,
    t.finish_without_budget and s.is_out_for_today
    and p."position" > (select min(first."position") from enrichment.provider_states as first where first.is_permitted) as is_given_up
from public.enrichment_queue as q
join enrichment.parsed_works as w on w.work_id = q.work_id
left join public.editions as e on e.id = q.edition_id
cross join lateral enrichment.isbn_key(coalesce(nullif(e.isbn13, ''), e.isbn10)) as isbn
cross join enrichment.settings as t
join enrichment.providers as p on p.fills <> '{}'
join enrichment.provider_states as s on s.provider = p.provider and s.is_permitted
left join enrichment.valid_records as by_isbn
    on by_isbn.provider = p.provider and by_isbn.entity_type = 'isbn_lookup' and by_isbn.provider_id = isbn
left join enrichment.valid_records as by_title
    on by_title.provider = p.provider and by_title.entity_type = 'title_lookup' and by_title.provider_id = w.lookup_key
cross join lateral (
    select 1 as rank, 'isbn' as kind, isbn as key
    where isbn is not null and by_isbn.provider is null
    union all
    select 2, 'title', w.lookup_key
    where by_title.provider is null and (isbn is null or by_isbn.is_miss) and w.title_key <> ''
) as stage
where not p.needs_opt_in or exists (
    select 1 from public.users as u
    where coalesce(to_jsonb(u) ->> 'enable_google_books', 'true') = 'true'
        and (u.id = q.triggered_by or (q.triggered_by is null and exists (
            select 1 from public.library_items as i where i.user_id = u.id and i.work_id = q.work_id
        )))
)
order by q.id, p."position", stage.rank;
revoke all on enrichment.possible_lookups from public, anon, authenticated, service_role;
comment on view enrichment.possible_lookups is
'The next look-up each permitted provider could make for a queue row: by ISBN, then by title where there is no ISBN or it is unknown there, and the title has letters. No row where all have a valid answer. is_given_up: a later provider that is out for today, which rows do without unless settings.finish_without_budget is off.';

create view enrichment.needed_lookups with (security_invoker = true) as
select distinct on (l.queue_id)
    l.queue_id, l.provider, l.kind, l.key, l.title, l.author, l.wait_reason, l.available_at
from enrichment.possible_lookups as l
join enrichment.wanted_fields as gaps on gaps.queue_id = l.queue_id and gaps.fields && l.fills
where not l.is_given_up
order by l.queue_id, l."position";
revoke all on enrichment.needed_lookups from public, anon, authenticated, service_role;
comment on view enrichment.needed_lookups is
'The look-up a queue row needs next: the first provider''s that could fill one of its gaps. wait_reason is null where it may be made now.';

-- One row each, but until somebody says so the planner expects hundreds.
analyze enrichment.settings, enrichment.providers;

-- 40_queue/settle

-- How a claim ends without an answer: a lasting error spends an attempt, anything else gives the row back, and a worker that does not
-- come back loses its claim.

create type enrichment.row_state as (
    queue_id uuid, status enrichment.queue_status, attempt_count integer, next_attempt_after timestamptz, wait_reason text, last_error text
);

create function enrichment.refuse_lost_claim(queue_id uuid)
returns void
language plpgsql stable set search_path = ''
as $$
begin
    if not exists (select 1 from public.enrichment_queue as q where q.id = refuse_lost_claim.queue_id) then
        perform enrichment.refuse('PT404', format('no queue row %s', refuse_lost_claim.queue_id), 'it may have been pruned');
    end if;
    perform enrichment.refuse(
        'PT409', format('the claim on queue row %s is no longer yours', refuse_lost_claim.queue_id), 'drop the answer and claim again'
    );
end
$$;
comment on function enrichment.refuse_lost_claim(uuid) is 'Raises PT404 or PT409 for a finish whose token does not hold.';

create function enrichment.spend_attempts(queue_ids uuid[], error text, wait_reason text)
returns setof enrichment.row_state
language sql set search_path = ''
as $$
    with spent as (
        update public.enrichment_queue as q
        set status = case when q.attempt_count >= q.max_attempts then 'failed' else 'pending' end::enrichment.queue_status,
            finished_at = case when q.attempt_count >= q.max_attempts then now() end,
            wait_reason = case when q.attempt_count < q.max_attempts then spend_attempts.wait_reason end,
            next_attempt_after = now() + enrichment.backoff_delay(q.attempt_count),
            last_error = left(spend_attempts.error, 2000), claim_token = null, updated_at = now()
        where q.id = any(spend_attempts.queue_ids)
        returning q.*
    ),

    logged as (
        insert into public.enrichment_audit_log (enrichment_queue_id, work_id, edition_id, import_id, action, confidence, match_details)
        select f.id, f.work_id, f.edition_id, f.import_id, 'failed', f.confidence, jsonb_build_object('error', f.last_error)
        from spent as f
        where f.status = 'failed'
    ),

    failed_works as (
        select w.id from public.works as w where w.id in (select f.work_id from spent as f where f.status = 'failed') order by w.id for no key update
    ),

    marked as (
        update public.works as w set enrichment_status = 'failed', last_enriched_at = now() from failed_works where w.id = failed_works.id
    )

    select s.id, s.status, s.attempt_count::integer, s.next_attempt_after, s.wait_reason, s.last_error from spent as s order by s.id
$$;
comment on function enrichment.spend_attempts(uuid[], text, text) is
'Ends attempts that crashed or met a lasting error: back to pending with backoff, or failed when the last one is spent. The caller holds the rows'' locks.';

create function enrichment.fail_enrichment_impl(queue_id uuid, claim_token uuid, error text)
returns setof enrichment.row_state
language plpgsql security definer set search_path = ''
as $$
begin
    perform 1 from public.enrichment_queue as q
    where q.id = fail_enrichment_impl.queue_id and q.status = 'in_progress' and q.claim_token = fail_enrichment_impl.claim_token
    for update;
    if not found then
        perform enrichment.refuse_lost_claim(fail_enrichment_impl.queue_id);
    end if;
    return query select * from enrichment.spend_attempts(array[fail_enrichment_impl.queue_id], fail_enrichment_impl.error, 'backoff');
end
$$;

create function enrichment.release_enrichment_impl(queue_id uuid, claim_token uuid, reason text, retry_at timestamptz)
returns setof enrichment.row_state
language plpgsql security definer set search_path = ''
as $$
begin
    if coalesce(release_enrichment_impl.reason, '') = '' then
        perform enrichment.refuse('PT422', 'a released row needs a reason', 'say why it waits: rate, daily, breaker, unreachable, stopped …');
    end if;
    return query
    update public.enrichment_queue as q
    set status = 'pending', attempt_count = q.attempt_count - 1, wait_reason = left(release_enrichment_impl.reason, 200),
        next_attempt_after = coalesce(release_enrichment_impl.retry_at, now()), claim_token = null, updated_at = now()
    where q.id = release_enrichment_impl.queue_id and q.status = 'in_progress' and q.claim_token = release_enrichment_impl.claim_token
    returning q.id, q.status, q.attempt_count::integer, q.next_attempt_after, q.wait_reason, q.last_error;
    if not found then
        perform enrichment.refuse_lost_claim(release_enrichment_impl.queue_id);
    end if;
end
$$;

create function enrichment.reset_stale_enrichment_impl(older_than interval)
returns setof enrichment.row_state
language plpgsql security definer set search_path = ''
as $$
declare
    stale_ids uuid[];
begin
    select array_agg(stale.id) into stale_ids
    from (
        select q.id
        from public.enrichment_queue as q
        cross join enrichment.settings as s
        where q.is_open and q.status = 'in_progress'
            and q.started_at < now() - coalesce(reset_stale_enrichment_impl.older_than, make_interval(secs => s.stale_after_seconds))
        order by q.id
        limit 1000
        for update of q skip locked
    ) as stale;
    perform enrichment.reset_stale_covers(reset_stale_enrichment_impl.older_than);
    return query select * from enrichment.spend_attempts(stale_ids, 'the worker did not come back', 'stale');
end
$$;

-- 40_queue/sweep

-- The lane without HTTP: whatever stored replies can answer is decided inside the database, each minute, while the app sleeps.

create type enrichment.resolution as (
    queue_id uuid, work_id uuid, status enrichment.queue_status, confidence enrichment.confidence, fields_applied text [],
    wait_reason text, last_error text
);

create function enrichment.sweep_enrichment_impl(batch_size integer)
returns setof enrichment.resolution
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    batch integer := coalesce(sweep_enrichment_impl.batch_size, (select s.sweep_batch_size from enrichment.settings as s));
    answerable_ids uuid[];
    claimed_ids uuid[];
begin
    if batch not between 1 and 1000 then
        perform enrichment.refuse('PT422', format('batch_size %s is not between 1 and 1,000', batch), 'call it again for more');
    end if;

    perform enrichment.parse_new_works();
    -- A statement of its own: as a subquery it was run once per row under stale statistics, 109 s for 1,000 rows.
    select array_agg(distinct r.queue_id) into answerable_ids
    from enrichment.queue_records as r
    where r.is_open and r.fetched_at > coalesce(r.scored_at, '-infinity');

    perform enrichment.refresh_parsed_works(array(
        select q.work_id
        from public.enrichment_queue as q
        where q.id = any(answerable_ids) and q.status = 'pending'
        order by q.priority, q.next_attempt_after, q.id
        limit batch
    ));

    with picked as (
        select q.id
        from public.enrichment_queue as q
        cross join enrichment.settings as s
        where q.id = any(answerable_ids) and q.status = 'pending' and (s.auto_enabled or q.trigger_source = 'manual_bulk')
            and (q.next_attempt_after <= now() or q.wait_reason not in ('backoff', 'stale', 'auto_disabled'))
        order by q.priority, q.next_attempt_after, q.id
        limit batch
        for update of q skip locked
    ),

    claimed as (
        update public.enrichment_queue as q
        set status = 'in_progress', started_at = now(), attempt_count = q.attempt_count + 1, wait_reason = null,
            claim_token = gen_random_uuid(), claimed_by = 'sweep', updated_at = now()
        from picked
        where q.id = picked.id
        returning q.id
    )

    select array_agg(claimed.id) into claimed_ids from claimed;

    if claimed_ids is not null then
        return query select * from enrichment.resolve_claimed(claimed_ids);
    end if;
end
$$;

-- 40_queue/transitions

-- The state diagram, kept by the database itself, whoever tries: rows start as pending and move along eight transitions; what was
-- undone stays undone.

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

create trigger queue_rows_are_undone_once before update of undone_at on public.enrichment_queue
for each row when (old.undone_at is not null and new.undone_at is distinct from old.undone_at)
execute function enrichment.refuse_second_undo();

-- 40_queue/verdicts

-- What becomes of rows whose records are in: filled and completed, proposed for review, skipped, or back in line for the next look-up.
-- The sweep and apply both end here.

create type enrichment.verdict as (
    queue_id uuid, status enrichment.queue_status, confidence enrichment.confidence, fields_applied text [],
    wait_reason text, next_attempt_after timestamptz, match_details jsonb, providers text [], lookup jsonb
);
comment on type enrichment.verdict is 'What becomes of a queue row once its candidates are weighed; lookup is what a pending one would ask next.';

create function enrichment.explain_choice(is_contested boolean, agreement text[])
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return case
        when explain_choice.is_contested then ', but another book fits as well'
        when cardinality(explain_choice.agreement) = 2 then ', two providers agree'
        when cardinality(explain_choice.agreement) > 2 then format(', %s providers agree', cardinality(explain_choice.agreement))
        else ''
    end;
end
$$;
comment on function enrichment.explain_choice(boolean, text[]) is
'How the best candidate''s sentence ends: that a rival fits as well, or that providers agree on it.';

create function enrichment.compact_parts(parts jsonb)
returns jsonb
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return compact_parts.parts
        #- '{title,ours,numbers}' #- '{title,ours,forms}' #- '{title,ours,words}'
        #- '{title,theirs,numbers}' #- '{title,theirs,forms}' #- '{title,theirs,words}';
end
$$;
comment on function enrichment.compact_parts(jsonb) is
'The parts of explain_match as they are kept with a row: without the lists that are derived from the titles.';

create function enrichment.describe_candidates(books enrichment.scored_book[], offers enrichment.offered_value[])
returns table (queue_id uuid, details jsonb)
language sql stable set search_path = ''
as $$
    -- Materialized, or explain_match would run once per mention.
    with explained as materialized (
        select
            b.queue_id, b.provider, b.work_key, b.title, b.authors, b.source_record, b.title_score, b.author_score, b.isbn_score, b.confidence,
            b.place, b.is_contested, b.is_rival, b.agreement, b."values" ->> 'work.cover_url' as cover_url,
            b.provider || ':' || b.work_key as candidate,
            enrichment.explain_match(w.title_parts, b.title_parts, w.author_parts, b.author_parts, b.isbn_score) as match
        from unnest(describe_candidates.books) as b
        join public.enrichment_queue as q on q.id = b.queue_id
        join enrichment.parsed_works as w on w.work_id = q.work_id
        where b.place <= 5 or b.is_rival
    ),

    -- The best one's description stands among the proposals already.
    choices as (
        select o.queue_id, o.provider, o.work_key, jsonb_object_agg(o.field, o.value) as "values"
        from unnest(describe_candidates.offers) as o
        where o.is_alternative or o.field <> 'work.description'
        group by o.queue_id, o.provider, o.work_key
    )

    select
        e.queue_id,
        jsonb_strip_nulls(jsonb_build_object(
            'sentence', (array_agg((e.match ->> 'sentence') || enrichment.explain_choice(e.is_contested, e.agreement) order by e.place))[1],
            'candidates', jsonb_agg(jsonb_build_object(
                'candidate', e.candidate, 'provider', e.provider, 'work_key', e.work_key, 'title', e.title, 'authors', e.authors,
                'title_score', e.title_score, 'author_score', e.author_score, 'isbn_score', e.isbn_score, 'confidence', e.confidence,
                'sentence', e.match -> 'sentence', 'parts', case when e.place = 1 or e.confidence >= 'low' then enrichment.compact_parts(e.match -> 'parts') end,
                'source_record', e.source_record, 'source_url', enrichment.source_url(e.provider, e.work_key), 'cover_url', e.cover_url,
                'values', case when e.is_rival or (e.is_contested and e.place = 1) then c."values" end
            ) order by e.place),
            'rivals', jsonb_agg(e.candidate order by e.place) filter (where e.is_rival or (e.is_contested and e.place = 1)),
            'agreement', (array_agg(to_jsonb(e.agreement)))[1]
        ))
    from explained as e
    left join choices as c on c.queue_id = e.queue_id and c.provider = e.provider and c.work_key = e.work_key
    group by e.queue_id
$$;
comment on function enrichment.describe_candidates(enrichment.scored_book[], enrichment.offered_value[]) is
'What match_details says of each row''s five best candidates and of all rivals: every part of every score, a sentence, where to look at the book, and what a rival would fill.';

create function enrichment.reach_verdicts(queue_ids uuid[], books enrichment.scored_book[], offers enrichment.offered_value[])
returns setof enrichment.verdict
language sql stable set search_path = ''
as $$
    with offered as (
        select
            o.queue_id,
            array_agg(o.field order by o.field) filter (where not o.is_alternative) as fields,
            array_agg(o.field order by o.field) filter (where o.is_applied) as applied,
            jsonb_object_agg(o.field, jsonb_build_object(
                'value', o.value, 'provider', o.provider, 'work_key', o.work_key, 'candidate', o.provider || ':' || o.work_key,
                'source_record', o.source_record, 'confidence', o.confidence
            )) filter (where not o.is_applied and not o.is_alternative) as proposals,
            bool_or(o.is_alternative) as has_alternatives
        from unnest(reach_verdicts.offers) as o
        group by o.queue_id
    ),

    best as (
        select b.queue_id, b.confidence from unnest(reach_verdicts.books) as b where b.place = 1
    ),

    lookups as materialized (
        select * from enrichment.possible_lookups as l where l.queue_id = any(reach_verdicts.queue_ids)
    ),

    wanted_lookups as (
        select l.*
        from lookups as l
        join enrichment.wanted_fields as gaps on gaps.queue_id = l.queue_id
        left join offered as o on o.queue_id = l.queue_id
        where exists (
            select 1 from unnest(gaps.fields) as field where field = any(l.fills) and field <> all(coalesce(o.fields, '{}'))
        )
    ),

    next_lookups as (
        select distinct on (l.queue_id) l.*
        from wanted_lookups as l
        where not l.is_given_up
        order by l.queue_id, l."position"
    ),

    given_up as (
        select l.queue_id, jsonb_object_agg(l.provider, l.wait_reason) as reasons
        from wanted_lookups as l
        where l.is_given_up
        group by l.queue_id
    ),

    records as (
        select r.queue_id, array_agg(distinct r.provider) as providers
        from enrichment.queue_records as r
        where r.queue_id = any(reach_verdicts.queue_ids)
        group by r.queue_id
    )

    select
        q.id,
        case
            when next_lookup.provider is not null then 'pending'
            when o.proposals is not null or o.has_alternatives then 'needs_review'
            when coalesce(best.confidence, 'none') >= 'medium' or q.fields_applied <> '{}' then 'completed'
            else 'skipped'
        end::enrichment.queue_status,
        coalesce(best.confidence, 'none'), coalesce(o.applied, '{}'),
        case when next_lookup.provider is not null then coalesce(next_lookup.wait_reason, 'next_lookup') end,
        case when next_lookup.wait_reason is not null then next_lookup.available_at else now() end,
        case
            when d.details is not null then d.details
            when next_lookup.provider is null then '{"sentence": "no provider knows this book"}'
            else '{}'
        end
        || jsonb_strip_nulls(jsonb_build_object(
            'proposals', o.proposals, 'not_asked', case when next_lookup.provider is null then g.reasons end
        )),
        r.providers,
        case when next_lookup.provider is not null then jsonb_build_object(
            'provider', next_lookup.provider, 'kind', next_lookup.kind, 'key', next_lookup.key, 'title', next_lookup.title,
            'author', next_lookup.author
        ) end
    from public.enrichment_queue as q
    left join offered as o on o.queue_id = q.id
    left join best on best.queue_id = q.id
    left join enrichment.describe_candidates(reach_verdicts.books, reach_verdicts.offers) as d on d.queue_id = q.id
    left join next_lookups as next_lookup on next_lookup.queue_id = q.id
    left join given_up as g on g.queue_id = q.id
    left join records as r on r.queue_id = q.id
    where q.id = any(reach_verdicts.queue_ids)
$$;
comment on function enrichment.reach_verdicts(uuid[], enrichment.scored_book[], enrichment.offered_value[]) is
'pending while a permitted look-up could still fill a gap nothing is offered for; needs_review where proposals are left or rivals ask for a choice; completed where a candidate was this book; else skipped.';

create function enrichment.resolve_rows(queue_ids uuid[])
returns setof enrichment.resolution
language plpgsql set search_path = ''
as $$
declare
    books enrichment.scored_book[];
    offers enrichment.offered_value[];
    verdicts enrichment.verdict[];
begin
    perform enrichment.parse_records(resolve_rows.queue_ids);
    perform enrichment.lock_catalogue(resolve_rows.queue_ids);

    select array_agg(s) into books from enrichment.score_candidates(resolve_rows.queue_ids) as s;
    select array_agg(b) into books from enrichment.choose_books(books) as b;
    select array_agg(o) into offers from enrichment.offer_values(books) as o;
    select array_agg(v) into verdicts from enrichment.reach_verdicts(resolve_rows.queue_ids, books, offers) as v;

    update public.enrichment_queue as q
    set status = v.status,
        confidence = v.confidence,
        fields_applied = q.fields_applied || v.fields_applied,
        cover_applied = q.cover_applied or 'work.cover_url' = any(v.fields_applied),
        providers_attempted = coalesce(v.providers, '{}'),
        match_details = v.match_details,
        wait_reason = v.wait_reason,
        next_attempt_after = v.next_attempt_after,
        attempt_count = q.attempt_count - (v.status = 'pending')::integer,
        finished_at = case when v.status in ('completed', 'skipped') then now() end,
        scored_at = now(), claim_token = null, last_error = null, updated_at = now()
    from unnest(verdicts) as v
    where q.id = v.queue_id;

    perform enrichment.write_values(offers, 'auto_applied', null);

    update public.works as w
    set enrichment_status = v.status, enrichment_confidence = v.confidence, last_enriched_at = now()
    from unnest(verdicts) as v
    join public.enrichment_queue as q on q.id = v.queue_id
    where w.id = q.work_id and v.status <> 'pending';

    insert into public.enrichment_audit_log (enrichment_queue_id, work_id, edition_id, import_id, action, confidence, match_details)
    select
        q.id, q.work_id, q.edition_id, q.import_id, case v.status when 'skipped' then 'skipped' else 'queued_review' end,
        v.confidence, v.match_details
    from unnest(verdicts) as v
    join public.enrichment_queue as q on q.id = v.queue_id
    where v.status in ('skipped', 'needs_review');

    return query
    select q.id, q.work_id, q.status, q.confidence, v.fields_applied, q.wait_reason, q.last_error
    from unnest(verdicts) as v
    join public.enrichment_queue as q on q.id = v.queue_id
    order by q.priority, q.id;
end
$$;
comment on function enrichment.resolve_rows(uuid[]) is
'Weighs, fills, proposes and closes claimed rows from the records there are; a row that needs another look-up goes back to pending with its attempt.';

create function enrichment.resolve_claimed(queue_ids uuid[])
returns setof enrichment.resolution
language plpgsql set search_path = ''
as $$
declare
    this_id uuid;
begin
    return query select * from enrichment.resolve_rows(resolve_claimed.queue_ids);
exception
    when others then
        -- Nobody should get here; if somebody does, the one row that cannot be resolved must not take the batch with it.
        if cardinality(resolve_claimed.queue_ids) > 1 then
            foreach this_id in array resolve_claimed.queue_ids loop
                return query select * from enrichment.resolve_claimed(array[this_id]);
            end loop;
        elsif sqlstate in ('40P01', '55P03') then
            -- Two transactions stood in each other's way: no fault of this row, so no attempt.
            return query
            update public.enrichment_queue as q
            set status = 'pending', attempt_count = q.attempt_count - 1, wait_reason = 'backoff', next_attempt_after = now() + interval '5 seconds',
                last_error = sqlstate || ': ' || sqlerrm, claim_token = null, updated_at = now()
            where q.id = resolve_claimed.queue_ids[1]
            returning q.id, q.work_id, q.status, q.confidence, '{}'::text[], q.wait_reason, q.last_error;
        else
            return query
            select s.queue_id, q.work_id, s.status, q.confidence, '{}'::text[], s.wait_reason, s.last_error
            from enrichment.spend_attempts(resolve_claimed.queue_ids, sqlstate || ': ' || sqlerrm, 'backoff') as s
            join public.enrichment_queue as q on q.id = s.queue_id;
        end if;
end
$$;
comment on function enrichment.resolve_claimed(uuid[]) is
'resolve_rows, one row at a time once the batch as a whole has raised; a row that raises alone spends an attempt, unless it only met a deadlock or a lock.';

-- 40_queue/wake

-- Nobody waits longer than the thing waited for: rows that come in wake the workers, and a changed setting wakes the rows it held up.

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

create trigger queue_rows_wake_workers after insert on public.enrichment_queue
for each statement execute function enrichment.wake_workers();

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

create trigger settings_wake_waiting_rows after update on enrichment.settings
for each row execute function enrichment.wake_waiting_rows();

-- 45_review/bulk

-- The same decisions for many rows at once: those of a confidence, a provider, a sentence or an import, counted first, then decided.

create type enrichment.matching_outcome as (
    is_dry_run boolean, matched integer, changed integer, skipped integer, fields jsonb, remaining integer
);

create function enrichment.matching_reviews(
    confidence text, provider text, sentence text, import_id uuid, fields text[], with_rivals boolean
)
returns uuid[]
language plpgsql stable set search_path = '' set random_page_cost = 1.1 set plan_cache_mode = force_custom_plan
as $$
declare
    reader uuid := enrichment.acting_reader();
begin
    if matching_reviews.confidence <> all(enum_range(null::enrichment.confidence)::text[]) then
        perform enrichment.refuse('PT422', format('unknown confidence %s', matching_reviews.confidence), 'use high, medium or low');
    end if;
    if exists (
        select 1 from unnest(matching_reviews.fields) as f
        where f is null or not enrichment.current_values(null::public.works, null::public.editions) ? f
    ) then
        perform enrichment.refuse('PT422', 'a field has no such name', 'use work.cover_url, edition.publisher …');
    end if;
    if matching_reviews.import_id is not null then
        perform enrichment.refuse_foreign_import(matching_reviews.import_id);
    end if;
    return array(
        select q.id
        from public.enrichment_queue as q
        where q.is_in_review
            and (reader is null or q.work_id in (select i.work_id from public.library_items as i where i.user_id = reader))
            and (matching_reviews.confidence is null or q.confidence = matching_reviews.confidence::enrichment.confidence)
            and (matching_reviews.sentence is null or q.match_details ->> 'sentence' = matching_reviews.sentence)
            and (matching_reviews.import_id is null or q.import_id = matching_reviews.import_id)
            and (matching_reviews.with_rivals or (q.match_details ? 'rivals') is not true)
            and (matching_reviews.fields is null or q.match_details -> 'proposals' ?| matching_reviews.fields)
            and (matching_reviews.provider is null or (
                select bool_and(shown.provider = matching_reviews.provider)
                from (
                    select p.value ->> 'provider' as provider from jsonb_each(q.match_details -> 'proposals') as p
                    union all
                    select split_part(r.candidate, ':', 1) from jsonb_array_elements_text(q.match_details -> 'rivals') as r (candidate)
                ) as shown
            ))
        order by q.id
    );
end
$$;
comment on function enrichment.matching_reviews(text, text, text, uuid, text[], boolean) is
'Rows in review, of a reader''s own library, that fit every filter that is not null: the confidence, the sentence, the import, one of the fields proposed, and all that is proposed, or shown as a rival, from one provider; those that show rivals only if asked for.';

create function enrichment.counted_fields(queue_ids uuid[], fields text[])
returns jsonb
language plpgsql stable set search_path = ''
as $$
begin
    return (
        select coalesce(jsonb_object_agg(counted.field, counted.times), '{}')
        from (
            select p.field, count(*) as times
            from public.enrichment_queue as q
            join enrichment.wanted_fields as gaps on gaps.queue_id = q.id
            cross join lateral jsonb_object_keys(q.match_details -> 'proposals') as p (field)
            where q.id = any(counted_fields.queue_ids) and p.field = any(gaps.fields)
                and (counted_fields.fields is null or p.field = any(counted_fields.fields))
            group by p.field
        ) as counted
    );
end
$$;
comment on function enrichment.counted_fields(uuid[], text[]) is 'How many of these rows would fill each field now: proposed, still empty, not locked.';

create function enrichment.lock_matching(queue_ids uuid[])
returns uuid[]
language plpgsql set search_path = ''
as $$
declare
    held uuid[];
begin
    with locked as (
        select q.id from public.enrichment_queue as q
        where q.id = any(lock_matching.queue_ids) and q.is_in_review
        order by q.id for update skip locked
    )

    select coalesce(array_agg(l.id order by l.id), '{}') into held from locked as l;
    -- All of them before the first is decided: row by row, two calls could wait for each other.
    perform enrichment.lock_catalogue(held);
    return held;
end
$$;
comment on function enrichment.lock_matching(uuid[]) is 'Locks those of these rows that are still in review and that nobody has in hand, with their works and editions.';

create function enrichment.approve_matching_impl(
    confidence text, provider text, sentence text, import_id uuid, fields text[], is_dry_run boolean
)
returns setof enrichment.matching_outcome
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    matching uuid[] := enrichment.matching_reviews(
        approve_matching_impl.confidence, approve_matching_impl.provider, approve_matching_impl.sentence, approve_matching_impl.import_id,
        approve_matching_impl.fields, false
    );
    held uuid[];
    approved integer := 0;
    refused integer := 0;
    skipped integer;
    written text[] := array[]::text[];
    decided enrichment.review_outcome;
    this_id uuid;
begin
    if coalesce(approve_matching_impl.is_dry_run, true) then
        return query
        select true, cardinality(matching), 0, 0, enrichment.counted_fields(matching, approve_matching_impl.fields), cardinality(matching);
        return;
    end if;

    held := enrichment.lock_matching(matching[:1000]);
    foreach this_id in array held loop
        exit when clock_timestamp() > statement_timestamp() + interval '5 seconds';
        begin
            select o.* into strict decided
            from public.enrichment_queue as q
            cross join lateral public.approve_enrichment(q.id, (
                select array_agg(f.name) from jsonb_object_keys(q.match_details -> 'proposals') as f (name)
                where approve_matching_impl.fields is null or f.name = any(approve_matching_impl.fields)
            )) as o
            where q.id = this_id;
            approved := approved + 1;
            written := written || decided.fields_applied;
        exception
            when others then
                refused := refused + 1;
        end;
    end loop;
    skipped := least(cardinality(matching), 1000) - cardinality(held) + refused;

    return query
    select false, cardinality(matching), approved, skipped,
        (select coalesce(jsonb_object_agg(f.name, f.times), '{}') from (select w.name, count(*) from unnest(written) as w (name) group by w.name) as f (name, times)),
        cardinality(matching) - approved - skipped;
end
$$;

create function enrichment.dismiss_matching_impl(confidence text, provider text, sentence text, import_id uuid, is_dry_run boolean)
returns setof enrichment.matching_outcome
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    matching uuid[] := enrichment.matching_reviews(
        dismiss_matching_impl.confidence, dismiss_matching_impl.provider, dismiss_matching_impl.sentence, dismiss_matching_impl.import_id, null,
        true
    );
    held uuid[];
    dismissed integer := 0;
    refused integer := 0;
    skipped integer;
    this_id uuid;
begin
    if coalesce(dismiss_matching_impl.is_dry_run, true) then
        return query select true, cardinality(matching), 0, 0, enrichment.counted_fields(matching, null), cardinality(matching);
        return;
    end if;

    held := enrichment.lock_matching(matching[:1000]);
    foreach this_id in array held loop
        exit when clock_timestamp() > statement_timestamp() + interval '5 seconds';
        begin
            perform o.queue_id from public.dismiss_enrichment(this_id) as o;
            dismissed := dismissed + 1;
        exception
            when others then
                refused := refused + 1;
        end;
    end loop;
    skipped := least(cardinality(matching), 1000) - cardinality(held) + refused;

    return query
    select false, cardinality(matching), dismissed, skipped, '{}'::jsonb,
        cardinality(matching) - dismissed - skipped;
end
$$;

-- 45_review/decide

-- What a person decides about one row in review: which proposals are written, or that it is another book. What was left unticked or
-- turned away does not come again unasked.

create type enrichment.review_outcome as (
    queue_id uuid, status enrichment.queue_status, fields_applied text [], fields_skipped text []
);

create function enrichment.lock_review(queue_id uuid)
returns public.enrichment_queue
language plpgsql set search_path = ''
as $$
declare
    row_in_review public.enrichment_queue;
begin
    select * into row_in_review from public.enrichment_queue as q where q.id = lock_review.queue_id for update;
    if not found then
        perform enrichment.refuse('PT404', format('no queue row %s', lock_review.queue_id), 'see list_enrichment()');
    end if;
    perform enrichment.refuse_foreign_work(row_in_review.work_id);
    if row_in_review.status <> 'needs_review' then
        perform enrichment.refuse(
            'PT409', format('queue row %s is %s, not needs_review', row_in_review.id, row_in_review.status), 'reload the review list'
        );
    end if;
    perform enrichment.lock_catalogue(array[row_in_review.id]);
    return row_in_review;
end
$$;
comment on function enrichment.lock_review(uuid) is 'Locks a row that waits for review, with its work and edition; PT404, PT403 or PT409 otherwise.';

create function enrichment.proposals_of(match_details jsonb, candidate text)
returns jsonb
language plpgsql immutable set search_path = ''
as $$
begin
    -- The best rival is what is proposed anyway; each other one keeps its values with it.
    if proposals_of.candidate is null or proposals_of.candidate = proposals_of.match_details #>> '{rivals,0}' then
        return coalesce(proposals_of.match_details -> 'proposals', '{}');
    end if;
    if proposals_of.match_details -> 'rivals' ? proposals_of.candidate then
        return (
            select coalesce(jsonb_object_agg(v.key, c.value - 'values' || jsonb_build_object('value', v.value)), '{}')
            from jsonb_array_elements(proposals_of.match_details -> 'candidates') as c
            cross join lateral jsonb_each(c.value -> 'values') as v
            where c.value ->> 'candidate' = proposals_of.candidate
        );
    end if;
    return (
        select jsonb_object_agg(p.key, p.value)
        from jsonb_each(proposals_of.match_details -> 'proposals') as p
        where p.value ->> 'candidate' = proposals_of.candidate
    );
end
$$;
comment on function enrichment.proposals_of(jsonb, text) is
'What a row in review would write if that candidate (provider:work_key, null: the best) is chosen: {field: {"value", "provider", "work_key", …}}. Null for a candidate that was not shown for a choice.';

create function enrichment.turn_away(reviewed public.enrichment_queue, candidates text[], is_dismissed boolean)
returns void
language sql set search_path = ''
as $$
    insert into enrichment.rejected_candidates (work_id, provider, candidate_key, is_dismissed, rejected_by)
    select distinct
        reviewed.work_id, split_part(candidate, ':', 1), substr(candidate, position(':' in candidate) + 1), turn_away.is_dismissed,
        enrichment.acting_reader()
    from unnest(turn_away.candidates) as candidate
    order by 1, 2, 3
    on conflict (work_id, provider, candidate_key) do update
    set is_dismissed = true, rejected_by = excluded.rejected_by, rejected_at = excluded.rejected_at
    where excluded.is_dismissed and not rejected_candidates.is_dismissed
$$;
comment on function enrichment.turn_away(public.enrichment_queue, text[], boolean) is
'Candidates of a row in review that are not proposed for its work again: dismissed as wrong, or passed over for another.';

create function enrichment.approve_enrichment_impl(queue_id uuid, fields text[], candidate text)
returns setof enrichment.review_outcome
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    reviewed public.enrichment_queue := enrichment.lock_review(approve_enrichment_impl.queue_id);
    proposals jsonb := enrichment.proposals_of(reviewed.match_details, approve_enrichment_impl.candidate);
    ticked text[] := coalesce(approve_enrichment_impl.fields, (select array_agg(name) from jsonb_object_keys(proposals) as name), '{}');
    rivals text[] := array(select jsonb_array_elements_text(reviewed.match_details -> 'rivals'));
    offers enrichment.offered_value[];
    applied text[];
begin
    if proposals is null then
        perform enrichment.refuse(
            'PT422', format('queue row %s shows no candidate %s to choose', reviewed.id, approve_enrichment_impl.candidate),
            'name one of match_details.rivals, or send null for the best'
        );
    end if;
    if exists (select 1 from unnest(ticked) as t where (proposals ? t) is not true) then
        perform enrichment.refuse(
            'PT422', format('queue row %s proposes no %s', reviewed.id, (select coalesce(t, 'null') from unnest(ticked) as t where (proposals ? t) is not true limit 1)),
            'name fields of match_details.proposals, or of the candidate''s values; null for all'
        );
    end if;

    select
        array_agg(row(
            reviewed.id, p.key, p.value ->> 'value', p.value ->> 'provider', p.value ->> 'work_key', p.value -> 'source_record',
            (p.value ->> 'confidence')::enrichment.confidence, p.key = any(ticked) and p.key = any(gaps.fields), false
        )::enrichment.offered_value),
        coalesce(array_agg(p.key order by p.key) filter (where p.key = any(ticked) and p.key = any(gaps.fields)), '{}')
    into offers, applied
    from jsonb_each(proposals) as p
    left join enrichment.wanted_fields as gaps on gaps.queue_id = reviewed.id;

    perform enrichment.write_values(offers, 'approved', enrichment.acting_reader());
    insert into enrichment.filled_fields (entity_id, field, provider, candidate_key)
    select case when o.field like 'work.%' then reviewed.work_id else reviewed.edition_id end, o.field, o.provider, o.work_key
    from unnest(offers) as o
    where not o.field = any(ticked) and (o.field like 'work.%' or reviewed.edition_id is not null)
    on conflict do nothing;
    perform enrichment.turn_away(reviewed, array_remove(rivals, coalesce(approve_enrichment_impl.candidate, rivals[1])), false);

    update public.enrichment_queue as q
    set status = 'completed', finished_at = now(), updated_at = now(), fields_applied = q.fields_applied || applied,
        cover_applied = q.cover_applied or 'work.cover_url' = any(applied)
    where q.id = reviewed.id;
    update public.works as w set enrichment_status = 'completed', last_enriched_at = now() where w.id = reviewed.work_id;

    return query
    select reviewed.id, 'completed'::enrichment.queue_status, applied, array(select unnest(ticked) except select unnest(applied) order by 1);
end
$$;

create function enrichment.dismiss_enrichment_impl(queue_id uuid)
returns setof enrichment.review_outcome
language plpgsql security definer set search_path = ''
as $$
declare
    reviewed public.enrichment_queue := enrichment.lock_review(dismiss_enrichment_impl.queue_id);
    reader uuid := enrichment.acting_reader();
begin
    perform enrichment.turn_away(reviewed, array(
        select p.value ->> 'candidate' from jsonb_each(reviewed.match_details -> 'proposals') as p
        union
        select jsonb_array_elements_text(reviewed.match_details -> 'rivals')
    ), true);

    update public.enrichment_queue as q set status = 'skipped', finished_at = now(), updated_at = now() where q.id = reviewed.id;
    update public.works as w set enrichment_status = 'skipped', last_enriched_at = now() where w.id = reviewed.work_id;
    insert into public.enrichment_audit_log (enrichment_queue_id, work_id, edition_id, import_id, action, confidence, match_details, actor)
    values (
        reviewed.id, reviewed.work_id, reviewed.edition_id, reviewed.import_id, 'dismissed', reviewed.confidence, reviewed.match_details, reader
    );
    return query select reviewed.id, 'skipped'::enrichment.queue_status, '{}'::text[], '{}'::text[];
end
$$;

-- 45_review/preview

-- Looking without touching: every candidate of a work with its scores, and what would happen to works that were queued now. Both run the
-- real functions on borrowed rows and take everything back.

create type enrichment.explained_candidate as (
    place integer, candidate text, provider text, work_key text, title text, authors text, source_url text, cover_url text,
    title_score integer, author_score integer, isbn_score integer, confidence enrichment.confidence, sentence text, parts jsonb,
    "values" jsonb, is_dismissed boolean
);

create type enrichment.preview as (
    work_id uuid, status enrichment.queue_status, confidence enrichment.confidence, sentence text, wait_reason text, "values" jsonb,
    lookups jsonb
);

create function enrichment.refuse_busy_works()
returns void
language plpgsql set search_path = ''
as $$
begin
    -- Looking takes the locks of the real thing, and in a crowd an import, a sweep and a preview waited for each other in a circle. Whoever only
    -- looks lets go first, before Postgres would pick one of them (deadlock_timeout, 1 s), looks again, and in the end says so.
    perform enrichment.refuse('PT409', 'these works are being worked on at this moment', 'ask again in a few seconds');
end
$$;
comment on function enrichment.refuse_busy_works() is 'PT409 where a look was kept waiting ten times in a row.';

create function enrichment.borrow_row(work_id uuid, reader uuid)
returns uuid
language plpgsql set search_path = ''
as $$
declare
    borrowed_id uuid;
begin
    insert into public.enrichment_queue (work_id, edition_id, triggered_by, trigger_source)
    select borrow_row.work_id, (select c.edition_id from enrichment.choose_editions(array[borrow_row.work_id], borrow_row.reader) as c), borrow_row.reader, 'manual_bulk'
    where not exists (select 1 from public.enrichment_queue as q where q.work_id = borrow_row.work_id and (q.is_open or q.is_in_review))
    on conflict do nothing;

    select q.id into borrowed_id
    from public.enrichment_queue as q
    where q.work_id = borrow_row.work_id and (q.is_open or q.is_in_review)
    order by q.is_open desc
    limit 1;
    return borrowed_id;
end
$$;
comment on function enrichment.borrow_row(uuid, uuid) is
'A queue row for looking at a work: the one that is open or in review, or a new one, which the caller takes back.';

create function enrichment.explain_candidates(queue_id uuid)
returns setof enrichment.explained_candidate
language sql stable set search_path = ''
as $$
    with explained as materialized (
        select
            b as book,
            enrichment.explain_match(w.title_parts, b.title_parts, w.author_parts, b.author_parts, b.isbn_score) as match
        from enrichment.choose_books(array(select s from enrichment.score_candidates(array[explain_candidates.queue_id], true) as s)) as b
        join public.enrichment_queue as q on q.id = b.queue_id
        join enrichment.parsed_works as w on w.work_id = q.work_id
    )

    select
        (e.book).place, (e.book).provider || ':' || (e.book).work_key, (e.book).provider, (e.book).work_key, (e.book).title,
        nullif((e.book).authors, ''), enrichment.source_url((e.book).provider, (e.book).work_key), (e.book)."values" ->> 'work.cover_url',
        (e.book).title_score, (e.book).author_score, (e.book).isbn_score, (e.book).confidence,
        (e.match ->> 'sentence') || case
            when (e.book).rejection = 'passed_over' then ', another was chosen instead'
            when (e.book).is_rival or (e.book).place = 1 then enrichment.explain_choice((e.book).is_contested, (e.book).agreement)
            else ''
        end,
        e.match -> 'parts', jsonb_strip_nulls((e.book)."values"), coalesce((e.book).rejection = 'dismissed', false)
    from explained as e
    order by (e.book).place
$$;
comment on function enrichment.explain_candidates(uuid) is 'Every candidate of a queue row with its score parts, the best first, those a reader turned away last.';

create function enrichment.explain_enrichment_impl(work_id uuid)
returns setof enrichment.explained_candidate
language plpgsql security definer set search_path = '' set jit = off set lock_timeout = '300ms'
as $$
declare
    borrowed_id uuid;
    answer enrichment.explained_candidate[];
begin
    perform enrichment.refuse_foreign_works(array[explain_enrichment_impl.work_id]);
    for look in 1..10 loop
        begin
            perform enrichment.refresh_parsed_works(array[explain_enrichment_impl.work_id]);
            borrowed_id := enrichment.borrow_row(explain_enrichment_impl.work_id, enrichment.acting_reader());
            perform enrichment.parse_records(array[borrowed_id]);
            select array_agg(c order by c.place) into answer from enrichment.explain_candidates(borrowed_id) as c;
            raise exception using errcode = 'BE000', message = 'only looked';
        exception
            when sqlstate 'BE000' then
                return query select * from unnest(answer);
                return;
            when lock_not_available then null;
        end;
    end loop;
    perform enrichment.refuse_busy_works();
end
$$;

create function enrichment.preview_values(offers enrichment.offered_value[])
returns table (queue_id uuid, "values" jsonb)
language sql stable set search_path = ''
as $$
    select
        o.queue_id,
        jsonb_object_agg(o.field, jsonb_build_object(
            'value', o.value, 'provider', o.provider, 'candidate', o.provider || ':' || o.work_key, 'confidence', o.confidence,
            'current', enrichment.current_values(w, e) -> o.field, 'is_applied', o.is_applied
        ))
    from unnest(preview_values.offers) as o
    join public.enrichment_queue as q on q.id = o.queue_id
    join public.works as w on w.id = q.work_id
    left join public.editions as e on e.id = q.edition_id
    where not o.is_alternative
    group by o.queue_id
$$;
comment on function enrichment.preview_values(enrichment.offered_value[]) is 'What is offered for each queue row, beside the value as it is.';

create function enrichment.weigh_works(work_ids uuid[])
returns setof enrichment.preview
language plpgsql set search_path = ''
as $$
declare
    outcomes enrichment.enqueue_outcome[];
    open_ids uuid[];
    books enrichment.scored_book[];
    offers enrichment.offered_value[];
begin
    select array_agg(o) into outcomes
    from enrichment.enqueue_works(weigh_works.work_ids, null, 'manual_bulk', enrichment.acting_reader(), 50, null) as o;
    select array_agg(o.queue_id) into open_ids from unnest(outcomes) as o where o.outcome in ('enqueued', 'already_open');
    perform enrichment.parse_records(open_ids);
    select array_agg(s) into books from enrichment.score_candidates(open_ids) as s;
    select array_agg(b) into books from enrichment.choose_books(books) as b;
    select array_agg(v) into offers from enrichment.offer_values(books) as v;

    return query
    select
        o.work_id, coalesce(v.status, q.status), coalesce(v.confidence, q.confidence),
        case o.outcome
            when 'complete' then 'nothing is missing'
            when 'known_miss' then 'nothing new can be learnt'
            else coalesce(v.match_details, q.match_details) ->> 'sentence'
        end,
        v.wait_reason, coalesce(offered."values", reviewed."values", '{}'),
        case when v.lookup is not null then jsonb_build_array(v.lookup) else '[]' end
    from unnest(outcomes) with ordinality as o (work_id, outcome, queue_id, place)
    left join enrichment.reach_verdicts(open_ids, books, offers) as v on v.queue_id = o.queue_id
    left join enrichment.preview_values(offers) as offered on offered.queue_id = o.queue_id
    left join public.enrichment_queue as q on q.id = o.queue_id and q.is_in_review
    left join lateral (
        select r."values" from enrichment.preview_values(array(
            select row(
                q.id, p.key, p.value ->> 'value', p.value ->> 'provider', p.value ->> 'work_key', p.value -> 'source_record',
                (p.value ->> 'confidence')::enrichment.confidence, false, false
            )::enrichment.offered_value
            from jsonb_each(q.match_details -> 'proposals') as p
        )) as r
    ) as reviewed on q.id is not null
    order by o.place;
end
$$;
comment on function enrichment.weigh_works(uuid[]) is
'Queues works and weighs their candidates as resolve_rows does, up to where it would write. For a subtransaction that is taken back.';

create function enrichment.preview_enrichment_impl(work_ids uuid[])
returns setof enrichment.preview
language plpgsql security definer set search_path = '' set jit = off set lock_timeout = '300ms'
as $$
declare
    answer enrichment.preview[];
begin
    perform enrichment.refuse_long_list(cardinality(preview_enrichment_impl.work_ids));
    perform enrichment.refuse_foreign_works(preview_enrichment_impl.work_ids);
    for look in 1..10 loop
        begin
            select array_agg(p) into answer from enrichment.weigh_works(preview_enrichment_impl.work_ids) as p;
            raise exception using errcode = 'BE000', message = 'only looked';
        exception
            when sqlstate 'BE000' then
                return query select * from unnest(answer);
                return;
            when lock_not_available then null;
        end;
    end loop;
    perform enrichment.refuse_busy_works();
end
$$;

-- 50_audit/log

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

-- 50_audit/restore

-- The way back: what the audit log says was written is put to what it was before, and only where it is still what we wrote. Used by
-- undo of a row and of an import (undo.sql).

create type enrichment.written_value as (
    queue_id uuid, work_id uuid, edition_id uuid, field text, present jsonb, previous jsonb, is_ours boolean, storage_paths text []
);
comment on type enrichment.written_value is
'A value that enrichment wrote: what stands there now and stood there before, whether it is still ours to take back, and where a swapped cover lies.';

create function enrichment.same_value(field text, one text, other text)
returns boolean
language plpgsql stable set search_path = ''
as $$
begin
    return case
        when same_value.field = 'edition.publish_date' then same_value.one::date = same_value.other::date
        when same_value.field in ('work.first_publish_year', 'edition.total_pages', 'edition.total_audio_minutes')
            then same_value.one::integer = same_value.other::integer
        else same_value.one = same_value.other
    end;
end
$$;
comment on function enrichment.same_value(text, text, text) is 'Whether two values of a field are equal, compared as the field''s column would.';

create function enrichment.logged_writes(queue_ids uuid[], import_id uuid, work_ids uuid[])
returns setof public.enrichment_audit_log
language sql stable set search_path = ''
as $$
    select a.*
    from public.enrichment_audit_log as a
    where a.enrichment_queue_id = any(logged_writes.queue_ids) and a.action in ('auto_applied', 'approved')
        and (a.match_details ? 'storage_path') is not true
    union all
    select a.*
    from public.enrichment_audit_log as a
    where a.work_id = any(logged_writes.work_ids) and a.import_id = logged_writes.import_id and a.enrichment_queue_id is null
        and a.action = 'auto_applied' and (a.match_details ? 'storage_path') is not true
        and not exists (
            select 1 from public.enrichment_audit_log as u
            where u.work_id = a.work_id and u.import_id = a.import_id and u.enrichment_queue_id is null and u.action = 'undone' and u.id > a.id
        )
$$;
comment on function enrichment.logged_writes(uuid[], uuid, uuid[]) is
'The log of what queue rows wrote, and of what an import''s own columns wrote into works and is not undone yet. A swap of a cover for its stored copy is no write of its own.';

create function enrichment.written_values(queue_ids uuid[], import_id uuid, work_ids uuid[])
returns setof enrichment.written_value
language sql stable set search_path = ''
as $$
    with recursive written as materialized (
        select
            a.id, a.enrichment_queue_id as queue_id, a.work_id, case when f.key like 'edition.%' then a.edition_id end as edition_id,
            f.key as field, present.fields -> f.key as present, f.value -> 'old' as previous, f.value ->> 'new' as new_value
        from enrichment.logged_writes(written_values.queue_ids, written_values.import_id, written_values.work_ids) as a
        join public.works as w on w.id = a.work_id
        left join public.editions as e on e.id = a.edition_id
        cross join lateral enrichment.current_values(w, e) as present (fields)
        cross join lateral jsonb_each(a.fields_changed) as f
    ),

    -- A cover may have been swapped since, also by the search for covers that were hot-linked before, which names no queue row.
    swaps as materialized (
        select
            a.work_id, a.fields_changed #>> '{work.cover_url,old}' as old_url, a.fields_changed #>> '{work.cover_url,new}' as new_url,
            a.match_details ->> 'storage_path' as storage_path
        from public.enrichment_audit_log as a
        where a.work_id in (select t.work_id from written as t where t.field = 'work.cover_url')
            and a.fields_changed ? 'work.cover_url' and a.match_details ? 'storage_path'
    ),

    covers (work_id, url, storage_paths) as (
        select t.work_id, t.present #>> '{}', '{}'::text[] from written as t where t.field = 'work.cover_url'
        union
        select c.work_id, s.old_url, c.storage_paths || s.storage_path
        from covers as c
        join swaps as s on s.work_id = c.work_id and s.new_url = c.url and s.storage_path <> all(c.storage_paths)
    )

    select distinct on (t.queue_id, t.work_id, t.edition_id, t.field)
        t.queue_id, t.work_id, t.edition_id, t.field, t.present, t.previous, coalesce(still.is_ours, false), c.storage_paths
    from written as t
    left join covers as c on t.field = 'work.cover_url' and c.work_id = t.work_id and c.url = t.new_value
    cross join lateral (
        select (c.work_id is not null or enrichment.same_value(t.field, t.present #>> '{}', t.new_value)) and not exists (
            -- Somebody emptied it and another row filled it anew: an equal value is that row's.
            select 1 from public.enrichment_audit_log as later
            where later.work_id = t.work_id and later.id > t.id and later.action in ('auto_applied', 'approved')
                and later.fields_changed ? t.field and (later.match_details ? 'storage_path') is not true
                and (t.edition_id is null or later.edition_id = t.edition_id)
        ) as is_ours
    ) as still
    order by t.queue_id, t.work_id, t.edition_id, t.field, still.is_ours desc nulls last, t.id desc
$$;
comment on function enrichment.written_values(uuid[], uuid, uuid[]) is
'Every field that queue rows, and an import''s own columns in these works, wrote. is_ours: the value is still there, or its stored copy, and nobody wrote it anew since. The caller holds the locks.';

create function enrichment.restore_values(written enrichment.written_value[])
returns void
language plpgsql set search_path = ''
as $$
begin
    with previous as (
        select v.work_id, jsonb_object_agg(v.field, v.previous) as fields
        from unnest(restore_values.written) as v where v.is_ours and v.edition_id is null group by v.work_id
    )

    update public.works as w
    set default_cover_url = case when p.fields ? 'work.cover_url' then p.fields ->> 'work.cover_url' else w.default_cover_url end,
        description = case when p.fields ? 'work.description' then p.fields ->> 'work.description' else w.description end,
        first_publish_year = case
            when p.fields ? 'work.first_publish_year' then (p.fields ->> 'work.first_publish_year')::smallint else w.first_publish_year
        end,
        updated_at = now()
    from previous as p
    where w.id = p.work_id;

    with previous as (
        select v.edition_id, jsonb_object_agg(v.field, v.previous) as fields
        from unnest(restore_values.written) as v where v.is_ours and v.edition_id is not null group by v.edition_id
    )

    update public.editions as e
    set publisher = case when p.fields ? 'edition.publisher' then p.fields ->> 'edition.publisher' else e.publisher end,
        publish_date = case when p.fields ? 'edition.publish_date' then (p.fields ->> 'edition.publish_date')::date else e.publish_date end,
        isbn10 = case when p.fields ? 'edition.isbn10' then p.fields ->> 'edition.isbn10' else e.isbn10 end,
        isbn13 = case when p.fields ? 'edition.isbn13' then p.fields ->> 'edition.isbn13' else e.isbn13 end,
        language = case when p.fields ? 'edition.language' then p.fields ->> 'edition.language' else e.language end,
        format = case when p.fields ? 'edition.format' then p.fields ->> 'edition.format' else e.format end,
        total_pages = case when p.fields ? 'edition.total_pages' then (p.fields ->> 'edition.total_pages')::integer else e.total_pages end,
        total_audio_minutes = case
            when p.fields ? 'edition.total_audio_minutes' then (p.fields ->> 'edition.total_audio_minutes')::integer else e.total_audio_minutes
        end,
        updated_at = now()
    from previous as p
    where e.id = p.edition_id;
    perform enrichment.forget_covers(restore_values.written);
end
$$;
comment on function enrichment.restore_values(enrichment.written_value[]) is
'Puts back what stood there before, where the value is still ours. The caller holds the locks under which that was found.';

-- 50_audit/undo

-- Taking back what a row or an import wrote, newest first, to the values of before. A value that was edited since is kept and
-- reported. Before: 15_fields/restore knows how a value goes back.

create type enrichment.undo_outcome as (
    queue_id uuid, work_id uuid, status enrichment.queue_status, fields_restored text [], fields_kept text [], reason text
);

create function enrichment.forget_covers(written enrichment.written_value[])
returns void
language plpgsql set search_path = ''
as $$
begin
    -- What was going to be stored is shown no more. A worker that has one in hand is told so when it hands it in (url_changed).
    with obsolete as (
        select c.id
        from enrichment.cover_queue as c
        where c.is_open and c.status = 'pending' and c.work_id in (
            select v.work_id from unnest(forget_covers.written) as v where v.is_ours and v.field = 'work.cover_url'
        )
        order by c.id
        for update
    )

    delete from enrichment.cover_queue as c using obsolete as o where c.id = o.id;

    -- A host without the column has no path to clear, and static SQL would not compile there.
    if exists (
        select 1 from pg_catalog.pg_attribute as a
        where a.attrelid = 'public.works'::regclass and a.attname = 'default_cover_storage_path' and not a.attisdropped
    ) then
        execute
            'update public.works as w set default_cover_storage_path = null from unnest($1) as v'
            || ' where v.is_ours and v.field = ''work.cover_url'' and w.id = v.work_id and w.default_cover_storage_path = any(v.storage_paths)'
        using forget_covers.written;
    end if;
end
$$;
comment on function enrichment.forget_covers(enrichment.written_value[]) is
'Covers that were taken back are not stored any more, and the paths of those that were are cleared. The images stay: other works may show them.';

create function enrichment.log_undo(queue_ids uuid[], import_id uuid, written enrichment.written_value[], actor uuid)
returns void
language sql set search_path = ''
as $$
    with changes as (
        select
            v.queue_id, v.work_id, max(v.edition_id::text)::uuid as edition_id, array_agg(v.field order by v.field) filter (where not v.is_ours) as kept,
            coalesce(jsonb_object_agg(v.field, jsonb_build_object('old', v.present, 'new', v.previous)) filter (where v.is_ours), '{}') as fields,
            coalesce(jsonb_object_agg(v.field, v.present) filter (where v.is_ours), '{}') as previous
        from unnest(log_undo.written) as v
        group by v.queue_id, v.work_id
    ),

    subjects as (
        select q.id, q.work_id, q.edition_id, q.import_id, q.confidence, c.kept, c.fields, c.previous
        from public.enrichment_queue as q
        left join changes as c on c.queue_id = q.id
        where q.id = any(log_undo.queue_ids)
        union all
        select null, c.work_id, c.edition_id, log_undo.import_id, null, c.kept, c.fields, c.previous
        from changes as c
        where c.queue_id is null
    )

    insert into public.enrichment_audit_log (
        enrichment_queue_id, work_id, edition_id, import_id, action, confidence, fields_changed, previous_values, match_details, actor
    )
    select
        s.id, s.work_id, s.edition_id, s.import_id, 'undone', s.confidence, coalesce(s.fields, '{}'), coalesce(s.previous, '{}'),
        jsonb_strip_nulls(jsonb_build_object(
            'sentence', case when s.kept is null then 'undone' else 'undone, but for what was changed since' end, 'fields_kept', to_jsonb(s.kept)
        )),
        log_undo.actor
    from subjects as s
    order by s.work_id, s.id
$$;
comment on function enrichment.log_undo(uuid[], uuid, enrichment.written_value[], uuid) is
'One line of action undone for each queue row, and for each work that an import''s own columns had filled.';

create function enrichment.show_last_outcome(work_ids uuid[])
returns void
language sql set search_path = ''
as $$
    update public.works as w
    set enrichment_status = last.status, enrichment_confidence = last.confidence, last_enriched_at = last.ended_at
    from public.works as same
    left join lateral (
        select q.status, q.confidence, coalesce(q.finished_at, q.scored_at) as ended_at
        from public.enrichment_queue as q
        where q.work_id = same.id and not q.is_open and q.undone_at is null
        order by q.created_at desc, q.id desc
        limit 1
    ) as last on true
    where same.id = any(show_last_outcome.work_ids) and w.id = same.id
$$;
comment on function enrichment.show_last_outcome(uuid[]) is
'Works say how their last enrichment ended that is not undone, or nothing where there is none. The caller holds the locks.';

create function enrichment.undo_rows(queue_ids uuid[], import_id uuid, work_ids uuid[], actor uuid)
returns setof enrichment.undo_outcome
language plpgsql set search_path = ''
as $$
declare
    written enrichment.written_value[];
    touched uuid[] := array(
        select q.work_id from public.enrichment_queue as q where q.id = any(undo_rows.queue_ids) union select unnest(undo_rows.work_ids)
    );
begin
    perform 1 from public.works as w where w.id = any(touched) order by w.id for no key update;
    perform 1 from public.editions as e
    where e.id in (select a.edition_id from enrichment.logged_writes(undo_rows.queue_ids, undo_rows.import_id, undo_rows.work_ids) as a)
    order by e.id for no key update;

    select array_agg(v) into written from enrichment.written_values(undo_rows.queue_ids, undo_rows.import_id, undo_rows.work_ids) as v;
    perform enrichment.restore_values(written);
    perform enrichment.log_undo(undo_rows.queue_ids, undo_rows.import_id, written, undo_rows.actor);
    update public.enrichment_queue as q
    set status = case when q.finished_at is null then 'skipped' else q.status end, finished_at = coalesce(q.finished_at, now()),
        claim_token = null, scored_at = null, undone_at = now(), undone_by = undo_rows.actor, updated_at = now()
    where q.id = any(undo_rows.queue_ids);
    -- Whoever asks again is answered from what is known: a rival that was only passed over may be chosen now.
    delete from enrichment.rejected_candidates as j
    using public.enrichment_queue as q
    where q.id = any(undo_rows.queue_ids) and j.work_id = q.work_id and not j.is_dismissed
        and q.match_details -> 'rivals' ? (j.provider || ':' || j.candidate_key);
    perform enrichment.show_last_outcome(touched);

    return query
    with first_rows as (
        select distinct on (q.work_id) q.work_id, q.id from public.enrichment_queue as q where q.id = any(undo_rows.queue_ids) order by q.work_id, q.id
    ),

    -- What the import's own columns filled is told on the line of the book's queue row, where there is one.
    undone as (
        select
            coalesce(v.queue_id, f.id) as line_id, v.work_id,
            array_agg(v.field order by v.field) filter (where v.is_ours) as restored, array_agg(v.field order by v.field) filter (where not v.is_ours) as kept
        from unnest(written) as v
        left join first_rows as f on f.work_id = v.work_id
        group by 1, 2
    )

    select q.id, q.work_id, q.status, coalesce(u.restored, '{}'), coalesce(u.kept, '{}'), null
    from public.enrichment_queue as q
    left join undone as u on u.line_id = q.id
    where q.id = any(undo_rows.queue_ids)
    union all
    select null, u.work_id, null, coalesce(u.restored, '{}'), coalesce(u.kept, '{}'), null from undone as u where u.line_id is null
    order by 2, 1;
end
$$;
comment on function enrichment.undo_rows(uuid[], uuid, uuid[], uuid) is
'Takes back what queue rows, and an import''s own columns in these works, wrote. A row that had not ended is skipped. The caller holds the rows'' locks and knows that they may be undone.';

create function enrichment.undo_enrichment_impl(queue_id uuid)
returns setof enrichment.undo_outcome
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    reader uuid := enrichment.acting_reader();
    undone public.enrichment_queue;
begin
    select * into undone from public.enrichment_queue as q where q.id = undo_enrichment_impl.queue_id for update;
    if not found then
        perform enrichment.refuse('PT404', format('no queue row %s', undo_enrichment_impl.queue_id), 'see list_enrichment(); old ones are pruned');
    elsif not enrichment.may_undo(reader, undone) then
        perform enrichment.refuse('PT403', format('queue row %s is not yours to undo', undone.id), 'whoever triggered or approved it may');
    elsif undone.is_open then
        perform enrichment.refuse('PT409', format('queue row %s is still %s', undone.id, undone.status), 'undo it once it has ended');
    elsif undone.undone_at is not null then
        perform enrichment.refuse('PT409', format('queue row %s was undone already', undone.id), 'enqueue the work again');
    elsif undone.status <> 'needs_review' and not exists (select 1 from enrichment.logged_writes(array[undone.id], null, null)) then
        perform enrichment.refuse('PT409', format('queue row %s has written nothing', undone.id), 'see enrichment_history()');
    end if;
    return query select o.* from enrichment.undo_rows(array[undone.id], null, null, reader) as o;
end
$$;

create function enrichment.undo_import_impl(import_id uuid)
returns setof enrichment.undo_outcome
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    held uuid[];
    filled_works uuid[];
    lines integer;
begin
    perform enrichment.refuse_foreign_import(undo_import_impl.import_id);
    with locked as (
        select q.id
        from public.enrichment_queue as q
        where q.id in (select r.queue_id from enrichment.import_rows as r where r.import_id = undo_import_impl.import_id)
            and q.import_id = undo_import_impl.import_id and q.undone_at is null and case q.status
                when 'in_progress' then false
                when 'pending' then q.trigger_source = 'post_import'
                when 'needs_review' then true
                else q.fields_applied <> '{}'
            end
        order by q.id
        limit 1000
        for update
    )

    select coalesce(array_agg(l.id), '{}') into held from locked as l;

    -- Those not begun yet would fill the books after all. They take the way of a claim that finds nothing.
    update public.enrichment_queue as q
    set status = 'in_progress', claim_token = gen_random_uuid(), claimed_by = 'undo_import', wait_reason = null, started_at = now()
    where q.id = any(held) and q.status = 'pending';

    -- Of other books as many as there is room for lines.
    with filled as (
        select distinct w.work_id
        from enrichment.logged_writes(null, undo_import_impl.import_id, array(
            select r.work_id from enrichment.import_rows as r where r.import_id = undo_import_impl.import_id
        )) as w
    ),

    others as (
        select f.work_id from filled as f
        where f.work_id not in (select q.work_id from public.enrichment_queue as q where q.id = any(held))
        order by f.work_id
        limit 1000 - cardinality(held)
    )

    select array_agg(f.work_id) into filled_works
    from filled as f
    where f.work_id in (select q.work_id from public.enrichment_queue as q where q.id = any(held)) or f.work_id in (select o.work_id from others as o);

    return query select o.* from enrichment.undo_rows(held, undo_import_impl.import_id, filled_works, enrichment.acting_reader()) as o;
    get diagnostics lines = row_count;
    return query
    select q.id, q.work_id, q.status, '{}'::text[], '{}'::text[],
        case q.status when 'in_progress' then 'a worker has it in hand: undo the import again when it has ended' else 'it was asked for again since: undo it by itself once it has ended' end
    from public.enrichment_queue as q
    where q.id in (select r.queue_id from enrichment.import_rows as r where r.import_id = undo_import_impl.import_id)
        and q.import_id = undo_import_impl.import_id and q.is_open
    order by q.work_id
    limit 1000 - lines;
end
$$;

create function enrichment.may_undo(reader uuid, undone public.enrichment_queue)
returns boolean
language plpgsql stable set search_path = ''
as $$
begin
    return may_undo.reader is null or undone.triggered_by is not distinct from may_undo.reader or exists (
        select 1 from public.enrichment_audit_log as a
        where a.enrichment_queue_id = undone.id and a.action = 'approved' and a.actor = may_undo.reader
    );
end
$$;
comment on function enrichment.may_undo(uuid, public.enrichment_queue) is
'Whoever triggered a row or approved it may undo it, and the service (null). Whether it is in a state to be undone is another question.';

-- 55_imports/create

-- What no line matched is made new; what a line knows fills empty fields; and the book is put on the reader's shelf.

create function enrichment.create_import_works(import_id uuid)
returns void
language plpgsql set search_path = ''
as $$
begin
    update enrichment.import_rows as r
    set work_id = gen_random_uuid(), is_new_work = true
    where r.import_id = create_import_works.import_id and r.outcome is null and r.work_id is null and r.first_row_of_book = r.row_number;

    update enrichment.import_rows as r
    set work_id = f.work_id
    from enrichment.import_rows as f
    where r.import_id = create_import_works.import_id and r.outcome is null and r.work_id is null
        and f.import_id = r.import_id and f.row_number = r.first_row_of_book;

    insert into public.works (id, title)
    select r.work_id, r.title
    from enrichment.import_rows as r
    where r.import_id = create_import_works.import_id and r.outcome is null and r.is_new_work;

    insert into public.authors (name)
    select distinct name
    from enrichment.import_rows as r cross join lateral unnest(r.authors) as name
    where r.import_id = create_import_works.import_id and r.outcome is null and r.is_new_work
        and not exists (select 1 from public.authors as a where a.name = name.name);

    insert into public.work_authors (work_id, author_id)
    select distinct on (r.work_id, a.name) r.work_id, a.id
    from enrichment.import_rows as r
    cross join lateral unnest(r.authors) as name
    join public.authors as a on a.name = name.name
    where r.import_id = create_import_works.import_id and r.outcome is null and r.is_new_work
    order by r.work_id, a.name, a.created_at, a.id;

    insert into public.external_ids (entity_type, entity_id, provider, provider_id)
    select 'work', r.work_id, split_part(r.external_id, ':', 1) || '_manual', r.external_id
    from enrichment.import_rows as r
    where r.import_id = create_import_works.import_id and r.outcome is null and r.external_id is not null
    order by r.row_number
    on conflict do nothing;
end
$$;
comment on function enrichment.create_import_works(uuid) is 'Works, authors and external ids for the rows whose book the catalogue lacks.';

create function enrichment.create_import_editions(import_id uuid)
returns void
language plpgsql set search_path = ''
as $$
begin
    update enrichment.import_rows as r
    set edition_id = (
        select e.id
        from public.editions as e
        where e.work_id = r.work_id and case
            when r.isbn is not null then e.isbn13 = r.isbn or e.isbn10 = enrichment.isbn10_of(substr(r.isbn, 4, 9))
            else coalesce(e.isbn13, '') = '' and coalesce(e.isbn10, '') = ''
        end
        order by e.created_at, e.id limit 1
    )
    where r.import_id = create_import_editions.import_id and r.outcome is null;

    update enrichment.import_rows as r
    set edition_id = gen_random_uuid(), is_new_edition = true
    where r.import_id = create_import_editions.import_id and r.outcome is null and r.edition_id is null
        and (r.isbn is not null or r.is_new_work)
        and not exists (
            select 1 from enrichment.import_rows as earlier
            where earlier.import_id = r.import_id and earlier.outcome is null and earlier.work_id = r.work_id
                and earlier.isbn is not distinct from r.isbn and earlier.row_number < r.row_number
        );

    update enrichment.import_rows as r
    set edition_id = f.edition_id
    from enrichment.import_rows as f
    where r.import_id = create_import_editions.import_id and r.outcome is null and r.edition_id is null
        and f.import_id = r.import_id and f.outcome is null and f.is_new_edition
        and f.work_id = r.work_id and f.isbn is not distinct from r.isbn;

    insert into public.editions (id, work_id, isbn13, isbn10)
    select
        r.edition_id, r.work_id, r.isbn,
        case when r.isbn like '978%' then enrichment.isbn10_of(substr(r.isbn, 4, 9)) end
    from enrichment.import_rows as r
    where r.import_id = create_import_editions.import_id and r.outcome is null and r.is_new_edition;
end
$$;
comment on function enrichment.create_import_editions(uuid) is
'The edition of each row: the one with its ISBN, a new one where there is none. A row without ISBN gets an edition without ISBN, and no new one beside others.';

create function enrichment.fill_from_import(import_id uuid, reader uuid)
returns void
language plpgsql set search_path = ''
as $$
begin
    perform 1 from public.works as w
    where w.id in (select r.work_id from enrichment.import_rows as r where r.import_id = fill_from_import.import_id and r.outcome is null)
    order by w.id for no key update;
    perform 1 from public.editions as e
    where e.id in (select r.edition_id from enrichment.import_rows as r where r.import_id = fill_from_import.import_id and r.outcome is null)
    order by e.id for no key update;

    with offered as (
        select distinct on (value.entity_id, value.field)
            r.work_id, r.edition_id, i.import_source, coalesce(r.external_id, i.id || ' row ' || r.row_number) as row_key, value.entity_id, value.field, value.new_value, r.is_new_edition or r.is_new_work as is_new
        from enrichment.import_rows as r
        join enrichment.imports as i on i.id = r.import_id
        join public.works as w on w.id = r.work_id
        left join public.editions as e on e.id = r.edition_id
        cross join lateral (
            values
            (r.work_id, 'work.first_publish_year', r.first_publish_year::text),
            (r.edition_id, 'edition.publisher', r.publisher),
            (r.edition_id, 'edition.publish_date', r.publish_date::text),
            (r.edition_id, 'edition.format', r.format),
            (r.edition_id, 'edition.language', r.language),
            (r.edition_id, 'edition.total_pages', case when coalesce(r.format, '') not ilike '%audio%' then r.total_pages::text end)
        ) as value (entity_id, field, new_value)
        where r.import_id = fill_from_import.import_id and r.outcome is null
            and value.entity_id is not null and value.new_value is not null
            and value.field = any(enrichment.empty_fields(w, e))
            and not exists (select 1 from enrichment.field_locks as l where l.entity_id = value.entity_id and l.field = value.field)
        order by value.entity_id, value.field, r.row_number
    ),

    filled as (
        insert into enrichment.filled_fields as f (entity_id, field, provider, candidate_key)
        select o.entity_id, o.field, o.import_source, o.row_key
        from offered as o
        order by o.entity_id, o.field
        on conflict do nothing
        returning f.entity_id, f.field
    ),

    accepted as (select o.* from offered as o join filled as f using (entity_id, field)),

    works_filled as (
        update public.works as w
        set first_publish_year = a.new_value::smallint, updated_at = now()
        from accepted as a
        where w.id = a.entity_id and a.field = 'work.first_publish_year' and coalesce(w.first_publish_year, 0) = 0
    ),

    edition_values as (
        select
            a.entity_id,
            max(a.new_value) filter (where a.field = 'edition.publisher') as publisher,
            max(a.new_value) filter (where a.field = 'edition.publish_date')::date as publish_date,
            max(a.new_value) filter (where a.field = 'edition.format') as format,
            max(a.new_value) filter (where a.field = 'edition.language') as language,
            max(a.new_value) filter (where a.field = 'edition.total_pages')::integer as total_pages
        from accepted as a
        where a.field like 'edition.%'
        group by a.entity_id
    ),

    editions_filled as (
        update public.editions as e
        set publisher = coalesce(nullif(e.publisher, ''), v.publisher, e.publisher),
            publish_date = coalesce(e.publish_date, v.publish_date),
            format = coalesce(nullif(e.format, ''), v.format, e.format),
            language = coalesce(nullif(e.language, ''), v.language, e.language),
            total_pages = coalesce(e.total_pages, v.total_pages),
            updated_at = now()
        from edition_values as v
        where e.id = v.entity_id
    )

    insert into public.enrichment_audit_log (work_id, edition_id, import_id, action, provider, source_record, fields_changed, previous_values, actor)
    select
        a.work_id, a.edition_id, fill_from_import.import_id, 'auto_applied', a.import_source,
        jsonb_build_object('entity_type', 'import_row', 'provider_id', a.row_key),
        jsonb_object_agg(a.field, jsonb_build_object('old', null, 'new', a.new_value)), jsonb_object_agg(a.field, null), fill_from_import.reader
    from accepted as a
    where not a.is_new
    group by a.work_id, a.edition_id, a.import_source, a.row_key;
end
$$;
comment on function enrichment.fill_from_import(uuid, uuid) is
'Fills empty fields from the CSV''s own columns, once per row and field; what was there before the import gets an audit row.';

create function enrichment.shelve_import(import_id uuid, reader uuid)
returns void
language plpgsql set search_path = ''
as $$
begin
    with shelved as (
        insert into public.library_items as i (user_id, work_id, preferred_edition_id, status, visibility, rating, tags)
        select distinct on (r.work_id)
            shelve_import.reader, r.work_id, r.edition_id, (item.value).status, (item.value).visibility, r.rating, r.tags
        from enrichment.import_rows as r
        cross join lateral (
            select jsonb_populate_record(
                null::public.library_items, jsonb_build_object('status', coalesce(r.status, 'to_read'), 'visibility', 'private')
            ) as value
        ) as item
        where r.import_id = shelve_import.import_id and r.outcome is null
        order by r.work_id, r.row_number
        on conflict (user_id, work_id) do nothing
        returning i.id, i.work_id
    ),

    first_rows as (
        select distinct on (r.work_id) r.row_number, r.work_id
        from enrichment.import_rows as r
        where r.import_id = shelve_import.import_id and r.outcome is null
        order by r.work_id, r.row_number
    )

    update enrichment.import_rows as r
    set library_item_id = s.id, outcome = case when r.is_new_work then 'created' else 'matched' end
    from shelved as s
    join first_rows as f on f.work_id = s.work_id
    where r.import_id = shelve_import.import_id and r.row_number = f.row_number;

    update enrichment.import_rows as r
    set library_item_id = i.id, outcome = 'duplicate',
        reason = case
            when r.first_row_of_book < r.row_number then format('the same book as row %s', r.first_row_of_book)
            else 'already in the library'
        end
    from public.library_items as i
    where r.import_id = shelve_import.import_id and r.outcome is null and i.user_id = shelve_import.reader and i.work_id = r.work_id;
end
$$;
comment on function enrichment.shelve_import(uuid, uuid) is
'Puts the works on the reader''s shelf. created: a new work; matched: one the catalogue had; duplicate: one the reader had, or an earlier row of the file.';

-- 55_imports/library

-- The import as one call: read, match, create, fill, shelve, queue; one outcome per line.

create type enrichment.import_outcome as (
    row_number integer, outcome text, reason text, work_id uuid, edition_id uuid, library_item_id uuid, enrichment text, queue_id uuid
);

create function enrichment.import_library_impl(user_id uuid, import_source text, "rows" jsonb, import_id uuid, expected_rows integer)
returns setof enrichment.import_outcome
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    this_import uuid := coalesce(import_library_impl.import_id, gen_random_uuid());
    new_rows integer[];
begin
    if jsonb_typeof(import_library_impl."rows") is distinct from 'array' or jsonb_array_length(import_library_impl."rows") > 500 then
        perform enrichment.refuse('PT422', 'rows is not an array of at most 500 elements', 'send a file in chunks, with the same import_id');
    end if;
    if import_library_impl.import_source is null or import_library_impl.import_source not in ('goodreads', 'storygraph') then
        perform enrichment.refuse('PT422', format('unknown import_source %s', import_library_impl.import_source), 'use goodreads or storygraph');
    end if;
    if import_library_impl.expected_rows < 0 then
        perform enrichment.refuse('PT422', 'expected_rows is negative', 'say how many rows the file has, or leave it out');
    end if;
    if not exists (select 1 from public.users as u where u.id = import_library_impl.user_id) then
        perform enrichment.refuse('PT404', format('no user %s', import_library_impl.user_id), 'user_id is an id of public.users');
    end if;

    if (select count(*) > count(distinct line -> 'row_number') from jsonb_path_query(import_library_impl."rows", '$[*] ? (exists(@.row_number))') as line) then
        perform enrichment.refuse('PT422', 'a row_number comes twice', 'number the rows of a file from its first line on');
    end if;

    perform pg_advisory_xact_lock(hashtextextended('enrichment.import_library', 0));
    insert into enrichment.imports as i (id, user_id, import_source, expected_rows)
    values (this_import, import_library_impl.user_id, import_library_impl.import_source, import_library_impl.expected_rows)
    on conflict (id) do update set expected_rows = coalesce(excluded.expected_rows, i.expected_rows) where i.user_id = excluded.user_id;
    if not exists (select 1 from enrichment.imports as i where i.id = this_import and i.user_id = import_library_impl.user_id) then
        perform enrichment.refuse('PT403', format('import %s is another reader''s', this_import), 'choose a new import_id');
    end if;

    with added as (
        insert into enrichment.import_rows as r
        select * from enrichment.read_import_rows(this_import, import_library_impl."rows")
        on conflict do nothing
        returning r.row_number, r.outcome
    )

    select array_agg(added.row_number) into new_rows from added where added.outcome is null;

    perform enrichment.parse_new_works();
    perform enrichment.match_import_rows(this_import);
    perform enrichment.create_import_works(this_import);
    perform enrichment.create_import_editions(this_import);
    -- Queue rows before works, as everywhere: filled first and queued then, imports and sweeps waited for each other in a circle.
    with books as (
        select distinct on (r.work_id) r.work_id, r.edition_id, r.row_number
        from enrichment.import_rows as r
        where r.import_id = this_import and r.row_number = any(new_rows)
        order by r.work_id, r.row_number
    ),

    queued as (
        select o.*
        from (
            select array_agg(b.work_id order by b.row_number) as work_ids, array_agg(b.edition_id order by b.row_number) as edition_ids from books as b
        ) as batch
        cross join lateral enrichment.enqueue_works(
            batch.work_ids, batch.edition_ids, 'post_import', import_library_impl.user_id, 100, this_import
        ) as o
    )

    update enrichment.import_rows as r
    set enrichment = queued.outcome, queue_id = queued.queue_id
    from queued
    where r.import_id = this_import and r.row_number = any(new_rows) and r.work_id = queued.work_id;

    perform enrichment.fill_from_import(this_import, import_library_impl.user_id);
    perform enrichment.shelve_import(this_import, import_library_impl.user_id);

    with completed as (
        delete from public.enrichment_queue as q
        using enrichment.import_rows as r
        where r.import_id = this_import and r.row_number = any(new_rows) and r.enrichment = 'enqueued' and q.id = r.queue_id
            and not exists (select 1 from enrichment.wanted_fields as gaps where gaps.queue_id = q.id)
        returning q.id
    )

    update enrichment.import_rows as r
    set enrichment = 'complete', queue_id = null
    from completed
    where r.import_id = this_import and r.queue_id = completed.id;

    return query
    select r.row_number, r.outcome, r.reason, r.work_id, r.edition_id, r.library_item_id, r.enrichment, r.queue_id
    from enrichment.import_rows as r
    where r.import_id = this_import and r.row_number in (
        select read.row_number from enrichment.read_import_rows(this_import, import_library_impl."rows") as read
    )
    order by r.row_number;
end
$$;

-- 55_imports/match

-- Which work and edition each line means: by external id, by ISBN, by title and author.

create function enrichment.match_import_rows(import_id uuid)
returns void
language plpgsql set search_path = ''
as $$
begin
    update enrichment.import_rows as r
    set work_id = coalesce(
        (
            select x.entity_id
            from public.external_ids as x
            join public.works as w on w.id = x.entity_id
            where x.entity_type = 'work' and x.provider_id = r.external_id
                and x.provider = split_part(r.external_id, ':', 1) || '_manual'
        ),
        (
            select e.work_id
            from public.editions as e
            where e.isbn13 = r.isbn or e.isbn10 = enrichment.isbn10_of(substr(r.isbn, 4, 9))
            order by e.created_at, e.id limit 1
        ),
        (
            select p.work_id
            from enrichment.parsed_works as p
            where p.title_key = enrichment.fold_text(r.title) and (
                (p.author_parts).names && (enrichment.parse_authors(r.authors)).names
                or (r.authors is null and p.author_names = '{}')
            )
            order by p.work_id limit 1
        )
    )
    where r.import_id = match_import_rows.import_id and r.outcome is null;

    loop
        update enrichment.import_rows as r
        set first_row_of_book = led.first_row
        from (
            select b.row_number, least(
                min(b.first_row_of_book) over (partition by b.first_row_of_book),
                min(b.first_row_of_book) over (partition by coalesce(b.external_id, b.row_number::text)),
                min(b.first_row_of_book) over (partition by coalesce(b.isbn, b.row_number::text)),
                min(b.first_row_of_book) over (partition by enrichment.fold_text(b.title), enrichment.fold_text(b.authors[1]))
            ) as first_row
            from enrichment.import_rows as b
            where b.import_id = match_import_rows.import_id and b.outcome is null and b.work_id is null
        ) as led
        where r.import_id = match_import_rows.import_id and r.row_number = led.row_number and r.first_row_of_book > led.first_row;
        exit when not found;
    end loop;
end
$$;
comment on function enrichment.match_import_rows(uuid) is
'Finds the work of each row: by the external id as the host writes it, by ISBN, by folded title and author. Rows that are the same new book are tied to the first of them.';

-- 55_imports/progress

-- How far imports are, for the reader they belong to: files, lines, and what became of their books.

create type enrichment.import_state as (
    import_id uuid, import_source text, created_at timestamptz, expected_rows integer, "rows" integer, created integer,
    matched integer, duplicate integer, rejected integer, pending integer, in_progress integer, completed integer,
    needs_review integer, failed integer, skipped integer, covers_applied integer, undone integer, undoable integer
);

create type enrichment.import_line as (
    row_number integer, title text, authors text [], outcome text, reason text, work_id uuid, queue_id uuid,
    status enrichment.queue_status, cursor integer
);

create function enrichment.refuse_foreign_import(import_id uuid)
returns void
language plpgsql stable set search_path = ''
as $$
declare
    reader uuid := enrichment.acting_reader();
    owner uuid;
begin
    select i.user_id into owner from enrichment.imports as i where i.id = refuse_foreign_import.import_id;
    if owner is null then
        perform enrichment.refuse('PT404', format('no import %s', refuse_foreign_import.import_id), 'see enrichment_imports(); old ones are pruned');
    elsif owner <> reader then
        perform enrichment.refuse('PT403', format('import %s is another reader''s', refuse_foreign_import.import_id), 'see enrichment_imports()');
    end if;
end
$$;
comment on function enrichment.refuse_foreign_import(uuid) is 'PT404 for an unknown import, PT403 for another reader''s; the service may see them all.';

create function enrichment.import_states(import_ids uuid[])
returns setof enrichment.import_state
language sql stable set search_path = ''
as $$
    select
        i.id, i.import_source, i.created_at, i.expected_rows, r."rows", r.created, r.matched, r.duplicate, r.rejected,
        q.pending, q.in_progress, q.completed, q.needs_review, q.failed, q.skipped, q.covers_applied, q.undone, u.undoable
    from enrichment.imports as i
    cross join lateral (
        select
            count(*)::integer as "rows", count(*) filter (where r.outcome = 'created')::integer as created,
            count(*) filter (where r.outcome = 'matched')::integer as matched, count(*) filter (where r.outcome = 'duplicate')::integer as duplicate,
            count(*) filter (where r.outcome = 'rejected')::integer as rejected
        from enrichment.import_rows as r
        where r.import_id = i.id
    ) as r
    cross join lateral (
        select
            count(*) filter (where q.status = 'pending')::integer as pending, count(*) filter (where q.status = 'in_progress')::integer as in_progress,
            count(*) filter (where q.status = 'completed')::integer as completed, count(*) filter (where q.status = 'needs_review')::integer as needs_review,
            count(*) filter (where q.status = 'failed')::integer as failed, count(*) filter (where q.status = 'skipped')::integer as skipped,
            count(*) filter (where q.cover_applied and q.undone_at is null)::integer as covers_applied,
            count(*) filter (where q.undone_at is not null)::integer as undone
        from public.enrichment_queue as q
        where q.id in (select r.queue_id from enrichment.import_rows as r where r.import_id = i.id)
    ) as q
    cross join lateral (
        select count(*)::integer as undoable
        from (
            select q.work_id
            from public.enrichment_queue as q
            where q.id in (select r.queue_id from enrichment.import_rows as r where r.import_id = i.id)
                and q.import_id = i.id and q.undone_at is null and not q.is_open and (q.status = 'needs_review' or q.fields_applied <> '{}')
            union
            select w.work_id
            from enrichment.logged_writes(null, i.id, array(
                select r.work_id from enrichment.import_rows as r where r.import_id = i.id and r.outcome <> 'created'
            )) as w
        ) as filled
    ) as u
    where i.id = any(import_states.import_ids)
    order by i.created_at desc, i.id desc
$$;
comment on function enrichment.import_states(uuid[]) is 'How far imports are: rows by outcome, their books'' queue rows by state, and how many books undo_import() would take something back in.';

create function enrichment.enrichment_imports_impl(page_size integer)
returns setof enrichment.import_state
language plpgsql stable security definer set search_path = '' set jit = off
as $$
declare
    reader uuid := enrichment.acting_reader();
begin
    perform enrichment.refuse_bad_page(enrichment_imports_impl.page_size);
    return query
    select s.*
    from enrichment.import_states(array(
        select i.id from enrichment.imports as i where reader is null or i.user_id = reader
        order by i.created_at desc, i.id desc limit enrichment_imports_impl.page_size
    )) as s;
end
$$;

create function enrichment.enrichment_import_impl(import_id uuid)
returns setof enrichment.import_state
language plpgsql stable security definer set search_path = '' set jit = off
as $$
begin
    perform enrichment.refuse_foreign_import(enrichment_import_impl.import_id);
    return query select s.* from enrichment.import_states(array[enrichment_import_impl.import_id]) as s;
end
$$;

create function enrichment.enrichment_import_rows_impl(import_id uuid, page_size integer, cursor integer)
returns setof enrichment.import_line
language plpgsql stable security definer set search_path = '' set jit = off
as $$
begin
    perform enrichment.refuse_bad_page(enrichment_import_rows_impl.page_size);
    perform enrichment.refuse_foreign_import(enrichment_import_rows_impl.import_id);
    return query
    select r.row_number, r.title, r.authors, r.outcome, r.reason, r.work_id, r.queue_id, q.status, r.row_number
    from enrichment.import_rows as r
    left join public.enrichment_queue as q on q.id = r.queue_id
    where r.import_id = enrichment_import_rows_impl.import_id and r.row_number > coalesce(enrichment_import_rows_impl.cursor, -1)
    order by r.row_number
    limit enrichment_import_rows_impl.page_size;
end
$$;

-- 55_imports/rows

-- An import and its lines as they came: tables, and the reading of up to 500 rows a call. match, create and library come next.

create table enrichment.imports (
    id uuid primary key,
    user_id uuid not null references public.users (id) on delete cascade,
    import_source text not null constraint import_source_is_known check (import_source in ('goodreads', 'storygraph')),
    expected_rows integer constraint expected_rows_is_a_count check (expected_rows >= 0),
    created_at timestamptz not null default now()
);

create index imports_by_user on enrichment.imports (user_id, created_at desc);
alter table enrichment.imports enable row level security;
revoke all on enrichment.imports from public, anon, authenticated, service_role;

comment on table enrichment.imports is 'One row per imported file.';
comment on column enrichment.imports.expected_rows is 'Rows the file has, so that one that was cut off on the way shows; null where nobody said.';

create table enrichment.import_rows (
    import_id uuid not null references enrichment.imports (id) on delete cascade,
    row_number integer not null,
    outcome text constraint outcome_is_known check (outcome in ('created', 'matched', 'duplicate', 'rejected')),
    reason text,
    external_id text,
    title text,
    authors text[],
    isbn text,
    publisher text,
    publish_date date,
    first_publish_year integer,
    total_pages integer,
    format text,
    language text,
    status text,
    rating integer,
    tags text[],
    first_row_of_book integer not null,
    is_new_work boolean not null default false,
    is_new_edition boolean not null default false,
    work_id uuid,
    edition_id uuid,
    library_item_id uuid,
    enrichment text,
    queue_id uuid,
    primary key (import_id, row_number)
) with (fillfactor = 50);
alter table enrichment.import_rows enable row level security;
revoke all on enrichment.import_rows from public, anon, authenticated, service_role;

comment on table enrichment.import_rows is 'Each line of an imported file as it was read, and what became of it; outcome is null only inside the import''s own transaction.';
comment on column enrichment.import_rows.isbn is 'The ISBN as one 13-digit key.';
comment on column enrichment.import_rows.first_row_of_book is 'The first line of the file that is the same book.';
comment on column enrichment.import_rows.enrichment is 'Outcome of queueing the work: enqueued, already_open, in_review, complete, known_miss.';

create function enrichment.read_import_rows(import_id uuid, "rows" jsonb)
returns setof enrichment.import_rows
language sql stable set search_path = ''
as $$
    select
        read_import_rows.import_id, line.row_number,
        case when problem.reason is not null then 'rejected' end, problem.reason,
        enrichment.json_text(line.value -> 'external_id', 255), left(line.title, 512),
        (
            select array_agg(left(author.name, 255) order by author.place)
            from unnest(enrichment.json_texts(line.value -> 'authors', 2000)) with ordinality as author (name, place)
        ),
        coalesce(
            enrichment.isbn_key(enrichment.json_text(line.value -> 'isbn', 64)),
            enrichment.isbn_key(enrichment.json_text(line.value -> 'isbn_alternate', 64))
        ),
        enrichment.json_text(line.value -> 'publisher', 255),
        make_date(enrichment.json_integer(line.value -> 'published_year', 1000, 2099), 1, 1),
        enrichment.json_integer(line.value -> 'first_publish_year', 1, 2099),
        enrichment.json_integer(line.value -> 'total_pages', 1, 30000),
        enrichment.json_text(line.value -> 'format', 64), enrichment.language_of(enrichment.json_text(line.value -> 'language', 32)),
        enrichment.json_text(line.value -> 'status', 32),
        enrichment.json_integer(line.value -> 'rating', 0, 10), enrichment.json_texts(line.value -> 'tags', 64),
        line.row_number, false, false, null::uuid, null::uuid, null::uuid, null::text, null::uuid
    from (
        select
            element.value, enrichment.json_text(element.value -> 'title') as title,
            coalesce(enrichment.json_integer(element.value -> 'row_number', 1, 999999), 1000000 + element.place::integer) as row_number
        from jsonb_array_elements(read_import_rows."rows") with ordinality as element (value, place)
    ) as line
    cross join lateral (
        select case
            when jsonb_typeof(line.value) <> 'object' then 'the row is not a JSON object'
            when line.row_number > 1000000 then 'row_number is missing'
            when enrichment.json_text(line.value -> 'problem') is not null then enrichment.json_text(line.value -> 'problem')
            when line.title is null then 'the title is missing'
            when length(line.title) > 512 then format('the title has %s characters, more than 512', length(line.title))
            when enrichment.fold_text(line.title) = '' then 'the title has no letters'
            when coalesce(enrichment.json_text(line.value -> 'status'), 'to_read') not in ('to_read', 'reading', 'completed', 'abandoned')
                then 'status is none of to_read, reading, completed, abandoned'
        end as reason
    ) as problem
$$;
comment on function enrichment.read_import_rows(uuid, jsonb) is
'Reads parsed CSV rows defensively: a value of the wrong type or length is dropped, a row that cannot be taken is rejected with its reason.';

-- 60_covers/00_store

-- What is stored of covers: images by their hash, how many bytes they take, images that are none, and the bucket they lie in. Storage
-- itself is spoken to by the worker only.

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

do $$
begin
    if to_regclass('storage.buckets') is not null then
        insert into storage.buckets (id, name, public) values ('covers', 'covers', true) on conflict do nothing;
        if found then
            perform set_config('enrichment.brought', current_setting('enrichment.brought') || ',bucket covers', false);
        end if;
    end if;
exception
    when others then
        raise notice 'the bucket covers could not be made (%): make a public one of that name in the dashboard', sqlerrm;
end
$$;

-- 60_covers/10_queue

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

-- 60_covers/apply

-- What a worker uploaded is counted, and the URL swapped where it is unchanged since; one outcome per element.

create type enrichment.answered_cover as (
    "position" integer, cover_id uuid, claim_token uuid, sha256 text, storage_path text, cover_url text, bytes integer, width integer,
    height integer, problem text
);

create type enrichment.cover_verdict as (cover_id uuid, outcome text);

create type enrichment.cover_outcome as (
    "position" integer, cover_id uuid, work_id uuid, outcome text, status enrichment.queue_status, message text
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

-- 60_covers/claim

-- How a worker takes covers, and what it must keep to: sizes, hosts, budget.

create type enrichment.claimed_cover as (
    cover_id uuid, claim_token uuid, work_id uuid, provider text, source_url text, attempt_count integer
);

create type enrichment.cover_report as (
    cover_mode text, wait_reason text, due_at timestamptz, due_in numeric, pending integer, in_progress integer, images bigint,
    bytes bigint, budget_bytes bigint, download_bytes integer, image_bytes integer, hosts text [], placeholders text []
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

-- 60_covers/settle

-- How a cover's claim ends without an image: an attempt spent, given back, or taken back from a worker that is gone.

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

-- 70_reading/badges

-- A badge's worth per work: the state of its newest row, for works of the own library.

create type enrichment.work_state as (
    work_id uuid, queue_id uuid, status enrichment.queue_status, confidence enrichment.confidence, wait_reason text,
    next_attempt_after timestamptz, last_error text, cover_applied boolean, fields_applied text [], cover_url text,
    last_enriched_at timestamptz, undone_at timestamptz
);

create function enrichment.enrichment_status_impl(work_ids uuid[])
returns setof enrichment.work_state
language plpgsql stable security definer set search_path = '' set jit = off set random_page_cost = 1.1
as $$
declare
    reader uuid := enrichment.acting_reader();
begin
    perform enrichment.refuse_long_list(cardinality(enrichment_status_impl.work_ids));
    return query
    select
        w.id, q.id, q.status, q.confidence, q.wait_reason, nullif(q.next_attempt_after, 'infinity'), q.last_error,
        coalesce(q.cover_applied, false), coalesce(q.fields_applied, '{}'), w.default_cover_url, w.last_enriched_at, q.undone_at
    from public.works as w
    left join lateral (
        select * from public.enrichment_queue as newest
        where newest.work_id = w.id
        order by newest.created_at desc, newest.id desc
        limit 1
    ) as q on true
    where w.id = any(enrichment_status_impl.work_ids)
        and (reader is null or exists (select 1 from public.library_items as i where i.user_id = reader and i.work_id = w.id))
    order by array_position(enrichment_status_impl.work_ids, w.id);
end
$$;

-- 70_reading/history

-- What was done to a book, newest first.

create type enrichment.history_line as (
    id uuid, queue_id uuid, action text, provider text, source_record jsonb, source_url text, confidence enrichment.confidence,
    fields_changed jsonb, sentence text, is_mine boolean, created_at timestamptz
);

create function enrichment.enrichment_history_impl(work_id uuid)
returns setof enrichment.history_line
language plpgsql stable security definer set search_path = '' set jit = off
as $$
declare
    reader uuid := enrichment.acting_reader();
begin
    if not exists (select 1 from public.works as w where w.id = enrichment_history_impl.work_id) then
        perform enrichment.refuse('PT404', format('no work %s', enrichment_history_impl.work_id), 'work_id is an id of public.works');
    end if;
    perform enrichment.refuse_foreign_work(enrichment_history_impl.work_id);
    return query
    select
        a.id, a.enrichment_queue_id, a.action::text, a.provider::text, a.source_record,
        enrichment.source_url(a.provider, a.source_record ->> 'work_key'), a.confidence, a.fields_changed, a.match_details ->> 'sentence',
        a.actor is not distinct from reader, a.created_at
    from public.enrichment_audit_log as a
    where a.work_id = enrichment_history_impl.work_id
    order by a.created_at desc, a.id desc
    limit 200;
end
$$;

-- 70_reading/library

-- The own shelf line by line and in numbers: cover, state, what is missing, what waits for what.

create type enrichment.library_line as (
    work_id uuid, library_item_id uuid, edition_id uuid, title text, authors text [], cover_url text, first_publish_year integer,
    status enrichment.queue_status, queue_id uuid, confidence enrichment.confidence, wait_reason text, next_attempt_after timestamptz,
    last_error text, undone_at timestamptz, missing text [], cursor text
);

create type enrichment.library_summary as (
    books integer, missing_cover integer, missing_something integer, pending integer, in_progress integer, completed integer,
    needs_review integer, failed integer, skipped integer, covers_applied integer, next_due_at timestamptz, next_reason text
);

create view enrichment.shelf_lines with (security_invoker = true) as
select
    i.user_id, i.id as library_item_id, i.created_at as added_at, w.id as work_id, (e.edition).id as edition_id, w.title,
    coalesce(
        nullif(to_jsonb(i) ->> 'cover_override_url', ''),
        case when (e.edition).id = i.preferred_edition_id then nullif((e.edition).cover_url, '') end, nullif(w.default_cover_url, '')
    ) as cover_url,
    w.first_publish_year, q.status, q.id as queue_id, q.confidence, q.wait_reason,
    case when q.status = 'pending' then nullif(q.next_attempt_after, 'infinity') end as next_attempt_after, q.last_error, q.undone_at,
    enrichment.missing_fields(w, e.edition) as missing
from public.library_items as i
join public.works as w on w.id = i.work_id
left join lateral (
    select own as edition
    from public.editions as own
    where own.work_id = w.id
    order by own.id <> i.preferred_edition_id, coalesce(own.isbn13, '') = '', coalesce(own.isbn10, '') = '', own.created_at, own.id
    limit 1
) as e on true
left join lateral (
    select newest.*
    from public.enrichment_queue as newest
    where newest.work_id = w.id
    order by newest.created_at desc, newest.id desc
    limit 1
) as q on true;
revoke all on enrichment.shelf_lines from public, anon, authenticated, service_role;
comment on view enrichment.shelf_lines is
'Each book on a shelf as its reader sees it: the cover that is shown (override, preferred edition, work), what is missing, and its newest queue row.';

create function enrichment.shelf_page(reader uuid, filter text, page_size integer, before_moment timestamptz, before_item uuid)
returns uuid[]
language plpgsql stable set search_path = '' set random_page_cost = 1.1 set plan_cache_mode = force_custom_plan
as $$
begin
    if shelf_page.filter is null then
        return array(
            select i.id from public.library_items as i
            where i.user_id = shelf_page.reader and (i.created_at, i.id) < (shelf_page.before_moment, shelf_page.before_item)
            order by i.created_at desc, i.id desc limit shelf_page.page_size
        );
    end if;
    return array(
        select s.library_item_id from enrichment.shelf_lines as s
        where s.user_id = shelf_page.reader and (s.added_at, s.library_item_id) < (shelf_page.before_moment, shelf_page.before_item)
            and case
                when shelf_page.filter = 'missing' then s.missing <> '{}' else s.status = shelf_page.filter::enrichment.queue_status
            end
        order by s.added_at desc, s.library_item_id desc limit shelf_page.page_size
    );
end
$$;
comment on function enrichment.shelf_page(uuid, text, integer, timestamptz, uuid) is
'Ids of the newest books on a reader''s shelf before one, in one state (null: in any) or with something missing.';

create function enrichment.enrichment_library_impl(filter text, page_size integer, cursor text)
returns setof enrichment.library_line
language plpgsql stable security definer set search_path = '' set jit = off set random_page_cost = 1.1
as $$
declare
    reader uuid := enrichment.current_reader();
    -- Moments as whole microseconds: exact, and without a character that a URL would change.
    before text[] := regexp_match(enrichment_library_impl.cursor, '^([0-9]{1,17})_([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$');
    page uuid[];
begin
    perform enrichment.refuse_bad_page(enrichment_library_impl.page_size);
    if enrichment_library_impl.filter <> 'missing' and enrichment_library_impl.filter <> all(enum_range(null::enrichment.queue_status)::text[]) then
        perform enrichment.refuse('PT422', format('unknown filter %s', enrichment_library_impl.filter), 'use missing, or a status: pending, needs_review …');
    end if;
    if enrichment_library_impl.cursor is not null and before is null then
        perform enrichment.refuse('PT422', 'cursor is not one that a page ended with', 'send the cursor of the last row, or null for the first page');
    end if;
    page := enrichment.shelf_page(
        reader, enrichment_library_impl.filter, enrichment_library_impl.page_size,
        coalesce(timestamptz 'epoch' + before[1]::bigint * interval '1 microsecond', 'infinity'),
        coalesce(before[2], 'ffffffff-ffff-ffff-ffff-ffffffffffff')::uuid
    );

    return query
    select
        s.work_id, s.library_item_id, s.edition_id, s.title::text, enrichment.author_names(s.work_id), s.cover_url, s.first_publish_year::integer,
        s.status, s.queue_id, s.confidence, s.wait_reason, s.next_attempt_after, s.last_error, s.undone_at, s.missing,
        (extract(epoch from s.added_at) * 1000000)::bigint || '_' || s.library_item_id
    from enrichment.shelf_lines as s
    where s.library_item_id = any(page)
    order by s.added_at desc, s.library_item_id desc;
end
$$;

create function enrichment.enrichment_summary_impl()
returns setof enrichment.library_summary
language plpgsql stable security definer set search_path = '' set jit = off set random_page_cost = 1.1
as $$
declare
    reader uuid := enrichment.current_reader();
begin
    return query
    with books as materialized (
        select
            s.cover_url is null as is_bare, s.missing <> '{}' as is_missing, s.status, s.wait_reason, s.next_attempt_after,
            exists (
                select 1 from public.enrichment_queue as q where q.work_id = s.work_id and q.cover_applied and q.undone_at is null
            ) as has_our_cover
        from enrichment.shelf_lines as s
        where s.user_id = reader
    )

    select
        count(*)::integer, count(*) filter (where b.is_bare)::integer, count(*) filter (where b.is_missing)::integer,
        count(*) filter (where b.status = 'pending')::integer, count(*) filter (where b.status = 'in_progress')::integer,
        count(*) filter (where b.status = 'completed')::integer, count(*) filter (where b.status = 'needs_review')::integer,
        count(*) filter (where b.status = 'failed')::integer, count(*) filter (where b.status = 'skipped')::integer,
        count(*) filter (where b.has_our_cover)::integer, min(b.next_attempt_after),
        (array_agg(b.wait_reason order by b.next_attempt_after nulls last) filter (where b.status = 'pending'))[1]
    from books as b;
end
$$;

-- 70_reading/queue

-- The queue page: rows of the own library, newest first, each proposal beside the present value; pages by cursor.

create type enrichment.listed_row as (
    queue_id uuid, work_id uuid, edition_id uuid, import_id uuid, title text, authors text [], status enrichment.queue_status,
    confidence enrichment.confidence, wait_reason text, next_attempt_after timestamptz, last_error text, cover_url text,
    cover_applied boolean, fields_applied text [], providers_attempted text [], sentence text, current_values jsonb, proposals jsonb,
    match_details jsonb, trigger_source enrichment.trigger_source, is_mine boolean, created_at timestamptz, finished_at timestamptz,
    undone_at timestamptz, cursor text
);

-- Pages are picked by ids first, then dressed: sorting whole rows of a large library cost ten times as much. The settings on these two say
-- that a reader's few hundred rows are in memory and that every call is planned for its own arguments; otherwise whole tables are read.
create function enrichment.queue_page(reader uuid, status enrichment.queue_status, page_size integer, before uuid)
returns uuid[]
language plpgsql stable set search_path = '' set random_page_cost = 1.1 set plan_cache_mode = force_custom_plan
as $$
begin
    -- A reader's rows are found by book: walking the whole queue for three hundred books would read all of it.
    if queue_page.reader is not null then
        return array(
            with own as materialized (
                select q.id, q.status
                from public.library_items as i
                join public.enrichment_queue as q on q.work_id = i.work_id
                where i.user_id = queue_page.reader
            )

            select o.id from own as o
            where o.id < queue_page.before and (queue_page.status is null or o.status = queue_page.status)
            order by o.id desc limit queue_page.page_size
        );
    -- The few open or undecided rows among many closed ones have indexes of their own.
    elsif queue_page.status in ('pending', 'in_progress') then
        return array(
            select q.id from public.enrichment_queue as q
            where q.is_open and q.id < queue_page.before and q.status = queue_page.status
            order by q.id desc limit queue_page.page_size
        );
    elsif queue_page.status = 'needs_review' then
        return array(
            select q.id from public.enrichment_queue as q
            where q.is_in_review and q.id < queue_page.before order by q.id desc limit queue_page.page_size
        );
    end if;
    return array(
        select q.id from public.enrichment_queue as q
        where q.id < queue_page.before and (queue_page.status is null or q.status = queue_page.status)
        order by q.id desc limit queue_page.page_size
    );
end
$$;
comment on function enrichment.queue_page(uuid, enrichment.queue_status, integer, uuid) is
'Ids of the newest queue rows before one, of a reader''s books (null: of all), in one state (null: in any).';

create function enrichment.shown_proposals(row_in_review public.enrichment_queue, present jsonb)
returns jsonb
language plpgsql stable set search_path = ''
as $$
begin
    if row_in_review.status <> 'needs_review' then
        return '{}'::jsonb;
    end if;
    return (
        select coalesce(jsonb_object_agg(p.key, jsonb_build_object(
            'value', p.value -> 'value', 'current', shown_proposals.present -> p.key, 'provider', p.value -> 'provider',
            'source_url', enrichment.source_url(p.value ->> 'provider', p.value ->> 'work_key'), 'confidence', p.value -> 'confidence',
            'candidate', coalesce(p.value ->> 'candidate', (p.value ->> 'provider') || ':' || (p.value ->> 'work_key'))
        )), '{}')
        from jsonb_each(row_in_review.match_details -> 'proposals') as p
    );
end
$$;
comment on function enrichment.shown_proposals(public.enrichment_queue, jsonb) is
'What a row in review proposes, each value beside the present one, whose it is and where to look it up; {} for any other row.';

create function enrichment.list_enrichment_impl(status text, page_size integer, cursor text)
returns setof enrichment.listed_row
language plpgsql stable security definer set search_path = '' set jit = off set random_page_cost = 1.1
as $$
declare
    reader uuid := enrichment.acting_reader();
    page uuid[];
begin
    perform enrichment.refuse_bad_page(list_enrichment_impl.page_size);
    if list_enrichment_impl.status <> all(enum_range(null::enrichment.queue_status)::text[]) then
        perform enrichment.refuse('PT422', format('unknown status %s', list_enrichment_impl.status), 'use pending, in_progress, completed, needs_review, failed or skipped');
    end if;
    if list_enrichment_impl.cursor !~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
        perform enrichment.refuse('PT422', 'cursor is not one that a page ended with', 'send the cursor of the last row, or null for the first page');
    end if;
    page := enrichment.queue_page(
        reader, list_enrichment_impl.status::enrichment.queue_status, list_enrichment_impl.page_size,
        coalesce(list_enrichment_impl.cursor, 'ffffffff-ffff-ffff-ffff-ffffffffffff')::uuid
    );

    return query
    select
        q.id, q.work_id, q.edition_id,
        case when reader is null or exists (select 1 from enrichment.imports as m where m.id = q.import_id and m.user_id = reader) then q.import_id end,
        w.title::text, enrichment.author_names(w.id), q.status, q.confidence, q.wait_reason, nullif(q.next_attempt_after, 'infinity'),
        q.last_error, w.default_cover_url, q.cover_applied, q.fields_applied, q.providers_attempted, q.match_details ->> 'sentence',
        present.fields, enrichment.shown_proposals(q, present.fields), q.match_details, q.trigger_source, enrichment.may_undo(reader, q),
        q.created_at, q.finished_at, q.undone_at, q.id::text
    from public.enrichment_queue as q
    join public.works as w on w.id = q.work_id
    left join public.editions as e on e.id = q.edition_id
    cross join lateral enrichment.current_values(w, e) as present (fields)
    where q.id = any(page)
    order by q.id desc;
end
$$;

-- 80_operating/health

-- What is there of all that is needed, a check a line, and what to do about the rest; `book-enrichment doctor` prints it.

create type enrichment.health_check as (name text, state text, message text, hint text);

create function enrichment.health_of_verbs(verbs jsonb)
returns setof enrichment.health_check
language sql stable set search_path = ''
as $$
    with missing as (
        select string_agg(wanted.key, ', ' order by wanted.key) as names
        from jsonb_each(health_of_verbs.verbs) as wanted
        where not exists (
            select 1 from pg_catalog.pg_proc as p
            where p.pronamespace = 'public'::regnamespace and p.proname = wanted.key
                and to_jsonb(coalesce(p.proargnames, '{}')) @> wanted.value
        )
    )

    select
        'migrations',
        case when m.names is null and to_regprocedure('enrichment.schedule_jobs()') is not null then 'ok' else 'fail' end,
        case
            when m.names is not null then 'these verbs are missing or of another version: ' || m.names
            when to_regprocedure('enrichment.schedule_jobs()') is null then 'the last migration is missing: nothing is scheduled'
            else 'every verb the client calls is there'
        end,
        case
            when m.names is not null or to_regprocedure('enrichment.schedule_jobs()') is null
                then 'apply the migrations of the same version as the client: make migrate, or supabase db push'
        end
    from missing as m
$$;
comment on function enrichment.health_of_verbs(jsonb) is
'Whether public has each verb with at least the named parameters ({"claim_enrichment": ["worker_name", "batch_size"], …}), and the last migration ran.';

create function enrichment.health_of_jobs()
returns setof enrichment.health_check
language plpgsql stable set search_path = ''
as $$
begin
    if to_regclass('cron.job') is null then
        return query
        select
            'pg_cron', 'warn', 'pg_cron is not enabled: stored replies are applied only while a worker runs',
            'enable pg_cron in the dashboard (Database, Extensions), then: select enrichment.schedule_jobs()';
        return;
    end if;
    return query execute
        $jobs$
        with jobs as (
            select wanted.name, wanted.lateness, j.active, j.jobid is not null as is_scheduled, run.status, run.return_message, run.start_time
            from unnest($1, $2) as wanted (name, lateness)
            left join cron.job as j on j.jobname = wanted.name and j.database = current_database()
            left join lateral (
                select d.status, d.return_message, d.start_time
                from cron.job_run_details as d
                where d.jobid = j.jobid and d.status in ('succeeded', 'failed')
                order by d.runid desc
                limit 1
            ) as run on true
        ),

        looked_at as (
            select
                j.*, case
                    when not j.is_scheduled then 'missing' when not j.active then 'switched off'
                    when j.status is null then 'never' when j.start_time < now() - j.lateness then 'late' else j.status
                end as finding
            from jobs as j
        )

        select
            'job ' || j.name,
            case
                when j.finding in ('missing', 'switched off', 'failed') then 'fail'
                when j.finding = 'late' or (j.finding = 'never' and j.lateness < '1 day') then 'warn' else 'ok'
            end,
            case j.finding
                when 'missing' then 'is not scheduled'
                when 'switched off' then 'is scheduled, but not active'
                when 'never' then 'is scheduled; no run is on record yet'
                when 'late' then 'last ran at ' || to_char(j.start_time at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')
                when 'failed' then 'its last run failed: ' || left(j.return_message, 300)
                else 'last ran at ' || to_char(j.start_time at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')
            end,
            case j.finding
                when 'missing' then 'select enrichment.schedule_jobs()'
                when 'switched off' then 'select cron.alter_job(jobid, active => true) from cron.job where jobname = ' || quote_literal(j.name)
                when 'failed' then 'call it by hand as its command in cron.job does, and see what it says'
                when 'late' then 'a project that was paused is restarted in the dashboard, and pg_cron with it'
                when 'never' then case when j.lateness < '1 day' then 'look again in a minute; later: is pg_cron running? A restart of the project starts it' end
            end
        from looked_at as j
        order by j.lateness, j.name desc
        $jobs$
        using
            array['enrichment-sweep', 'enrichment-reset-stale', 'enrichment-prune'],
            array[interval '10 minutes', interval '10 minutes', interval '2 days'];
exception
    -- Not ours to read, or of a version that keeps its jobs otherwise: no reason to keep the other checks back.
    when others then
        return query
        select
            'pg_cron', 'warn', 'pg_cron''s tables cannot be read: ' || sqlerrm,
            'look in the dashboard (Integrations, Cron) whether enrichment-sweep, -reset-stale and -prune run';
end
$$;
comment on function enrichment.health_of_jobs() is 'Whether pg_cron is enabled, our three jobs are scheduled and active, and how their last runs ended.';

create function enrichment.health_of_settings()
returns setof enrichment.health_check
language sql stable set search_path = ''
as $$
    select
        'contact',
        case when s.contact is null then 'fail' when s.contact ~* '@example\.(com|net|org)$' then 'warn' else 'ok' end,
        case
            when s.contact is null then 'nobody is named in the User-Agent, so Open Library is not asked (no_contact)'
            when s.contact ~* '@example\.(com|net|org)$' then s.contact || ' is an example that nobody reads'
            else 'the User-Agent names ' || s.contact
        end,
        case
            when s.contact is null or s.contact ~* '@example\.(com|net|org)$'
                then 'set ENRICHMENT_CONTACT where the worker runs to an address or page of yours, or: book-enrichment settings set contact=…'
        end
    from enrichment.settings as s
    union all
    select
        'automatic',
        case when s.auto_enabled then 'ok' else 'warn' end,
        case
            when s.auto_enabled then 'imports are worked on by themselves'
            else format('auto_enabled is off: what imports bring waits (rows by now: %s), what a person asks for runs', waiting."rows")
        end,
        case when not s.auto_enabled then 'set ENRICHMENT_AUTO_ENABLED=true where the worker runs, or: book-enrichment settings set auto_enabled=true' end
    from enrichment.settings as s
    cross join lateral (
        select count(*) as "rows" from public.enrichment_queue as q where q.is_open and q.wait_reason = 'auto_disabled'
    ) as waiting
$$;
comment on function enrichment.health_of_settings() is 'Whether the settings let anything happen: a contact for the User-Agent, and the master switch.';

create function enrichment.health_of_providers()
returns setof enrichment.health_check
language sql stable set search_path = ''
as $$
    select
        'provider ' || s.provider,
        case
            when s.wait_reason in ('bad_key', 'quota_zero', 'identify', 'unknown_location') then 'fail'
            when s.wait_reason in ('breaker', 'retry_after', 'daily') or (s.wait_reason = 'no_key' and opted_in.readers > 0) then 'warn'
            else 'ok'
        end,
        case
            when s.wait_reason is null or s.wait_reason = 'rate' then 'may be asked'
            when s.wait_reason = 'disabled' then 'switched off'
            when s.wait_reason = 'no_key' and opted_in.readers = 0 then 'no key, and nobody wants it'
            when s.wait_reason = 'no_key' then format('no key, though readers opted in: %s', opted_in.readers)
            else concat_ws(
                ', ', 'not asked (' || s.wait_reason || ')', 'until ' || to_char(s.available_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'),
                'last error: ' || p.last_error
            )
        end,
        case s.wait_reason
            when 'no_key' then case when opted_in.readers > 0 then 'set GOOGLE_BOOKS_API_KEY where the worker runs; without it books keep what Open Library has' end
            when 'bad_key' then 'the provider refuses the key: check GOOGLE_BOOKS_API_KEY and the key''s restrictions'
            when 'quota_zero' then 'the key''s project has no quota: enable the Books API in the Google Cloud console'
            when 'identify' then 'the provider refuses our User-Agent: is the contact an address that works?'
            when 'unknown_location' then 'set ENRICHMENT_GOOGLE_BOOKS_COUNTRY to the two letters of your country'
            when 'breaker' then 'nothing: it failed several times and is tried again by itself'
            when 'retry_after' then 'nothing: it asked for a pause and is tried again by itself'
            when 'daily' then 'nothing: its calls of today are spent, it is asked again tomorrow'
        end
    from enrichment.provider_states as s
    join enrichment.providers as p on p.provider = s.provider
    cross join lateral (
        select count(*) as readers from public.users as u where p.needs_opt_in and to_jsonb(u) ->> 'enable_google_books' = 'true'
    ) as opted_in
    where s.wait_reason is distinct from 'no_contact'
    order by s."position"
$$;
comment on function enrichment.health_of_providers() is 'Who may be asked, and where not whether somebody must do something about it. What waits for a contact is told once, by contact.';

create function enrichment.health_of_queue()
returns setof enrichment.health_check
language sql stable set search_path = ''
as $$
    select
        'claims', case when stale."rows" > 0 then 'fail' else 'ok' end,
        case
            when stale."rows" > 0 then format('claims of workers that are gone: %s, the oldest from %s ago', stale."rows", date_trunc('minute', now() - stale.oldest))
            else 'no claim is held too long'
        end,
        case when stale."rows" > 0 then 'pg_cron and every worker take them back; where neither runs: select * from reset_stale_enrichment()' end
    from (
        select count(*) as "rows", min(q.started_at) as oldest
        from public.enrichment_queue as q
        cross join enrichment.settings as s
        where q.is_open and q.status = 'in_progress' and q.started_at < now() - make_interval(secs => s.stale_after_seconds) - interval '2 minutes'
    ) as stale
    union all
    select
        'worker', case when due."rows" > 0 and not due.is_busy then 'warn' else 'ok' end,
        case
            when due."rows" > 0 and not due.is_busy then format('rows that are due and nobody takes: %s, the oldest for %s', due."rows", date_trunc('minute', now() - due.oldest))
            when due."rows" > 0 then format('rows that are due: %s, and a worker is at it', due."rows")
            else 'no row is kept waiting'
        end,
        case when due."rows" > 0 and not due.is_busy then 'start one: book-enrichment run' end
    from (
        select
            count(*) filter (where q.status = 'pending' and q.next_attempt_after < now() - interval '10 minutes') as "rows",
            min(q.next_attempt_after) filter (where q.status = 'pending') as oldest,
            coalesce(bool_or(q.started_at > now() - interval '10 minutes'), false) as is_busy
        from public.enrichment_queue as q
        where q.is_open or q.finished_at > now() - interval '10 minutes'
    ) as due
    union all
    select
        'failures', case when failed."rows" > 0 then 'warn' else 'ok' end,
        case
            when failed."rows" > 0 then format('rows that failed within a week: %s, most often: %s', failed."rows", coalesce(left(failed.last_error, 300), 'no reason on record'))
            else 'no row failed within a week'
        end,
        case when failed."rows" > 0 then 'book-enrichment enqueue WORK_ID… tries them again; select * from enrichment_queue where status = ''failed'' lists them' end
    from (
        select count(*) as "rows", mode() within group (order by q.last_error) as last_error
        from public.enrichment_queue as q
        where q.finished_at > now() - interval '7 days' and q.status = 'failed'
    ) as failed
$$;
comment on function enrichment.health_of_queue() is 'Claims nobody took back, rows nobody takes, and what failed lately.';

create function enrichment.health_of_storage()
returns setof enrichment.health_check
language plpgsql stable set search_path = ''
as $$
declare
    kept enrichment.settings := (select s from enrichment.settings as s);
    stored enrichment.cover_storage := (select c from enrichment.cover_storage as c);
    free_plan constant integer := 500 * 1024 * 1024;
    is_public boolean;
begin
    return query
    select
        'database size', case when db.bytes > 0.8 * free_plan then 'warn' else 'ok' end,
        format('%s; the free plan has 500 MB', pg_size_pretty(db.bytes)),
        case when db.bytes > 0.8 * free_plan then 'lower keep_queue_days and keep_audit_days, then select * from prune_enrichment(); or use a larger plan' end
    from pg_catalog.pg_database_size(current_database()) as db (bytes);

    if kept.cover_mode = 'hotlink' then
        return query select 'covers', 'ok', 'covers are shown from where they are; none are stored', null;
        return;
    end if;
    if to_regclass('storage.buckets') is not null then
        execute 'select b.public from storage.buckets as b where b.id = $1' into is_public using 'covers';
    end if;
    return query
    select
        'covers', case when is_public is null then 'fail' when not is_public or stored.bytes > 0.95 * kept.cover_budget_bytes then 'warn' else 'ok' end,
        case
            when is_public is null then 'covers are to be stored, and there is no bucket covers'
            when not is_public then 'the bucket covers is not public, so that readers cannot see what is stored'
            else format('stored covers: %s, %s of %s', stored.images, pg_size_pretty(stored.bytes), pg_size_pretty(kept.cover_budget_bytes))
        end,
        case
            when is_public is null then 'make a public bucket named covers in the dashboard (Storage), or: book-enrichment settings set cover_mode=hotlink'
            when not is_public then 'make it public in the dashboard (Storage)'
            when stored.bytes > 0.95 * kept.cover_budget_bytes then 'new covers stay hot-linked; raise cover_budget_bytes where there is room'
        end;
exception
    when others then
        return query select 'covers', 'warn', 'Storage''s tables cannot be read: ' || sqlerrm, 'look in the dashboard whether the bucket covers is there';
end
$$;
comment on function enrichment.health_of_storage() is 'How much room is left for rows, and whether covers that are to be stored have a bucket and room in their budget.';

create function enrichment.health_of_realtime()
returns setof enrichment.health_check
language sql stable set search_path = ''
as $$
    select
        'realtime', case when is_there and not is_published then 'warn' else 'ok' end,
        case
            when not is_there then 'no Realtime here: pages ask again every few seconds'
            when is_published then 'pages see changes at once'
            else 'pages ask again every few seconds, because enrichment_queue is not published'
        end,
        case when is_there and not is_published then 'alter publication supabase_realtime add table public.enrichment_queue' end
    from (
        select
            exists (select 1 from pg_catalog.pg_publication as p where p.pubname = 'supabase_realtime') as is_there,
            exists (
                select 1 from pg_catalog.pg_publication_tables as t
                where t.pubname = 'supabase_realtime' and t.schemaname = 'public' and t.tablename = 'enrichment_queue'
            ) as is_published
    ) as publication
$$;
comment on function enrichment.health_of_realtime() is 'Whether Realtime publishes the queue.';

create function enrichment.enrichment_health_impl(verbs jsonb)
returns setof enrichment.health_check
language plpgsql stable security definer set search_path = ''
as $$
begin
    if jsonb_typeof(enrichment_health_impl.verbs) is distinct from 'object' then
        perform enrichment.refuse('PT422', 'verbs is not a JSON object', 'send {"verb": ["parameter", …], …}, or nothing');
    end if;
    return query
    select * from enrichment.health_of_verbs(enrichment_health_impl.verbs)
    union all select * from enrichment.health_of_jobs()
    union all select * from enrichment.health_of_settings()
    union all select * from enrichment.health_of_providers()
    union all select * from enrichment.health_of_queue()
    union all select * from enrichment.health_of_storage()
    union all select * from enrichment.health_of_realtime();
end
$$;

-- 80_operating/jobs

-- What happens by itself: pg_cron runs the sweep, takes back stale claims and throws away what is old. Everything it runs is a plain
-- function call, so a project without pg_cron may call the same three verbs from anywhere. Last, what a living project needs once.

create function enrichment.schedule_jobs()
returns setof text
language plpgsql set search_path = ''
as $$
begin
    if to_regprocedure('cron.schedule(text, text, text)') is null then
        raise notice 'pg_cron is not installed: nothing is scheduled; enable it, then select enrichment.schedule_jobs()';
        return;
    end if;
    return query execute
        'select job.name from unnest($1, $2, $3) as job (name, schedule, command)
        cross join lateral cron.schedule(job.name, job.schedule, job.command)'
        using
            array['enrichment-sweep', 'enrichment-reset-stale', 'enrichment-prune'],
            array['* * * * *', '* * * * *', '17 3 * * *'],
            array[
                'select count(*) from public.sweep_enrichment()', 'select count(*) from public.reset_stale_enrichment()',
                'select count(*) from public.prune_enrichment()'
            ];
end
$$;
comment on function enrichment.schedule_jobs() is
'Schedules sweep and stale reset every minute and prune once a night, under fixed names; running it again changes the jobs in place. Names of the jobs; none without pg_cron.';

do $$
begin
    if exists (select 1 from pg_available_extensions where name = 'pg_cron' and installed_version is null) then
        create extension pg_cron;
        perform set_config('enrichment.brought', current_setting('enrichment.brought') || ',extension pg_cron', false);
    end if;
exception
    when others then
        raise notice 'pg_cron could not be enabled (%): enable it in the dashboard, then select enrichment.schedule_jobs()', sqlerrm;
end
$$;

select enrichment.schedule_jobs();

-- The works that are here already: once, where no reader waits for it.
select enrichment.parse_new_works((select count(*)::integer from public.works));

-- 80_operating/overview

-- What an operator sees at a glance: rows by state and reason, who may be called, when a worker should come back.

create type enrichment.provider_state as (
    provider text, is_enabled boolean, wait_reason text, available_at timestamptz, tokens numeric, rate_per_second numeric,
    burst_size integer, used_today integer, daily_limit integer, daily_reserve integer, failures integer, last_error text
);

create type enrichment.due as (due_at timestamptz, due_in numeric, reason text, pending integer, in_progress integer);

create type enrichment.state_count as (
    status enrichment.queue_status, wait_reason text, "rows" bigint, oldest timestamptz, until timestamptz
);

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
        p.provider, p.is_enabled, s.wait_reason, nullif(s.available_at, 'infinity'), s.tokens, p.rate_per_second, p.burst_size, s.used_today,
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
        case when n.next_attempt_after is not null then round(greatest(extract(epoch from n.next_attempt_after - clock_timestamp()), 0), 3) end,
        n.wait_reason,
        (select count(*)::integer from open_rows as o where o.status = 'pending'),
        (select count(*)::integer from open_rows as o where o.status = 'in_progress')
    from (select) as always
    left join next_row as n on true
$$;

-- 80_operating/retention

-- Throwing away what the settings say is old. Never an open row, a row in review, or a record of the host's.

create type enrichment.pruned as (subject text, removed bigint);

create function enrichment.prune_enrichment_impl()
returns setof enrichment.pruned
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    kept enrichment.settings := (select s from enrichment.settings as s);
    cron_runs bigint;
begin
    return query
    with gone as (
        delete from public.enrichment_queue as q
        where q.id in (
            select old.id from public.enrichment_queue as old
            where old.finished_at < now() - make_interval(days => kept.keep_queue_days) limit 10000
        )
        returning 1
    )

    select 'enrichment_queue', count(*) from gone;

    return query
    with gone as (
        delete from public.enrichment_audit_log as a
        where a.id in (
            select old.id from public.enrichment_audit_log as old
            where old.created_at < now() - make_interval(days => kept.keep_audit_days) limit 10000
        )
        returning 1
    )

    select 'enrichment_audit_log', count(*) from gone;

    return query
    with gone as (
        delete from enrichment.imports as i where i.created_at < now() - make_interval(days => kept.keep_queue_days) returning 1
    )

    select 'imports', count(*) from gone;

    return query
    with gone as (
        delete from enrichment.cover_queue as c
        where c.id in (
            select old.id from enrichment.cover_queue as old
            where old.finished_at < now() - make_interval(days => kept.keep_queue_days) limit 10000
        )
        returning 1
    )

    select 'cover_queue', count(*) from gone;

    -- Once a night, covers that the host has hot-linked since are looked for.
    update enrichment.cover_backfill as b
    set next_work_id = '00000000-0000-0000-0000-000000000000'
    where kept.cover_mode = 'thumbnail' and b.next_work_id is null;

    return query
    with gone as (
        delete from public.source_records as s
        where s.entity_type in ('isbn_lookup', 'title_lookup')
            and s.fetched_at < now() - make_interval(days => case when s.raw ? 'no_match' then kept.miss_valid_days else kept.record_valid_days end)
        returning 1
    )

    select 'source_records', count(*) from gone;

    return query
    with gone as (
        delete from enrichment.parsed_records as p
        where p.fetched_at < now() - make_interval(days => case when p.is_miss then kept.miss_valid_days else kept.record_valid_days end)
            or not exists (
                select 1 from public.source_records as s
                where s.provider = p.provider and s.entity_type = p.entity_type and s.provider_id = p.provider_id
            )
        returning 1
    )

    select 'parsed_records', count(*) from gone;

    if to_regclass('cron.job_run_details') is not null then
        execute 'delete from cron.job_run_details where end_time < now() - make_interval(days => $1)' using kept.keep_cron_runs_days;
        get diagnostics cron_runs = row_count;
        return query select 'cron.job_run_details', cron_runs;
    end if;
end
$$;

-- 80_operating/usage

-- The free-tier meter: how much of the database, of storage and of the day's calls is used.

create type enrichment.usage_line as (meter text, subject text, used bigint, allowed bigint, unit text, until timestamptz);

create function enrichment.stored_bytes()
returns bigint
language plpgsql stable set search_path = ''
as $$
declare
    ours bigint := (select u.bytes from enrichment.cover_storage as u);
    whole bigint;
begin
    -- Storage keeps the size of each file; a project may have no Storage, or may not let us look.
    if has_table_privilege(to_regclass('storage.objects'), 'select') then
        select sum(case when o.metadata ->> 'size' ~ '^[0-9]{1,15}$' then (o.metadata ->> 'size')::bigint end)::bigint into whole
        from storage.objects as o;
    end if;
    return greatest(ours, whole);
end
$$;
comment on function enrichment.stored_bytes() is 'Bytes of all files in the project''s Storage; of our own covers alone where Storage does not tell.';

create function enrichment.enrichment_usage_impl()
returns setof enrichment.usage_line
language plpgsql stable security definer set search_path = '' set jit = off set random_page_cost = 1.1
as $$
declare
    reader uuid := enrichment.acting_reader();
    kept enrichment.settings := (select s from enrichment.settings as s);
begin
    return query
    select 'database', 'database', pg_database_size(current_database()), kept.database_budget_bytes, 'bytes', null::timestamptz
    union all
    select 'covers', 'storage', enrichment.stored_bytes(), kept.storage_budget_bytes, 'bytes', null
    union all
    select 'covers', 'budget', u.bytes, kept.cover_budget_bytes, 'bytes', null from enrichment.cover_storage as u;

    return query
    select
        'calls', p.provider, s.used_today::bigint, p.daily_limit::bigint, 'calls',
        date_trunc('day', clock_timestamp() at time zone p.reset_time_zone + interval '1 day') at time zone p.reset_time_zone
    from enrichment.providers as p
    join enrichment.provider_states as s on s.provider = p.provider
    where p.is_enabled
    order by p."position";

    return query
    select 'waiting', q.wait_reason, count(*), null::bigint, 'rows', nullif(min(q.next_attempt_after), 'infinity')
    from public.enrichment_queue as q
    where q.is_open and q.status = 'pending'
        and (reader is null or q.work_id in (select i.work_id from public.library_items as i where i.user_id = reader))
    group by q.wait_reason
    order by q.wait_reason;
end
$$;

-- 90_api/10_service

-- The verbs of the service role: what a worker, the host's server and an operator call, also over REST. Each is a thin wrapper that runs
-- as its caller over a private twin (`enrichment.<verb>_impl`) that runs as its owner: a SECURITY DEFINER function in an exposed schema
-- is what the platform's advisors warn of (lints 0028 and 0029), and the private schema is not exposed. This page closes everything first.

create function public.configure_enrichment(changes jsonb default '{}')
returns setof enrichment.setting
language sql set search_path = ''
as $$
    select * from enrichment.configure_enrichment_impl(configure_enrichment.changes)
$$;
comment on function public.configure_enrichment(jsonb) is
'Changes the named settings ({"auto_enabled": true}) and returns them all: name, value, description. PT422 for an unknown name or a bad value.';

create function public.reserve_provider_calls(provider text, calls integer default 1)
returns setof enrichment.reservation
language sql set search_path = ''
as $$
    select * from enrichment.reserve_provider_calls_impl(reserve_provider_calls.provider, reserve_provider_calls.calls)
$$;
comment on function public.reserve_provider_calls(text, integer) is
'Takes up to that many calls from the shared bucket: granted, retry_after in seconds (null: until a setting changes), reason (rate, daily, breaker, retry_after, no_contact, no_key, disabled …). A grant not used within 2 s must be thrown away.';

create function public.report_provider_calls(
    provider text, succeeded integer default 0, failed integer default 0, last_error text default null,
    retry_after numeric default null, reason text default null
)
returns setof enrichment.provider_report
language sql set search_path = ''
as $$
    select * from enrichment.report_provider_calls_impl(
        report_provider_calls.provider, report_provider_calls.succeeded, report_provider_calls.failed, report_provider_calls.last_error,
        report_provider_calls.retry_after, report_provider_calls.reason
    )
$$;
comment on function public.report_provider_calls(text, integer, integer, text, numeric, text) is
'How calls ended. Consecutive failures open the breaker; retry_after (seconds, at most a day) or a reason (bad_key, quota_zero, identify, unknown_location: an hour; daily: until the provider''s midnight; unless retry_after says else) pauses the provider. A success closes a breaker that let a probe through; it does not cut a pause short, it may have been under way before.';

create function public.enqueue_enrichment(
    work_ids uuid[], trigger_source text default 'manual_bulk', triggered_by uuid default null, priority integer default null
)
returns setof enrichment.enqueue_outcome
language sql set search_path = ''
as $$
    select * from enrichment.enqueue_enrichment_impl(
        enqueue_enrichment.work_ids, enqueue_enrichment.trigger_source, enqueue_enrichment.triggered_by, enqueue_enrichment.priority
    )
$$;
comment on function public.enqueue_enrichment(uuid[], text, uuid, integer) is
'Queues up to 1,000 works. One outcome each: enqueued, already_open (its priority raised), in_review, complete (no gap), known_miss (nothing new to be learnt), unknown. Priority defaults to 50 for manual_bulk, 100 otherwise.';

create function public.import_library(
    user_id uuid, import_source text, "rows" jsonb, import_id uuid default null, expected_rows integer default null
)
returns setof enrichment.import_outcome
language sql set search_path = ''
as $$
    select * from enrichment.import_library_impl(
        import_library.user_id, import_library.import_source, import_library."rows", import_library.import_id, import_library.expected_rows
    )
$$;
comment on function public.import_library(uuid, text, jsonb, uuid, integer) is
'Imports up to 500 parsed CSV rows for a reader and queues what has gaps. One outcome per row: created, matched, duplicate or rejected, with the reason. The same import_id ties the chunks of one file; a chunk sent twice answers the same. expected_rows: how many the whole file has, for enrichment_import() to compare.';

create function public.claim_enrichment(worker_name text, batch_size integer default null)
returns setof enrichment.claimed_row
language sql set search_path = ''
as $$
    select * from enrichment.claim_enrichment_impl(claim_enrichment.worker_name, claim_enrichment.batch_size)
$$;
comment on function public.claim_enrichment(text, integer) is
'Takes up to batch_size due rows (default settings.batch_size), each with a claim_token and the look-ups it still needs: [{provider, kind: isbn or title, key, title, author}];[] where the cache answers all. Only providers that may be called now. Zero rows: nothing to do, ask enrichment_due().';

create function public.fail_enrichment(queue_id uuid, claim_token uuid, error text)
returns setof enrichment.row_state
language sql set search_path = ''
as $$
    select * from enrichment.fail_enrichment_impl(fail_enrichment.queue_id, fail_enrichment.claim_token, fail_enrichment.error)
$$;
comment on function public.fail_enrichment(uuid, uuid, text) is
'A look-up of this very row met a lasting error: the attempt is spent, the row backs off, or fails after max_attempts. PT409 without the running claim.';

create function public.release_enrichment(queue_id uuid, claim_token uuid, reason text, retry_at timestamptz default null)
returns setof enrichment.row_state
language sql set search_path = ''
as $$
    select * from enrichment.release_enrichment_impl(
        release_enrichment.queue_id, release_enrichment.claim_token, release_enrichment.reason, release_enrichment.retry_at
    )
$$;
comment on function public.release_enrichment(uuid, uuid, text, timestamptz) is
'Gives a claimed row back unanswered: pending, with the reason and from when it is due (default now). No attempt is spent. PT409 without the running claim.';

create function public.reset_stale_enrichment(older_than interval default null)
returns setof enrichment.row_state
language sql set search_path = ''
as $$
    select * from enrichment.reset_stale_enrichment_impl(reset_stale_enrichment.older_than)
$$;
comment on function public.reset_stale_enrichment(interval) is
'Takes back claims older than that (default settings.stale_after_seconds): the crash spent an attempt, so the row backs off, or fails after max_attempts. One row per claim taken back, up to 1,000; claims on covers are taken back with them.';

create function public.sweep_enrichment(batch_size integer default null)
returns setof enrichment.resolution
language sql set search_path = ''
as $$
    select * from enrichment.sweep_enrichment_impl(sweep_enrichment.batch_size)
$$;
comment on function public.sweep_enrichment(integer) is
'The cached lane: resolves up to batch_size pending works (default settings.sweep_batch_size, at most 1,000) for which stored records say something new. No HTTP. Zero rows: nothing can be answered from the cache.';

create function public.apply_enrichment(results jsonb)
returns setof enrichment.apply_outcome
language sql set search_path = ''
as $$
    select * from enrichment.apply_enrichment_impl(apply_enrichment.results)
$$;
comment on function public.apply_enrichment(jsonb) is
'Takes a worker''s answers: [{"queue_id", "claim_token", "lookups": [{"provider", "kind", "key", "raw" or "no_match": true}]}], up to 1,000. Stores them, scores, fills and closes or re-queues. One outcome per element by position (from 0): applied, stale_claim (nothing changed) or rejected with a message; a bad element fails alone.';

create function public.claim_covers(worker_name text, batch_size integer default null)
returns setof enrichment.claimed_cover
language sql set search_path = ''
as $$
    select * from enrichment.claim_covers_impl(claim_covers.worker_name, claim_covers.batch_size)
$$;
comment on function public.claim_covers(text, integer) is
'Takes up to batch_size covers to store (default 10, at most 100), each with a claim_token. Zero rows: hot-link mode, nothing due, the provider paused, or no room left in cover_budget_bytes; enrichment_covers() says which.';

create function public.apply_covers(results jsonb)
returns setof enrichment.cover_outcome
language sql set search_path = ''
as $$
    select * from enrichment.apply_covers_impl(apply_covers.results)
$$;
comment on function public.apply_covers(jsonb) is
'Takes what a worker uploaded to the bucket covers: [{"cover_id", "claim_token", "sha256", "storage_path", "cover_url", "bytes", "width", "height"}], up to 1,000. One outcome per element by position (from 0): applied (the URL is swapped), url_changed or locked (the work keeps its cover), over_budget (the row waits), stale_claim, failed or rejected with a message; a bad element fails alone.';

create function public.fail_cover(cover_id uuid, claim_token uuid, error text, is_lasting boolean default false)
returns setof enrichment.cover_state
language sql set search_path = ''
as $$
    select * from enrichment.fail_cover_impl(fail_cover.cover_id, fail_cover.claim_token, fail_cover.error, fail_cover.is_lasting)
$$;
comment on function public.fail_cover(uuid, uuid, text, boolean) is
'This image cannot be stored. is_lasting (no such image, a placeholder, not an image): skipped, the work keeps its URL; otherwise the attempt is spent and the row backs off, or fails after max_attempts. PT404, PT409 without the running claim.';

create function public.release_cover(cover_id uuid, claim_token uuid, reason text, retry_at timestamptz default null)
returns setof enrichment.cover_state
language sql set search_path = ''
as $$
    select * from enrichment.release_cover_impl(release_cover.cover_id, release_cover.claim_token, release_cover.reason, release_cover.retry_at)
$$;
comment on function public.release_cover(uuid, uuid, text, timestamptz) is
'Gives a claimed cover back: pending, with the reason and from when it is due (default now). No attempt is spent. PT404, PT409 without the running claim, PT422 without a reason.';

create function public.enrichment_covers()
returns setof enrichment.cover_report
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_covers_impl()
$$;
comment on function public.enrichment_covers() is
'How storing covers stands, in one row: the mode, why it waits (hotlink_mode, storage_budget, a provider''s reason) and when the next is due, rows under way, images and bytes stored against the budget, and what a worker must keep to: sizes, hosts, digests of placeholders.';

create function public.enrichment_overview()
returns setof enrichment.state_count
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_overview_impl()
$$;
comment on function public.enrichment_overview() is 'enrichment.overview for the service role: status, wait_reason, rows, oldest, until.';

create function public.enrichment_providers()
returns setof enrichment.provider_state
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_providers_impl()
$$;
comment on function public.enrichment_providers() is
'One line per provider in the order of asking: wait_reason (null: may be called now; disabled, no_contact, no_key, bad_key, quota_zero, identify, unknown_location, retry_after, breaker, daily, rate) and until when (null: until a setting changes), calls left in its bucket and how they come back, calls of today and their limit, consecutive failures, the last error.';

create function public.enrichment_due()
returns setof enrichment.due
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_due_impl()
$$;
comment on function public.enrichment_due() is
'When a worker should come back: due_at and due_in (seconds, 0 for now) of the next pending row, why it waits, and how many are pending and in progress. both are null where nothing will be due by itself.';

create function public.enrichment_health(verbs jsonb default '{}')
returns setof enrichment.health_check
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_health_impl(enrichment_health.verbs)
$$;
comment on function public.enrichment_health(jsonb) is
'One check a line: name, state (ok, warn, fail), message, hint (what to do; null where all is well). verbs names what the client is going to call, with its parameters, so that a database of another version is noticed.';

create function public.prune_enrichment()
returns setof enrichment.pruned
language sql set search_path = ''
as $$
    select * from enrichment.prune_enrichment_impl()
$$;
comment on function public.prune_enrichment() is
'Throws away what the keep_* and *_valid_days settings say is old: finished queue and cover rows, audit rows, imports, our own expired look-ups and their parsed forms, pg_cron''s run log. Never an open row, a row in review, or a record of the host''s.';

revoke all on all functions in schema enrichment from public, anon, authenticated, service_role;

revoke all on function
    public.configure_enrichment(jsonb),
    public.reserve_provider_calls(text, integer),
    public.report_provider_calls(text, integer, integer, text, numeric, text),
    public.enqueue_enrichment(uuid[], text, uuid, integer),
    public.import_library(uuid, text, jsonb, uuid, integer),
    public.claim_enrichment(text, integer),
    public.fail_enrichment(uuid, uuid, text),
    public.release_enrichment(uuid, uuid, text, timestamptz),
    public.reset_stale_enrichment(interval),
    public.sweep_enrichment(integer),
    public.apply_enrichment(jsonb),
    public.claim_covers(text, integer),
    public.apply_covers(jsonb),
    public.fail_cover(uuid, uuid, text, boolean),
    public.release_cover(uuid, uuid, text, timestamptz),
    public.enrichment_covers(),
    public.enrichment_overview(),
    public.enrichment_providers(),
    public.enrichment_due(),
    public.enrichment_health(jsonb),
    public.prune_enrichment()
from public, anon, authenticated, service_role;

grant execute on function
    public.configure_enrichment(jsonb), enrichment.configure_enrichment_impl(jsonb),
    public.reserve_provider_calls(text, integer), enrichment.reserve_provider_calls_impl(text, integer),
    public.report_provider_calls(text, integer, integer, text, numeric, text), enrichment.report_provider_calls_impl(text, integer, integer, text, numeric, text),
    public.enqueue_enrichment(uuid[], text, uuid, integer), enrichment.enqueue_enrichment_impl(uuid[], text, uuid, integer),
    public.import_library(uuid, text, jsonb, uuid, integer), enrichment.import_library_impl(uuid, text, jsonb, uuid, integer),
    public.claim_enrichment(text, integer), enrichment.claim_enrichment_impl(text, integer),
    public.fail_enrichment(uuid, uuid, text), enrichment.fail_enrichment_impl(uuid, uuid, text),
    public.release_enrichment(uuid, uuid, text, timestamptz), enrichment.release_enrichment_impl(uuid, uuid, text, timestamptz),
    public.reset_stale_enrichment(interval), enrichment.reset_stale_enrichment_impl(interval),
    public.sweep_enrichment(integer), enrichment.sweep_enrichment_impl(integer),
    public.apply_enrichment(jsonb), enrichment.apply_enrichment_impl(jsonb),
    public.claim_covers(text, integer), enrichment.claim_covers_impl(text, integer),
    public.apply_covers(jsonb), enrichment.apply_covers_impl(jsonb),
    public.fail_cover(uuid, uuid, text, boolean), enrichment.fail_cover_impl(uuid, uuid, text, boolean),
    public.release_cover(uuid, uuid, text, timestamptz), enrichment.release_cover_impl(uuid, uuid, text, timestamptz),
    public.enrichment_covers(), enrichment.enrichment_covers_impl(),
    public.enrichment_overview(), enrichment.enrichment_overview_impl(),
    public.enrichment_providers(), enrichment.enrichment_providers_impl(),
    public.enrichment_due(), enrichment.enrichment_due_impl(),
    public.enrichment_health(jsonb), enrichment.enrichment_health_impl(jsonb),
    public.prune_enrichment(), enrichment.prune_enrichment_impl()
to service_role;

-- 90_api/20_readers

-- The verbs of readers, which the service role may call too: what the page shows and what a person decides. Wrappers as in 10_service.

create function public.approve_enrichment(queue_id uuid, fields text[] default null, candidate text default null)
returns setof enrichment.review_outcome
language sql set search_path = ''
as $$
    select * from enrichment.approve_enrichment_impl(approve_enrichment.queue_id, approve_enrichment.fields, approve_enrichment.candidate)
$$;
comment on function public.approve_enrichment(uuid, text[], text) is
'Writes the named proposals (null: all) of a row in review where the field is still empty, and closes it. Where match_details.rivals shows several books, candidate (provider:work_key; null: the best) chooses one and writes its values; the others are passed over for this work. fields_skipped had been filled or locked meanwhile; what was left unticked is not proposed again from that candidate. PT404, PT403, PT409, PT422.';

create function public.dismiss_enrichment(queue_id uuid)
returns setof enrichment.review_outcome
language sql set search_path = ''
as $$
    select * from enrichment.dismiss_enrichment_impl(dismiss_enrichment.queue_id)
$$;
comment on function public.dismiss_enrichment(uuid) is
'Closes a row in review as skipped; the candidates it proposes, rivals included, are never proposed for this work again. PT404, PT403, PT409.';

create function public.lock_fields(work_id uuid, fields text[], edition_id uuid default null)
returns setof enrichment.field_lock
language sql set search_path = ''
as $$
    select * from enrichment.lock_fields_impl(lock_fields.work_id, lock_fields.fields, lock_fields.edition_id)
$$;
comment on function public.lock_fields(uuid, text[], uuid) is
'Locks fields of a work, or of one of its editions, so that enrichment never fills them. Returns all locks of both. PT404, PT403, PT422.';

create function public.unlock_fields(work_id uuid, fields text[], edition_id uuid default null)
returns setof enrichment.field_lock
language sql set search_path = ''
as $$
    select * from enrichment.unlock_fields_impl(unlock_fields.work_id, unlock_fields.fields, unlock_fields.edition_id)
$$;
comment on function public.unlock_fields(uuid, text[], uuid) is
'Takes locks of a work, or of one of its editions, away again, whoever set them; a field that has none is no error. Returns the locks that are left. PT404, PT403, PT422.';

create function public.explain_enrichment(work_id uuid)
returns setof enrichment.explained_candidate
language sql set search_path = ''
as $$
    select * from enrichment.explain_enrichment_impl(explain_enrichment.work_id)
$$;
comment on function public.explain_enrichment(uuid) is
'Every candidate the valid records hold for a work, best first, dismissed ones last: its scores, each part with its value, one sentence, what it would fill. Queued or not; nothing is written. Zero rows: no provider was asked lately, or none knows it. PT403, PT404, PT409 where the book is being worked on for seconds on end.';

create function public.preview_enrichment(work_ids uuid[])
returns setof enrichment.preview
language sql set search_path = ''
as $$
    select * from enrichment.preview_enrichment_impl(preview_enrichment.work_ids)
$$;
comment on function public.preview_enrichment(uuid[]) is
'What would happen if these works (up to 1,000) were triggered now: status the row would come to (pending: after writing what is_applied it asks the provider in lookups; null: it would not be queued, the sentence says why), and per field the value, its provider, the current value, whether it is written or proposed. Nothing is written. PT403, PT404, PT409 where one of them is being worked on for seconds on end, PT422.';

create function public.undo_enrichment(queue_id uuid)
returns setof enrichment.undo_outcome
language sql set search_path = ''
as $$
    select * from enrichment.undo_enrichment_impl(undo_enrichment.queue_id)
$$;
comment on function public.undo_enrichment(uuid) is
'Puts back what a row wrote, its cover included: fields_restored. A value that was changed since stays: fields_kept. A row in review is skipped, any other keeps its state and says undone_at; works.enrichment_status shows the outcome before it. The same candidate does not fill those fields again, and what was dismissed stays so; rivals that were passed over may be chosen when the book is asked for again. For whoever triggered or approved the row, and the service. PT404, PT403, PT409 for a row that is open, was undone or wrote nothing.';

create function public.undo_import(import_id uuid)
returns setof enrichment.undo_outcome
language sql set search_path = ''
as $$
    select * from enrichment.undo_import_impl(undo_import.import_id)
$$;
comment on function public.undo_import(uuid) is
'Undoes an own import, up to 1,000 books a call: what its queue rows wrote and what the file''s own columns filled in books that were there before, as undo_enrichment(); rows in review or not begun yet are skipped. Books stay on the shelf. One line per book that changed, or that could not with the reason; call again while a line without reason comes back. PT404, PT403.';

create function public.approve_matching(
    confidence text default null, provider text default null, sentence text default null, import_id uuid default null,
    fields text[] default null, is_dry_run boolean default true
)
returns setof enrichment.matching_outcome
language sql set search_path = ''
as $$
    select * from enrichment.approve_matching_impl(
        approve_matching.confidence, approve_matching.provider, approve_matching.sentence, approve_matching.import_id, approve_matching.fields,
        approve_matching.is_dry_run
    )
$$;
comment on function public.approve_matching(text, text, text, uuid, text[], boolean) is
'Approves the rows in review of the own library that fit every filter given: confidence, the sentence, the import, provider (all that is proposed comes from it). fields: only these are written, where they are proposed; the rest is dropped as if left unticked. Rows that show rivals are left: each wants a choice of its own. A dry run, the default, counts rows and the fields that would be filled and changes nothing. At most 1,000 rows and five seconds a call, the oldest first: remaining says how many were left for the next; skipped rows were taken by somebody meanwhile, or refused. Call again while changed is more than 0 and so is remaining. PT403, PT404, PT422.';

create function public.dismiss_matching(
    confidence text default null, provider text default null, sentence text default null, import_id uuid default null,
    is_dry_run boolean default true
)
returns setof enrichment.matching_outcome
language sql set search_path = ''
as $$
    select * from enrichment.dismiss_matching_impl(
        dismiss_matching.confidence, dismiss_matching.provider, dismiss_matching.sentence, dismiss_matching.import_id, dismiss_matching.is_dry_run
    )
$$;
comment on function public.dismiss_matching(text, text, text, uuid, boolean) is
'Dismisses the rows in review of the own library that fit every filter given, as approve_matching() finds them; a dry run by default, whose fields say what would be given up. At most 1,000 rows a call. PT403, PT404, PT422.';

create function public.enrichment_status(work_ids uuid[])
returns setof enrichment.work_state
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_status_impl(enrichment_status.work_ids)
$$;
comment on function public.enrichment_status(uuid[]) is
'One line per work of the own library: state of its newest queue row (null: never queued), why it waits and until when (null: until a setting changes), what was filled. Works that are not in the library are left out.';

create function public.list_enrichment(status text default null, page_size integer default 50, cursor text default null)
returns setof enrichment.listed_row
language sql stable set search_path = ''
as $$
    select * from enrichment.list_enrichment_impl(list_enrichment.status, list_enrichment.page_size, list_enrichment.cursor)
$$;
comment on function public.list_enrichment(text, integer, text) is
'Queue rows of the own library, newest first, each with all that a review panel shows: the sentence, every value as it is now, every proposal beside it, and is_mine (you may undo it). The cursor of the last row gets the next page. PT422 for an unknown status, page_size beyond 1,000 or a foreign cursor.';

create function public.enrichment_history(work_id uuid)
returns setof enrichment.history_line
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_history_impl(enrichment_history.work_id)
$$;
comment on function public.enrichment_history(uuid) is
'What enrichment and its readers did to a book of the own library, newest first, at most 200 lines: values before and after, from where, why, and is_mine (it was you). PT404, PT403.';

create function public.enrichment_imports(page_size integer default 20)
returns setof enrichment.import_state
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_imports_impl(enrichment_imports.page_size)
$$;
comment on function public.enrichment_imports(integer) is
'The own imports, newest first, and how far each is. The service sees everybody''s. PT422 for a page beyond 1,000.';

create function public.enrichment_import(import_id uuid)
returns setof enrichment.import_state
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_import_impl(enrichment_import.import_id)
$$;
comment on function public.enrichment_import(uuid) is
'How far an own import is, in one row: expected_rows (null: not said) against rows read, by outcome; then the queue rows of its books by state, covers filled, rows undone, and in how many books undo_import() would take something back. PT404, PT403.';

create function public.enrichment_import_rows(import_id uuid, page_size integer default 100, cursor integer default null)
returns setof enrichment.import_line
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_import_rows_impl(
        enrichment_import_rows.import_id, enrichment_import_rows.page_size, enrichment_import_rows.cursor
    )
$$;
comment on function public.enrichment_import_rows(uuid, integer, integer) is
'The lines of an own import in the order of the file: what became of each, its book, and the state of its queue row (null: it was not queued). The cursor of the last row gets the next page. PT404, PT403, PT422.';

create function public.enrichment_usage()
returns setof enrichment.usage_line
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_usage_impl()
$$;
comment on function public.enrichment_usage() is
'The free-tier meter, a line each: database (bytes against database_budget_bytes), covers (storage: all files against storage_budget_bytes; budget: our covers against cover_budget_bytes), calls (of today per provider against its daily limit, null for none, until its midnight), waiting (pending rows per reason and when the first is due; a reader''s own library only).';

revoke all on function
    public.approve_enrichment(uuid, text[], text),
    public.dismiss_enrichment(uuid),
    public.lock_fields(uuid, text[], uuid),
    public.unlock_fields(uuid, text[], uuid),
    public.explain_enrichment(uuid),
    public.preview_enrichment(uuid[]),
    public.undo_enrichment(uuid),
    public.undo_import(uuid),
    public.approve_matching(text, text, text, uuid, text[], boolean),
    public.dismiss_matching(text, text, text, uuid, boolean),
    public.enrichment_status(uuid[]),
    public.list_enrichment(text, integer, text),
    public.enrichment_history(uuid),
    public.enrichment_imports(integer),
    public.enrichment_import(uuid),
    public.enrichment_import_rows(uuid, integer, integer),
    public.enrichment_usage()
from public, anon, authenticated, service_role;

grant execute on function
    public.approve_enrichment(uuid, text[], text), enrichment.approve_enrichment_impl(uuid, text[], text),
    public.dismiss_enrichment(uuid), enrichment.dismiss_enrichment_impl(uuid),
    public.lock_fields(uuid, text[], uuid), enrichment.lock_fields_impl(uuid, text[], uuid),
    public.unlock_fields(uuid, text[], uuid), enrichment.unlock_fields_impl(uuid, text[], uuid),
    public.explain_enrichment(uuid), enrichment.explain_enrichment_impl(uuid),
    public.preview_enrichment(uuid[]), enrichment.preview_enrichment_impl(uuid[]),
    public.undo_enrichment(uuid), enrichment.undo_enrichment_impl(uuid),
    public.undo_import(uuid), enrichment.undo_import_impl(uuid),
    public.approve_matching(text, text, text, uuid, text[], boolean), enrichment.approve_matching_impl(text, text, text, uuid, text[], boolean),
    public.dismiss_matching(text, text, text, uuid, boolean), enrichment.dismiss_matching_impl(text, text, text, uuid, boolean),
    public.enrichment_status(uuid[]), enrichment.enrichment_status_impl(uuid[]),
    public.list_enrichment(text, integer, text), enrichment.list_enrichment_impl(text, integer, text),
    public.enrichment_history(uuid), enrichment.enrichment_history_impl(uuid),
    public.enrichment_imports(integer), enrichment.enrichment_imports_impl(integer),
    public.enrichment_import(uuid), enrichment.enrichment_import_impl(uuid),
    public.enrichment_import_rows(uuid, integer, integer), enrichment.enrichment_import_rows_impl(uuid, integer, integer),
    public.enrichment_usage(), enrichment.enrichment_usage_impl()
to authenticated, service_role;

-- 90_api/30_own_library

-- The verbs only a signed-in reader can call, because they are about the own library. Wrappers as in 10_service.

create function public.trigger_enrichment(work_ids uuid[])
returns setof enrichment.enqueue_outcome
language sql set search_path = ''
as $$
    select * from enrichment.trigger_enrichment_impl(trigger_enrichment.work_ids)
$$;
comment on function public.trigger_enrichment(uuid[]) is
'The reader''s button: queues works of the own library with priority 50. Outcomes as enqueue_enrichment; a work that is not in the library is unknown.';

create function public.trigger_missing_enrichment()
returns setof enrichment.enqueue_outcome
language sql set search_path = ''
as $$
    select * from enrichment.trigger_missing_enrichment_impl()
$$;
comment on function public.trigger_missing_enrichment() is
'The reader''s "Enrich missing": queues the newest 1,000 works of the own library that have a gap and are not queued, and starts those that wait for the switch (auto_disabled). Call again for more.';

create function public.enrichment_library(filter text default null, page_size integer default 60, cursor text default null)
returns setof enrichment.library_line
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_library_impl(enrichment_library.filter, enrichment_library.page_size, enrichment_library.cursor)
$$;
comment on function public.enrichment_library(text, integer, text) is
'The own library, newest book first: the cover that is shown, the state of its newest queue row (null: never queued) and which fields are missing. filter: a status, or missing. The cursor of the last row gets the next page. PT403 without a reader, PT422.';

create function public.enrichment_summary()
returns setof enrichment.library_summary
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_summary_impl()
$$;
comment on function public.enrichment_summary() is
'The own library in one row: books, how many show no cover, how many lack anything, how many are in each state by their newest queue row, how many covers enrichment filled, and when (null: not before a setting changes) and why the next waiting row is due. PT403 without a reader.';

revoke all on function
    public.trigger_enrichment(uuid[]),
    public.trigger_missing_enrichment(),
    public.enrichment_library(text, integer, text),
    public.enrichment_summary()
from public, anon, authenticated, service_role;

grant execute on function
    public.trigger_enrichment(uuid[]), enrichment.trigger_enrichment_impl(uuid[]),
    public.trigger_missing_enrichment(), enrichment.trigger_missing_enrichment_impl(),
    public.enrichment_library(text, integer, text), enrichment.enrichment_library_impl(text, integer, text),
    public.enrichment_summary(), enrichment.enrichment_summary_impl()
to authenticated;

reset check_function_bodies;

insert into enrichment.schema_versions (version, name, checksum, works_with, brought) values
(1, '20260220120000_add_enrichment_queue', 'fa125586cb8bc0157432f5f3068d96c7b56a3da9cabd362968749bea30848ddf', 1, coalesce(string_to_array(nullif(trim(',' from current_setting('enrichment.brought', true)), ''), ','), '{}'));
