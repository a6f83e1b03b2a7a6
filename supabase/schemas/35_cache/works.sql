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
