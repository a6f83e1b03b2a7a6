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

create type enrichment.oldest_answers as (reply_fetched_at timestamptz, miss_fetched_at timestamptz);
comment on type enrichment.oldest_answers is 'When a reply and a miss must have been fetched at least to answer still.';

create function enrichment.oldest_answers()
returns enrichment.oldest_answers
language sql stable set search_path = ''
as $$
    select now() - make_interval(days => s.record_valid_days), now() - make_interval(days => s.miss_valid_days)
    from enrichment.settings as s
$$;
comment on function enrichment.oldest_answers() is 'Replies answer without a call for record_valid_days, misses for miss_valid_days.';

create function enrichment.still_answers(fetched_at timestamptz, raw jsonb, oldest enrichment.oldest_answers)
returns boolean
language plpgsql immutable set search_path = ''
as $$
begin
    -- The first comparison is for speed: to look into a large reply means to unpack it.
    return fetched_at > greatest((oldest).reply_fetched_at, (oldest).miss_fetched_at)
        or fetched_at > case when raw ? 'no_match' then (oldest).miss_fetched_at else (oldest).reply_fetched_at end;
end
$$;
comment on function enrichment.still_answers(timestamptz, jsonb, enrichment.oldest_answers) is
'Whether a source record answers without a call; oldest is what oldest_answers() says, asked once a statement.';

create function enrichment.parse_records(queue_ids uuid[])
returns void
language plpgsql set search_path = ''
as $$
declare
    unread enrichment.parsed_records[];
begin
    with outdated as (
        select distinct r.provider, r.entity_type, r.provider_id, r.fetched_at
        from enrichment.queue_records(parse_records.queue_ids) as r
        left join enrichment.parsed_records as p using (provider, entity_type, provider_id)
        where p.fetched_at is distinct from r.fetched_at
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
        enrichment.work_values(f), enrichment.edition_values(f)
    from unnest(unread) as u
    join public.source_records as s on s.provider = u.provider and s.entity_type = u.entity_type and s.provider_id = u.provider_id
    cross join lateral enrichment.read_record(s.provider, s.entity_type, s.raw) as f
    where not u.is_miss and f.work_key is not null;
end
$$;
comment on function enrichment.parse_records(uuid[]) is
'Reads the records that speak of these queue rows into candidates, where that is not done yet or the record was fetched again.';
