-- Generated from supabase/data/fields.tsv by `make generated`: the fields that may be filled, and whatever treats all of them alike.
-- Which of them a book lacks, what it has, how they are written where they are empty and put back, and what a candidate brings.

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
        ('edition.isbn10', 'editions', 'isbn10', 'ISBN-10', 'isbn', '{openlibrary,googlebooks}'::text[]),
        ('edition.isbn13', 'editions', 'isbn13', 'ISBN-13', 'isbn', '{openlibrary,googlebooks}'::text[]),
        ('edition.language', 'editions', 'language', 'Language', 'language', '{openlibrary,googlebooks}'::text[]),
        ('edition.format', 'editions', 'format', 'Format', 'word', '{openlibrary}'::text[]),
        ('edition.total_pages', 'editions', 'total_pages', 'Pages', 'number', '{openlibrary,googlebooks}'::text[]),
        ('edition.total_audio_minutes', 'editions', 'total_audio_minutes', 'Length', 'minutes', '{}'::text[])
$$;
comment on function enrichment.fields() is
'The fields that enrichment may fill, in the order in which they are shown: the column each is kept in, what people call it, what kind of value it is, and which of our providers know it.';

create function enrichment.empty_fields(work public.works, edition public.editions)
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
        case when coalesce(edition.isbn10, '') = '' and coalesce(edition.isbn13, '') not like '979%' then 'edition.isbn10' end,
        case when coalesce(edition.isbn13, '') = '' then 'edition.isbn13' end,
        case when coalesce(edition.language, '') = '' then 'edition.language' end,
        case when coalesce(edition.format, '') = '' then 'edition.format' end,
        case when edition.total_pages is null and coalesce(edition.format, '') not ilike '%audio%' then 'edition.total_pages' end,
        case when edition.total_audio_minutes is null and edition.format ilike '%audio%' then 'edition.total_audio_minutes' end
    ] else '{}' end, null);
end
$$;
comment on function enrichment.empty_fields(public.works, public.editions) is
'The fields enrichment may fill that are empty: pages for what is read, minutes for what is heard, an ISBN-10 only where one can exist.';

create function enrichment.current_values(work public.works, edition public.editions)
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
        'edition.isbn10', edition.isbn10,
        'edition.isbn13', edition.isbn13,
        'edition.language', edition.language,
        'edition.format', edition.format,
        'edition.total_pages', edition.total_pages,
        'edition.total_audio_minutes', edition.total_audio_minutes
    );
end
$$;
comment on function enrichment.current_values(public.works, public.editions) is 'Every field enrichment may fill, as it is now.';

create function enrichment.same_value(field text, one text, other text)
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
comment on function enrichment.same_value(text, text, text) is 'Whether two values of a field are equal, compared as the field''s column would.';

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
    set default_cover_url = coalesce(nullif(w.default_cover_url, ''), g.fields ->> 'work.cover_url', w.default_cover_url),
        description = coalesce(nullif(w.description, ''), g.fields ->> 'work.description', w.description),
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
    set publisher = coalesce(nullif(e.publisher, ''), g.fields ->> 'edition.publisher', e.publisher),
        publish_date = coalesce(e.publish_date, (g.fields ->> 'edition.publish_date')::date),
        isbn10 = coalesce(nullif(e.isbn10, ''), g.fields ->> 'edition.isbn10', e.isbn10),
        isbn13 = coalesce(nullif(e.isbn13, ''), g.fields ->> 'edition.isbn13', e.isbn13),
        language = coalesce(nullif(e.language, ''), g.fields ->> 'edition.language', e.language),
        format = coalesce(nullif(e.format, ''), g.fields ->> 'edition.format', e.format),
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
    set default_cover_url = case when g.fields ? 'work.cover_url' then g.fields ->> 'work.cover_url' else w.default_cover_url end,
        description = case when g.fields ? 'work.description' then g.fields ->> 'work.description' else w.description end,
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
    set publisher = case when g.fields ? 'edition.publisher' then g.fields ->> 'edition.publisher' else e.publisher end,
        publish_date = case when g.fields ? 'edition.publish_date' then (g.fields ->> 'edition.publish_date')::date else e.publish_date end,
        isbn10 = case when g.fields ? 'edition.isbn10' then g.fields ->> 'edition.isbn10' else e.isbn10 end,
        isbn13 = case when g.fields ? 'edition.isbn13' then g.fields ->> 'edition.isbn13' else e.isbn13 end,
        language = case when g.fields ? 'edition.language' then g.fields ->> 'edition.language' else e.language end,
        format = case when g.fields ? 'edition.format' then g.fields ->> 'edition.format' else e.format end,
        total_pages = case when g.fields ? 'edition.total_pages' then (g.fields ->> 'edition.total_pages')::integer else e.total_pages end,
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

create type enrichment.candidate_fields as (
    work_key text, edition_key text, title text, subtitle text, author_names text [], author_ids text [], isbns text [],
    cover_url text,
    description text,
    first_publish_year integer,
    publisher text,
    publish_date date,
    language text,
    format text,
    total_pages integer,
    total_audio_minutes integer
);
comment on type enrichment.candidate_fields is
'One book as a provider describes it, cleaned to what our columns hold. isbns are 13-digit keys; author_ids are the provider''s own.';

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
