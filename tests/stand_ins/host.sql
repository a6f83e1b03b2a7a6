-- A book app as it is before we come: its tables, types, policies and grants, and rows in every state we must live with. The newest
-- version of it has an enrichment of its own; an older one is this without the last part and without users.enable_google_books.

create type public.library_item_status as enum ('to_read', 'reading', 'completed', 'abandoned');
create type public.library_item_visibility as enum ('private', 'public');

create table public.users (
    id uuid primary key references auth.users (id) on delete cascade,
    handle varchar(64) not null constraint uq_users_handle unique,
    display_name varchar(255),
    avatar_url text,
    theme_primary_color varchar(7),
    enable_google_books boolean not null default false,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create table public.authors (
    id uuid primary key default gen_random_uuid(),
    name varchar(255) not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create table public.works (
    id uuid primary key default gen_random_uuid(),
    title varchar(512) not null,
    description text,
    first_publish_year smallint,
    default_cover_url text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    default_cover_set_by uuid,
    default_cover_set_at timestamptz,
    default_cover_storage_path text
);
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
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    cover_set_by uuid,
    cover_set_at timestamptz,
    cover_storage_path text,
    total_pages integer constraint ck_editions_total_pages check (total_pages >= 1),
    total_audio_minutes integer constraint ck_editions_total_audio_minutes check (total_audio_minutes >= 1)
);
create index ix_editions_isbn10 on public.editions (isbn10);
create index ix_editions_isbn13 on public.editions (isbn13);
create table public.work_authors (
    work_id uuid not null references public.works (id),
    author_id uuid not null references public.authors (id),
    primary key (work_id, author_id)
);
create table public.external_ids (
    id uuid primary key default gen_random_uuid(),
    entity_type varchar(32) not null,
    entity_id uuid not null,
    provider varchar(64) not null,
    provider_id varchar(255) not null,
    constraint uq_external_ids_entity_provider unique (entity_type, entity_id, provider),
    constraint uq_external_ids_provider_id unique (provider, provider_id, entity_type)
);
create index ix_external_ids_provider_lookup on public.external_ids (provider, provider_id);
create table public.source_records (
    id uuid primary key default gen_random_uuid(),
    provider varchar(64) not null,
    entity_type varchar(32) not null,
    provider_id varchar(255) not null,
    raw jsonb not null,
    fetched_at timestamptz not null default now(),
    constraint uq_source_records_provider_entity unique (provider, entity_type, provider_id)
);
create index ix_source_records_provider_lookup on public.source_records (provider, provider_id);
create table public.library_items (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null references public.users (id) on delete cascade,
    work_id uuid not null references public.works (id) on delete restrict,
    preferred_edition_id uuid references public.editions (id) on delete set null,
    status public.library_item_status not null,
    visibility public.library_item_visibility not null,
    rating smallint constraint ck_library_items_rating_range check (rating >= 0 and rating <= 10),
    tags varchar(64) [],
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    cover_override_url text,
    cover_override_storage_path text,
    cover_override_set_by uuid,
    cover_override_set_at timestamptz,
    constraint uq_library_items_user_work unique (user_id, work_id)
);
create index ix_library_items_user_id on public.library_items (user_id);
create index ix_library_items_tags on public.library_items using gin (tags);

alter table public.users enable row level security;
alter table public.authors enable row level security;
alter table public.works enable row level security;
alter table public.editions enable row level security;
alter table public.work_authors enable row level security;
alter table public.external_ids enable row level security;
alter table public.source_records enable row level security;
alter table public.library_items enable row level security;
create policy users_owner on public.users to authenticated using (id = auth.uid()) with check (id = auth.uid());
create policy library_items_owner on public.library_items to authenticated
using (user_id = auth.uid()) with check (user_id = auth.uid());
create policy authors_read on public.authors for select to authenticated using (true);
create policy works_read on public.works for select to authenticated using (true);
create policy editions_read on public.editions for select to authenticated using (true);
create policy work_authors_read on public.work_authors for select to authenticated using (true);
create policy external_ids_read on public.external_ids for select to authenticated using (true);
create policy source_records_read on public.source_records for select to authenticated using (true);
grant select on public.authors, public.works, public.editions, public.work_authors, public.external_ids, public.source_records
to authenticated;
grant select, insert, update, delete on public.users, public.library_items to authenticated;
comment on table public.works is 'The host''s own words.';

insert into auth.users (id, email) values
('aaaaaaaa-0000-4000-8000-000000000001', 'ada@example.org'),
('aaaaaaaa-0000-4000-8000-000000000002', 'bob@example.org');
insert into public.users (id, handle, enable_google_books) values
('aaaaaaaa-0000-4000-8000-000000000001', 'ada', true),
('aaaaaaaa-0000-4000-8000-000000000002', 'bob', false);

-- 1: records of work and edition are cached, and the reader's import left gaps that they fill. 2: cached, but nobody has a cover.
-- 3: never looked up. 4: imported by hand, without ISBN. 5: nothing is missing. 6: not even an edition.
insert into public.works (id, title, description, first_publish_year, default_cover_url) values
('bbbbbbbb-0000-4000-8000-000000000001', 'The Left Hand of Darkness', null, null, null),
('bbbbbbbb-0000-4000-8000-000000000002', 'Kindred', 'The host''s own description.', null, null),
('bbbbbbbb-0000-4000-8000-000000000003', 'Piranesi', null, 2020, null),
('bbbbbbbb-0000-4000-8000-000000000004', 'A Wizard of Earthsea (Earthsea Cycle, #1)', '', 0, ''),
('bbbbbbbb-0000-4000-8000-000000000005', 'Beloved', 'All there.', 1987, 'https://covers.example.org/beloved.jpg'),
('bbbbbbbb-0000-4000-8000-000000000006', 'Unbound', null, null, null);
insert into public.editions (id, work_id, isbn10, isbn13, publisher, publish_date, language, format, total_pages) values
('cccccccc-0000-4000-8000-000000000001', 'bbbbbbbb-0000-4000-8000-000000000001', null, '9780441478125', null, null, null, null, null),
('cccccccc-0000-4000-8000-000000000002', 'bbbbbbbb-0000-4000-8000-000000000002', '0807083690', null, 'Beacon Press', null, null, null, null),
('cccccccc-0000-4000-8000-000000000003', 'bbbbbbbb-0000-4000-8000-000000000003', null, '9781635575637', null, null, null, null, null),
('cccccccc-0000-4000-8000-000000000004', 'bbbbbbbb-0000-4000-8000-000000000004', null, null, null, null, null, null, null),
('cccccccc-0000-4000-8000-000000000005', 'bbbbbbbb-0000-4000-8000-000000000005', '1400033411', '9781400033416', 'Vintage', '2004-06-08',
    'eng', 'paperback', 324);
insert into public.authors (id, name) values
('dddddddd-0000-4000-8000-000000000001', 'Ursula K. Le Guin'),
('dddddddd-0000-4000-8000-000000000002', 'Octavia E. Butler'),
('dddddddd-0000-4000-8000-000000000003', 'Ursula K. Le Guin');
insert into public.work_authors (work_id, author_id) values
('bbbbbbbb-0000-4000-8000-000000000001', 'dddddddd-0000-4000-8000-000000000001'),
('bbbbbbbb-0000-4000-8000-000000000002', 'dddddddd-0000-4000-8000-000000000002'),
('bbbbbbbb-0000-4000-8000-000000000004', 'dddddddd-0000-4000-8000-000000000003');

-- The last three speak of things that are no longer there; the last was a work of an earlier import.
insert into public.external_ids (entity_type, entity_id, provider, provider_id) values
('work', 'bbbbbbbb-0000-4000-8000-000000000001', 'openlibrary', '/works/OL59800W'),
('edition', 'cccccccc-0000-4000-8000-000000000001', 'openlibrary', '/books/OL7523319M'),
('author', 'dddddddd-0000-4000-8000-000000000001', 'openlibrary', '/authors/OL31353A'),
('work', 'bbbbbbbb-0000-4000-8000-000000000002', 'openlibrary', '/works/OL35631W'),
('work', 'bbbbbbbb-0000-4000-8000-000000000003', 'openlibrary', '/works/OL20893680W'),
('work', 'bbbbbbbb-0000-4000-8000-000000000004', 'goodreads_manual', 'goodreads:13642'),
('work', 'bbbbbbbb-0000-4000-8000-0000000000f1', 'openlibrary', '/works/OL1W'),
('edition', 'cccccccc-0000-4000-8000-0000000000f1', 'openlibrary', '/books/OL1M'),
('work', 'bbbbbbbb-0000-4000-8000-0000000000f2', 'goodreads_manual', 'goodreads:99');
insert into public.source_records (provider, entity_type, provider_id, raw, fetched_at) values
('openlibrary', 'work', '/works/OL59800W', '{
    "key": "/works/OL59800W", "title": "The Left Hand of Darkness", "description": {"type": "/type/text", "value": "Genly Ai on Gethen."},
    "covers": [-1, 283860], "first_publish_date": "March 1969", "type": {"key": "/type/work"}, "revision": 7,
    "authors": [{"type": {"key": "/type/author_role"}, "author": {"key": "/authors/OL31353A"}}]
}', now() - interval '1 day'),
('openlibrary', 'edition', '/books/OL7523319M', '{
    "key": "/books/OL7523319M", "title": "The Left Hand of Darkness", "publishers": ["Ace"], "publish_date": "1987-03-15",
    "works": [{"key": "/works/OL59800W"}], "languages": [{"key": "/languages/eng"}], "physical_format": "Paperback",
    "isbn_13": ["9780441478125"], "isbn_10": ["0441478123"], "number_of_pages": 304, "covers": null
}', now() - interval '1 day'),
('openlibrary', 'work', '/works/OL35631W', '{
    "key": "/works/OL35631W", "title": "Kindred", "covers": [-1], "authors": [{"author": {"key": "/authors/OL1A"}}]
}', now() - interval '2 days'),
('googlebooks', 'work', 'x0', '{"kind": "books#volume", "id": "x0", "volumeInfo": {"title": "Kindred"}}', now() - interval '1 year'),
('openlibrary', 'work', '/works/OL2W', '{"key": "/works/OL2W", "type": {"key": "/type/redirect"}, "location": "/works/OL3W"}', now());
insert into public.library_items (user_id, work_id, preferred_edition_id, status, visibility, rating, tags)
select 'aaaaaaaa-0000-4000-8000-000000000001', w.id, null, 'completed', 'public', 8, '{favourites}'
from public.works as w
where w.title <> 'Unbound';
insert into public.library_items (user_id, work_id, status, visibility) values
('aaaaaaaa-0000-4000-8000-000000000002', 'bbbbbbbb-0000-4000-8000-000000000006', 'to_read', 'private');

-- The newest version only: an enrichment of the host's own, whose names are near ours.
create type public.enrichment_task_status as enum ('pending', 'in_progress', 'complete', 'needs_review', 'failed', 'skipped');
create type public.enrichment_task_confidence as enum ('high', 'medium', 'low', 'none');
create type public.enrichment_trigger_source as enum ('post_import', 'manual_bulk', 'lazy');
create type public.enrichment_audit_action as enum ('auto_applied', 'queued_review', 'skipped', 'failed', 'dismissed', 'approved');
create table public.library_item_enrichment_tasks (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null references public.users (id) on delete cascade,
    library_item_id uuid not null references public.library_items (id) on delete cascade,
    work_id uuid not null references public.works (id) on delete cascade,
    trigger_source public.enrichment_trigger_source not null,
    status public.enrichment_task_status not null default 'pending',
    confidence public.enrichment_task_confidence not null default 'none',
    created_at timestamptz not null default now()
);
create table public.library_item_enrichment_audit_log (
    id uuid primary key default gen_random_uuid(),
    task_id uuid not null references public.library_item_enrichment_tasks (id) on delete cascade,
    action public.enrichment_audit_action not null
);
create table public.enrichment_no_match_cache (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null references public.users (id) on delete cascade,
    work_id uuid not null references public.works (id) on delete cascade,
    provider varchar(64) not null,
    expires_at timestamptz not null,
    constraint uq_enrichment_no_match_cache_user_work_provider unique (user_id, work_id, provider)
);
create table public.enrichment_provider_daily_usage (
    id uuid primary key default gen_random_uuid(),
    usage_date date not null,
    provider varchar(64) not null,
    user_id uuid references public.users (id) on delete cascade,
    request_count integer not null default 0
);
alter table public.library_item_enrichment_tasks enable row level security;
alter table public.library_item_enrichment_audit_log enable row level security;
alter table public.enrichment_no_match_cache enable row level security;
alter table public.enrichment_provider_daily_usage enable row level security;
create policy library_item_enrichment_tasks_owner on public.library_item_enrichment_tasks to authenticated
using (user_id = auth.uid()) with check (user_id = auth.uid());
grant select, insert, update, delete on public.library_item_enrichment_tasks to authenticated;
with task as (
    insert into public.library_item_enrichment_tasks (user_id, library_item_id, work_id, trigger_source, status)
    select i.user_id, i.id, i.work_id, 'lazy', 'complete' from public.library_items as i
    returning id
)

insert into public.library_item_enrichment_audit_log (task_id, action) select task.id, 'auto_applied' from task;
insert into public.enrichment_no_match_cache (user_id, work_id, provider, expires_at) values
('aaaaaaaa-0000-4000-8000-000000000001', 'bbbbbbbb-0000-4000-8000-000000000003', 'openlibrary', now() + interval '7 days');
insert into public.enrichment_provider_daily_usage (usage_date, provider, request_count) values (current_date, 'openlibrary', 17);
