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
