-- Book enrichment, version 3: the fields that may be filled stand in one registry

do $$
begin
    if to_regclass('enrichment.schema_versions') is null then
        raise exception 'book enrichment is not at version 2 here. `book-enrichment migrate` brings it there; run that first';
    elsif exists (select from enrichment.schema_versions as v where v.version = 3) then
        raise exception using message = (
            select 'this step is applied here already, by `book-enrichment migrate`. Tell the CLI so: '
                || 'supabase migration repair --status applied ' || string_agg(split_part(v.name, '_', 1), ' ' order by v.version)
            from enrichment.schema_versions as v
        );
    elsif not exists (select from enrichment.schema_versions as v where v.version = 2) then
        raise exception 'book enrichment is not at version 2 here: apply the steps in their order';
    end if;
end
$$;

set check_function_bodies = off;

create function enrichment.fields()
returns table (field text, table_name text, column_name text, label text, kind text, known_to text[])
language sql immutable parallel safe set search_path = ''
as $$
    values
        ('work.cover_url', 'works', 'default_cover_url', 'Cover', 'image', '{openlibrary,googlebooks}'::text[]),
        ('work.description', 'works', 'description', 'Description', 'text', '{openlibrary,googlebooks}'::text[]),
        ('work.first_publish_year', 'works', 'first_publish_year', 'First published', 'year', '{openlibrary}'::text[]),
        ('edition.publisher', 'editions', 'publisher', 'Publisher', 'text', '{openlibrary,googlebooks}'::text[]),
        ('edition.publish_date', 'editions', 'publish_date', 'Published', 'date', '{openlibrary,googlebooks}'::text[]),
        ('edition.isbn13', 'editions', 'isbn13', 'ISBN-13', 'isbn', '{openlibrary,googlebooks}'::text[]),
        ('edition.isbn10', 'editions', 'isbn10', 'ISBN-10', 'isbn', '{openlibrary,googlebooks}'::text[]),
        ('edition.language', 'editions', 'language', 'Language', 'language', '{openlibrary,googlebooks}'::text[]),
        ('edition.format', 'editions', 'format', 'Format', 'word', '{openlibrary}'::text[]),
        ('edition.total_pages', 'editions', 'total_pages', 'Pages', 'number', '{openlibrary,googlebooks}'::text[]),
        ('edition.total_audio_minutes', 'editions', 'total_audio_minutes', 'Length', 'minutes', '{}'::text[])
$$;

comment on function enrichment.fields() is
'The fields that enrichment may fill, in the order in which they are shown: the column each is kept in, what people call it, what kind of value it is, and which of our providers know it.';

create or replace function enrichment.empty_fields(work public.works, edition public.editions)
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
        case when coalesce(edition.isbn13, '') = '' then 'edition.isbn13' end,
        case when coalesce(edition.isbn10, '') = '' and coalesce(edition.isbn13, '') not like '979%' then 'edition.isbn10' end,
        case when coalesce(edition.language, '') = '' then 'edition.language' end,
        case when coalesce(edition.format, '') = '' then 'edition.format' end,
        case when edition.total_pages is null and coalesce(edition.format, '') not ilike '%audio%' then 'edition.total_pages' end,
        case when edition.total_audio_minutes is null and edition.format ilike '%audio%' then 'edition.total_audio_minutes' end
    ] else '{}' end, null);
end
$$;

create or replace function enrichment.current_values(work public.works, edition public.editions)
returns jsonb
language plpgsql stable set search_path = ''
as $$
begin
    return jsonb_build_object(
        'work.cover_url', work.default_cover_url,
        'work.description', work.description,
        'work.first_publish_year', work.first_publish_year,
        'edition.publisher', edition.publisher,
        'edition.publish_date', edition.publish_date,
        'edition.isbn13', edition.isbn13,
        'edition.isbn10', edition.isbn10,
        'edition.language', edition.language,
        'edition.format', edition.format,
        'edition.total_pages', edition.total_pages,
        'edition.total_audio_minutes', edition.total_audio_minutes
    );
end
$$;

create or replace function enrichment.same_value(field text, one text, other text)
returns boolean
language plpgsql stable set search_path = ''
as $$
begin
    return case
        when same_value.field in ('work.first_publish_year', 'edition.total_pages', 'edition.total_audio_minutes')
            then same_value.one::integer = same_value.other::integer
        when same_value.field in ('edition.publish_date')
            then same_value.one::date = same_value.other::date
        else same_value.one = same_value.other
    end;
end
$$;

create type enrichment.field_value as (entity_id uuid, field text, value text);

comment on type enrichment.field_value is 'A value for a field of one work or edition.';

create function enrichment.fill_fields("values" enrichment.field_value[])
returns void
language plpgsql strict set search_path = ''
as $$
begin
    with given as (
        select v.entity_id, jsonb_object_agg(v.field, v.value) as fields
        from unnest(fill_fields."values") as v where v.field like 'work.%' group by v.entity_id
    )

    update public.works as w
    set default_cover_url = coalesce(
            nullif(w.default_cover_url, ''), g.fields ->> 'work.cover_url', w.default_cover_url
        ),
        description = coalesce(
            nullif(w.description, ''), g.fields ->> 'work.description', w.description
        ),
        first_publish_year = coalesce(
            nullif(w.first_publish_year, 0), (g.fields ->> 'work.first_publish_year')::smallint, w.first_publish_year
        ),
        updated_at = now()
    from given as g
    where w.id = g.entity_id;

    with given as (
        select v.entity_id, jsonb_object_agg(v.field, v.value) as fields
        from unnest(fill_fields."values") as v where v.field like 'edition.%' group by v.entity_id
    )

    update public.editions as e
    set publisher = coalesce(
            nullif(e.publisher, ''), g.fields ->> 'edition.publisher', e.publisher
        ),
        publish_date = coalesce(e.publish_date, (g.fields ->> 'edition.publish_date')::date),
        isbn13 = coalesce(
            nullif(e.isbn13, ''), g.fields ->> 'edition.isbn13', e.isbn13
        ),
        isbn10 = coalesce(
            nullif(e.isbn10, ''), g.fields ->> 'edition.isbn10', e.isbn10
        ),
        language = coalesce(
            nullif(e.language, ''), g.fields ->> 'edition.language', e.language
        ),
        format = coalesce(
            nullif(e.format, ''), g.fields ->> 'edition.format', e.format
        ),
        total_pages = coalesce(e.total_pages, (g.fields ->> 'edition.total_pages')::integer),
        total_audio_minutes = coalesce(e.total_audio_minutes, (g.fields ->> 'edition.total_audio_minutes')::integer),
        updated_at = now()
    from given as g
    where e.id = g.entity_id;
end
$$;

comment on function enrichment.fill_fields(enrichment.field_value[]) is
'Writes values into works and editions where the field is still empty at that moment. The caller holds the locks under which they were offered.';

create function enrichment.restore_fields("values" enrichment.field_value[])
returns void
language plpgsql strict set search_path = ''
as $$
begin
    with given as (
        select v.entity_id, jsonb_object_agg(v.field, v.value) as fields
        from unnest(restore_fields."values") as v where v.field like 'work.%' group by v.entity_id
    )

    update public.works as w
    set default_cover_url = case
            when g.fields ? 'work.cover_url' then g.fields ->> 'work.cover_url' else w.default_cover_url
        end,
        description = case
            when g.fields ? 'work.description' then g.fields ->> 'work.description' else w.description
        end,
        first_publish_year = case
            when g.fields ? 'work.first_publish_year' then (g.fields ->> 'work.first_publish_year')::smallint else w.first_publish_year
        end,
        updated_at = now()
    from given as g
    where w.id = g.entity_id;

    with given as (
        select v.entity_id, jsonb_object_agg(v.field, v.value) as fields
        from unnest(restore_fields."values") as v where v.field like 'edition.%' group by v.entity_id
    )

    update public.editions as e
    set publisher = case
            when g.fields ? 'edition.publisher' then g.fields ->> 'edition.publisher' else e.publisher
        end,
        publish_date = case
            when g.fields ? 'edition.publish_date' then (g.fields ->> 'edition.publish_date')::date else e.publish_date
        end,
        isbn13 = case
            when g.fields ? 'edition.isbn13' then g.fields ->> 'edition.isbn13' else e.isbn13
        end,
        isbn10 = case
            when g.fields ? 'edition.isbn10' then g.fields ->> 'edition.isbn10' else e.isbn10
        end,
        language = case
            when g.fields ? 'edition.language' then g.fields ->> 'edition.language' else e.language
        end,
        format = case
            when g.fields ? 'edition.format' then g.fields ->> 'edition.format' else e.format
        end,
        total_pages = case
            when g.fields ? 'edition.total_pages' then (g.fields ->> 'edition.total_pages')::integer else e.total_pages
        end,
        total_audio_minutes = case
            when g.fields ? 'edition.total_audio_minutes' then (g.fields ->> 'edition.total_audio_minutes')::integer else e.total_audio_minutes
        end,
        updated_at = now()
    from given as g
    where e.id = g.entity_id;
end
$$;

comment on function enrichment.restore_fields(enrichment.field_value[]) is
'Puts values into works and editions whatever stands there, also null. The caller holds the locks under which that was allowed.';

create function enrichment.work_values(candidate enrichment.candidate_fields)
returns jsonb
language plpgsql stable parallel safe set search_path = ''
as $$
begin
    return jsonb_strip_nulls(jsonb_build_object(
        'work.cover_url', candidate.cover_url,
        'work.description', candidate.description,
        'work.first_publish_year', candidate.first_publish_year
    ));
end
$$;

comment on function enrichment.work_values(enrichment.candidate_fields) is 'What a candidate knows of the work: {"work.cover_url": "…"}.';

create function enrichment.edition_values(candidate enrichment.candidate_fields)
returns jsonb
language plpgsql stable parallel safe set search_path = ''
as $$
begin
    return jsonb_strip_nulls(jsonb_build_object(
        'edition.publisher', candidate.publisher,
        'edition.publish_date', candidate.publish_date,
        'edition.language', candidate.language,
        'edition.format', candidate.format,
        'edition.total_pages', candidate.total_pages,
        'edition.total_audio_minutes', candidate.total_audio_minutes
    ));
end
$$;

comment on function enrichment.edition_values(enrichment.candidate_fields) is
'What a candidate knows of the edition, but for its ISBNs: {"edition.publisher": "…"}.';

create function enrichment.details_of_candidate(match_details jsonb, provider text, work_key text)
returns jsonb
language plpgsql immutable set search_path = ''
as $$
begin
    return jsonb_set(details_of_candidate.match_details, '{candidates}', jsonb_path_query_array(
        details_of_candidate.match_details, '$.candidates[*] ? (@.provider == $provider && @.work_key == $work_key)',
        jsonb_build_object('provider', details_of_candidate.provider, 'work_key', details_of_candidate.work_key)
    ), false);
end
$$;

comment on function enrichment.details_of_candidate(jsonb, text, text) is 'What the match details say, with no other candidate than this.';

create or replace function enrichment.write_values(offers enrichment.offered_value[], action text, actor uuid)
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

    applied as materialized (
        select o.*, case when o.field like 'work.%' then b.work_id else b.edition_id end as entity_id, b.old_values -> o.field as old
        from unnest(write_values.offers) as o
        join before as b on b.id = o.queue_id
        where o.is_applied
    ),

    -- Joined below, so that it happens.
    filled as materialized (
        select enrichment.fill_fields(array_agg(row(a.entity_id, a.field, a.value)::enrichment.field_value)) from applied as a
    ),

    remembered as (
        insert into enrichment.filled_fields (entity_id, field, provider, candidate_key)
        select a.entity_id, a.field, a.provider, a.work_key
        from applied as a
        order by 1, 2, 3, 4
        on conflict do nothing
    ),

    changes as (
        select
            a.queue_id, a.provider, a.work_key, (array_agg(a.source_record))[1] as source_record, max(a.confidence) as confidence,
            jsonb_object_agg(a.field, jsonb_build_object('old', a.old, 'new', a.value)) as fields, jsonb_object_agg(a.field, a.old) as previous
        from applied as a
        group by a.queue_id, a.provider, a.work_key
    )

    insert into public.enrichment_audit_log (
        enrichment_queue_id, work_id, edition_id, import_id, action, provider, source_record, confidence, fields_changed, previous_values,
        match_details, actor
    )
    select
        b.id, b.work_id, b.edition_id, b.import_id, write_values.action, c.provider, c.source_record || jsonb_build_object('work_key', c.work_key),
        c.confidence, c.fields, c.previous, enrichment.details_of_candidate(b.match_details, c.provider, c.work_key), write_values.actor
    from before as b
    join changes as c on c.queue_id = b.id
    cross join filled
$$;

create or replace function enrichment.read_googlebooks_volume(volume jsonb)
returns setof enrichment.candidate_fields
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    info jsonb := volume -> 'volumeInfo';
    book enrichment.candidate_fields;
begin
    book.work_key := enrichment.json_key(volume -> 'id');
    book.title := enrichment.json_text(info -> 'title', 512);
    if book.work_key is null or book.title is null then
        return;
    end if;
    book.edition_key := book.work_key;
    book.subtitle := enrichment.json_text(info -> 'subtitle', 512);
    book.author_names := enrichment.json_texts(info -> 'authors');
    book.isbns := enrichment.json_isbns(jsonb_path_query_array(info -> 'industryIdentifiers', 'lax $[*].identifier'));
    book.cover_url := enrichment.googlebooks_cover(info #>> '{imageLinks,thumbnail}');
    book.description := enrichment.json_text(info -> 'description', 20000);
    book.publisher := enrichment.json_text(info -> 'publisher', 255);
    book.publish_date := enrichment.date_of(enrichment.json_text(info -> 'publishedDate', 64));
    book.language := enrichment.language_of(enrichment.json_text(info -> 'language', 32));
    book.total_pages := enrichment.json_integer(info -> 'pageCount', 1, 30000);
    return next book;
end
$$;

create or replace function enrichment.read_openlibrary_work(work jsonb)
returns setof enrichment.candidate_fields
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    book enrichment.candidate_fields;
begin
    book.work_key := enrichment.json_key(work -> 'key');
    book.title := enrichment.json_text(work -> 'title', 512);
    if book.title is null or not coalesce(book.work_key like '/works/%', false) then
        return;
    end if;
    book.subtitle := enrichment.json_text(work -> 'subtitle', 512);
    book.author_names := enrichment.json_texts(jsonb_path_query_array(work, 'lax $.authors[*].name'));
    book.author_ids := enrichment.json_texts(
        jsonb_path_query_array(work, 'lax $.authors[*].author.key') || jsonb_path_query_array(work, 'lax $.authors[*].key'), 64
    );
    book.cover_url := enrichment.openlibrary_cover(work -> 'covers');
    book.description := enrichment.json_text(work -> 'description', 20000);
    book.first_publish_year := enrichment.year_of(enrichment.json_text(work -> 'first_publish_date', 64));
    return next book;
end
$$;

create or replace function enrichment.read_openlibrary_edition(edition jsonb)
returns setof enrichment.candidate_fields
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    book enrichment.candidate_fields;
begin
    book.edition_key := enrichment.json_key(edition -> 'key');
    book.title := enrichment.json_text(edition -> 'title', 512);
    if book.title is null or not coalesce(book.edition_key like '/books/%', false) then
        return;
    end if;
    book.work_key := coalesce(enrichment.json_key((enrichment.json_list(edition -> 'works') -> 0) -> 'key'), book.edition_key);
    book.subtitle := enrichment.json_text(edition -> 'subtitle', 512);
    book.author_names := enrichment.json_texts(jsonb_path_query_array(edition, 'lax $.authors[*].name'));
    book.author_ids := enrichment.json_texts(jsonb_path_query_array(edition, 'lax $.authors[*].key'), 64);
    book.isbns := enrichment.json_isbns(
        enrichment.json_list(edition -> 'isbn_13') || enrichment.json_list(edition -> 'isbn_10') || enrichment.json_list(edition -> 'isbn')
    );
    book.cover_url := enrichment.openlibrary_cover(edition -> 'covers');
    book.description := enrichment.json_text(edition -> 'description', 20000);
    book.publisher := enrichment.json_text(enrichment.json_list(edition -> 'publishers') -> 0, 255);
    book.publish_date := enrichment.date_of(enrichment.json_text(edition -> 'publish_date', 64));
    book.language := enrichment.language_of(enrichment.json_key((enrichment.json_list(edition -> 'languages') -> 0) -> 'key'));
    book.format := lower(enrichment.json_text(edition -> 'physical_format', 64));
    book.total_pages := enrichment.json_integer(edition -> 'number_of_pages', 1, 30000);
    return next book;
end
$$;

create or replace function enrichment.read_openlibrary_search_doc(doc jsonb)
returns setof enrichment.candidate_fields
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    edition jsonb := enrichment.json_list(doc #> '{editions,docs}') -> 0;
    book enrichment.candidate_fields;
    described jsonb;
begin
    book.work_key := enrichment.json_key(doc -> 'key');
    if not coalesce(book.work_key like '/works/%', false) then
        return;
    end if;
    book.edition_key := enrichment.json_key(edition -> 'key');
    book.author_names := enrichment.json_texts(doc -> 'author_name');
    book.author_ids := enrichment.json_texts(doc -> 'author_key', 64);
    book.isbns := enrichment.json_isbns(enrichment.json_list(edition -> 'isbn'));
    book.cover_url := coalesce(enrichment.openlibrary_cover(edition -> 'cover_i'), enrichment.openlibrary_cover(doc -> 'cover_i'));
    book.description := enrichment.json_text(enrichment.json_list(doc -> 'description') -> 0, 20000);
    book.first_publish_year := enrichment.json_integer(doc -> 'first_publish_year', 1000, 2099);
    book.publisher := enrichment.json_text(enrichment.json_list(edition -> 'publisher') -> 0, 255);
    book.publish_date := enrichment.date_of(enrichment.json_text(enrichment.json_list(edition -> 'publish_date') -> 0, 64));
    book.language := enrichment.language_of(enrichment.json_text(enrichment.json_list(edition -> 'language') -> 0, 32));
    foreach described in array case
        when (edition -> 'title', edition -> 'subtitle') is distinct from (doc -> 'title', doc -> 'subtitle') then array[doc, edition]
        else array[doc]
    end loop
        book.title := enrichment.json_text(described -> 'title', 512);
        book.subtitle := enrichment.json_text(described -> 'subtitle', 512);
        if book.title is not null then
            return next book;
        end if;
    end loop;
end
$$;

create or replace function enrichment.parse_records(queue_ids uuid[])
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

create or replace function enrichment.restore_values(written enrichment.written_value[])
returns void
language plpgsql set search_path = ''
as $$
begin
    perform enrichment.restore_fields(array(
        select row(coalesce(v.edition_id, v.work_id), v.field, v.previous #>> '{}')::enrichment.field_value
        from unnest(restore_values.written) as v where v.is_ours
    ));
    perform enrichment.forget_covers(restore_values.written);
end
$$;

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

create or replace function enrichment.fill_from_import(import_id uuid, reader uuid)
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
    where e.id in (select r.edition_id from enrichment.import_rows as r where r.import_id = fill_from_import.import_id and r.outcome is null)
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

    select array_agg(row(o.*)::enrichment.imported_value) into accepted from offered as o join remembered as r using (entity_id, field);

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

create function enrichment.reason_to_reject(value jsonb)
returns text
language plpgsql stable set search_path = ''
as $$
declare
    title text := enrichment.json_text(reason_to_reject.value -> 'title');
begin
    return case
        when jsonb_typeof(reason_to_reject.value) <> 'object' then 'the row is not a JSON object'
        when enrichment.json_integer(reason_to_reject.value -> 'row_number', 1, 999999) is null then 'row_number is missing'
        when enrichment.json_text(reason_to_reject.value -> 'problem') is not null then enrichment.json_text(reason_to_reject.value -> 'problem')
        when title is null then 'the title is missing'
        when length(title) > 512 then format('the title has %s characters, more than 512', length(title))
        when enrichment.fold_text(title) = '' then 'the title has no letters'
        when coalesce(enrichment.json_text(reason_to_reject.value -> 'status'), 'to_read') not in ('to_read', 'reading', 'completed', 'abandoned')
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
        enrichment.isbn_key(enrichment.json_text(value -> 'isbn', 64)), enrichment.isbn_key(enrichment.json_text(value -> 'isbn_alternate', 64))
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

create or replace function enrichment.read_import_rows(import_id uuid, "rows" jsonb)
returns setof enrichment.import_rows
language sql stable set search_path = ''
as $$
    select line.*
    from jsonb_array_elements(read_import_rows."rows") with ordinality as element (value, place)
    cross join lateral enrichment.read_import_row(read_import_rows.import_id, element.value, element.place) as line
$$;

comment on function enrichment.read_import_rows(uuid, jsonb) is
'Reads parsed CSV rows, each as read_import_row does; one that cannot be taken is rejected with its reason.';

create or replace function enrichment.host_columns()
returns table (table_name text, column_name text)
language sql immutable set search_path = ''
as $$
    select expected.table_name, column_name
    from (values
        ('users', 'id handle'),
        ('works', 'id title created_at updated_at'),
        ('works', 'enrichment_status enrichment_confidence last_enriched_at'),
        ('editions', 'id work_id cover_url created_at updated_at'),
        ('authors', 'id name created_at'),
        ('work_authors', 'work_id author_id'),
        ('external_ids', 'entity_type entity_id provider provider_id'),
        ('source_records', 'provider entity_type provider_id raw fetched_at'),
        ('library_items', 'id user_id work_id preferred_edition_id status visibility rating tags created_at')
    ) as expected (table_name, column_names)
    cross join lateral unnest(string_to_array(expected.column_names, ' ')) as column_name
    union all
    select f.table_name, f.column_name from enrichment.fields() as f
$$;

revoke all on function
    enrichment.details_of_candidate(jsonb, text, text),
    enrichment.edition_values(enrichment.candidate_fields),
    enrichment.fields(),
    enrichment.fill_fields(enrichment.field_value[]),
    enrichment.imported_values(uuid),
    enrichment.read_import_row(uuid, jsonb, bigint),
    enrichment.reason_to_reject(jsonb),
    enrichment.restore_fields(enrichment.field_value[]),
    enrichment.work_values(enrichment.candidate_fields)
from public, anon, authenticated, service_role;

-- In the order of the registry; what an operator took out stays out.
update enrichment.providers as p
set fills = array(select f.field from enrichment.fields() as f where f.field = any(p.fills))
where p.fills <> '{}';

reset check_function_bodies;

insert into enrichment.schema_versions (version, name, checksum, works_with, brought) values
(3, '20261128032914_one_registry_of_fields', '30290e2136e6bd51e4931efa46afc2f7c1cc0a2fed044f4b4cd1ab3634caa149', 1, '{}');
