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

create function enrichment.reason_to_reject(value jsonb)
returns text
language plpgsql stable set search_path = ''
as $$
declare
    title text := enrichment.json_text(reason_to_reject.value -> 'title');
    problem text := enrichment.json_text(reason_to_reject.value -> 'problem');
    status text := coalesce(enrichment.json_text(reason_to_reject.value -> 'status'), 'to_read');
begin
    return case
        when jsonb_typeof(reason_to_reject.value) <> 'object' then 'the row is not a JSON object'
        when enrichment.json_integer(reason_to_reject.value -> 'row_number', 1, 999999) is null then 'row_number is missing'
        when problem is not null then problem
        when title is null then 'the title is missing'
        when length(title) > 512 then format('the title has %s characters, more than 512', length(title))
        when enrichment.fold_text(title) = '' then 'the title has no letters'
        when status not in ('to_read', 'reading', 'completed', 'abandoned')
            then 'status is none of to_read, reading, completed, abandoned'
    end;
end
$$;
comment on function enrichment.reason_to_reject(jsonb) is 'Why a parsed CSV row cannot be taken; null where it can.';

create function enrichment.read_import_row(import_id uuid, value jsonb, place bigint)
returns enrichment.import_rows
language plpgsql stable set search_path = ''
as $$
declare
    line enrichment.import_rows;
begin
    line.import_id := read_import_row.import_id;
    line.row_number := coalesce(enrichment.json_integer(value -> 'row_number', 1, 999999), 1000000 + place::integer);
    line.reason := enrichment.reason_to_reject(value);
    line.outcome := case when line.reason is not null then 'rejected' end;
    line.external_id := enrichment.json_text(value -> 'external_id', 255);
    line.title := left(enrichment.json_text(value -> 'title'), 512);
    line.authors := (
        select array_agg(left(author.name, 255) order by author.place)
        from unnest(enrichment.json_texts(value -> 'authors', 2000)) with ordinality as author (name, place)
    );
    line.isbn := coalesce(
        enrichment.isbn_key(enrichment.json_text(value -> 'isbn', 64)),
        enrichment.isbn_key(enrichment.json_text(value -> 'isbn_alternate', 64))
    );
    line.publisher := enrichment.json_text(value -> 'publisher', 255);
    line.publish_date := make_date(enrichment.json_integer(value -> 'published_year', 1000, 2099), 1, 1);
    line.first_publish_year := enrichment.json_integer(value -> 'first_publish_year', 1, 2099);
    line.format := enrichment.json_text(value -> 'format', 64);
    if coalesce(line.format, '') not ilike '%audio%' then
        line.total_pages := enrichment.json_integer(value -> 'total_pages', 1, 30000);
    end if;
    line.language := enrichment.language_of(enrichment.json_text(value -> 'language', 32));
    line.status := enrichment.json_text(value -> 'status', 32);
    line.rating := enrichment.json_integer(value -> 'rating', 0, 10);
    line.tags := enrichment.json_texts(value -> 'tags', 64);
    line.first_row_of_book := line.row_number;
    line.is_new_work := false;
    line.is_new_edition := false;
    return line;
end
$$;
comment on function enrichment.read_import_row(uuid, jsonb, bigint) is
'Reads a parsed CSV row defensively: a value of the wrong type or length is dropped. What an export says of pages of an audiobook is dropped as well.';

create function enrichment.read_import_rows(import_id uuid, "rows" jsonb)
returns setof enrichment.import_rows
language sql stable set search_path = ''
as $$
    select line.*
    from jsonb_array_elements(read_import_rows."rows") with ordinality as element (value, place)
    cross join lateral enrichment.read_import_row(read_import_rows.import_id, element.value, element.place) as line
$$;
comment on function enrichment.read_import_rows(uuid, jsonb) is
'Reads parsed CSV rows, each as read_import_row does; one that cannot be taken is rejected with its reason.';
