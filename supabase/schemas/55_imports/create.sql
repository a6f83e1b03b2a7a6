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

    accepted as (select o.* from offered as o join filled using (entity_id, field)),

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
