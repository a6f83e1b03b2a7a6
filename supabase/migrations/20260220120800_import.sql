-- From parsed CSV rows to works on a shelf. Python reads the file, this room decides what each row is: a new work, one the catalogue
-- has, one the reader has, or nothing we can take. The rows are worked on where they are kept, in enrichment.import_rows, so that a
-- chunk that is sent again answers the same and everything can be looked at afterwards. After: what has gaps is in the queue.

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
revoke all on function enrichment.read_import_rows(uuid, jsonb) from public, anon, authenticated, service_role;

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
revoke all on function enrichment.match_import_rows(uuid) from public, anon, authenticated, service_role;

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
revoke all on function enrichment.create_import_works(uuid) from public, anon, authenticated, service_role;

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
revoke all on function enrichment.create_import_editions(uuid) from public, anon, authenticated, service_role;

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
revoke all on function enrichment.fill_from_import(uuid, uuid) from public, anon, authenticated, service_role;

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
revoke all on function enrichment.shelve_import(uuid, uuid) from public, anon, authenticated, service_role;

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
revoke all on function enrichment.import_library_impl(uuid, text, jsonb, uuid, integer) from public, anon, authenticated, service_role;
grant execute on function enrichment.import_library_impl(uuid, text, jsonb, uuid, integer) to service_role;

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
revoke all on function public.import_library(uuid, text, jsonb, uuid, integer) from public, anon, authenticated, service_role;
grant execute on function public.import_library(uuid, text, jsonb, uuid, integer) to service_role;
