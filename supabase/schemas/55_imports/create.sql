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

create type enrichment.imported_value as (
    work_id uuid, edition_id uuid, import_source text, row_key text, entity_id uuid, field text, value text, is_new boolean
);
comment on type enrichment.imported_value is
'What a line of a file knows for a gap, and which line it is. is_new: its work or edition came with this import.';

create function enrichment.imported_values(import_id uuid)
returns setof enrichment.imported_value
language sql stable set search_path = ''
as $$
    with lines as materialized (
        select r.work_id, r.edition_id, i.import_source, coalesce(r.external_id, i.id || ' row ' || r.row_number) as row_key, r.row_number,
            r.is_new_edition or r.is_new_work as is_new, to_jsonb(r) as columns, enrichment.missing_fields(w, e) as gaps
        from enrichment.import_rows as r
        join enrichment.imports as i on i.id = r.import_id
        join public.works as w on w.id = r.work_id
        left join public.editions as e on e.id = r.edition_id
        where r.import_id = imported_values.import_id and r.outcome is null
    )

    select distinct on (target.entity_id, gap.field)
        l.work_id, l.edition_id, l.import_source, l.row_key, target.entity_id, gap.field, known.value, l.is_new
    from lines as l
    cross join lateral unnest(l.gaps) as gap (field)
    cross join lateral (select case when gap.field like 'work.%' then l.work_id else l.edition_id end as entity_id) as target
    cross join lateral (select l.columns ->> split_part(gap.field, '.', 2) as value) as known
    where known.value is not null
    order by target.entity_id, gap.field, l.row_number
$$;
comment on function enrichment.imported_values(uuid) is
'What an import''s lines know for gaps of their books, the first line first: of each gap the column of import_rows that is called like it.';

create function enrichment.fill_from_import(import_id uuid, reader uuid)
returns void
language plpgsql set search_path = ''
as $$
declare
    accepted enrichment.imported_value[];
begin
    perform 1 from public.works as w
    where w.id in (select r.work_id from enrichment.import_rows as r where r.import_id = fill_from_import.import_id and r.outcome is null)
    order by w.id for no key update;
    perform 1 from public.editions as e
    where e.id in (
        select r.edition_id from enrichment.import_rows as r where r.import_id = fill_from_import.import_id and r.outcome is null
    )
    order by e.id for no key update;

    with offered as materialized (select v.* from enrichment.imported_values(fill_from_import.import_id) as v),

    remembered as (
        insert into enrichment.filled_fields as f (entity_id, field, provider, candidate_key)
        select o.entity_id, o.field, o.import_source, o.row_key
        from offered as o
        order by o.entity_id, o.field
        on conflict do nothing
        returning f.entity_id, f.field
    )

    select array_agg(row(o.*)::enrichment.imported_value) into accepted
    from offered as o
    where (o.entity_id, o.field) in (select r.entity_id, r.field from remembered as r);

    perform enrichment.fill_fields(array(select row(a.entity_id, a.field, a.value)::enrichment.field_value from unnest(accepted) as a));

    insert into public.enrichment_audit_log (
        work_id, edition_id, import_id, action, provider, source_record, fields_changed, previous_values, actor
    )
    select
        a.work_id, a.edition_id, fill_from_import.import_id, 'auto_applied', a.import_source,
        jsonb_build_object('entity_type', 'import_row', 'provider_id', a.row_key),
        jsonb_object_agg(a.field, jsonb_build_object('old', null, 'new', a.value)), jsonb_object_agg(a.field, null), fill_from_import.reader
    from unnest(accepted) as a
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
