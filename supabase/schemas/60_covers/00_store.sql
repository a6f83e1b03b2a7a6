-- What is stored of covers: images by their hash, how many bytes they take, images that are none, and the bucket they lie in. Storage
-- itself is spoken to by the worker only.

create table enrichment.stored_covers (
    sha256 text primary key check (sha256 ~ '^[0-9a-f]{64}$'),
    storage_path text not null unique,
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
comment on column enrichment.stored_covers.storage_path is 'Within the bucket, as enrichment.cover_path() names it.';

create function enrichment.cover_path(sha256 text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return 'openlibrary/' || left(cover_path.sha256, 32) || '.webp';
end
$$;
comment on function enrichment.cover_path(text) is 'Where an image lies within the bucket covers: under its own hash, so that the same image has one place.';

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
