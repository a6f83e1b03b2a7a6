-- Book enrichment, version 3: shapes, fields, numbers and words stand once

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

create function enrichment.uuid_of(id text)
returns uuid
language sql immutable parallel safe set search_path = ''
as $$
    select case when uuid_of.id ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' then uuid_of.id::uuid end
$$;

comment on function enrichment.uuid_of(text) is 'An id in the one form that is documented; null for anything else, also for what Postgres would take besides.';

comment on column enrichment.installed_version.version is 'Counts the steps of supabase/migrations that were applied.';

comment on column enrichment.installed_version.name is 'The last of them.';

comment on column enrichment.installed_version.works_with is 'The oldest version whose package still works with it.';

comment on type enrichment.setting is 'A setting of the database, after the change.';

comment on column enrichment.setting.value is 'As text. Null: it is not set.';

comment on column enrichment.setting.description is 'What it means.';

comment on column enrichment.settings.cover_budget_bytes is
'Bytes all stored covers may take, 80 % of the free tier''s 1 GB (819 MB); once reached, new covers stay hot-linked (storage_budget).';

comment on column enrichment.settings.database_budget_bytes is
'Bytes the whole database may take: the free plan''s 500 MB, beyond which Supabase makes it read-only. Set it to what your plan has; enrichment_usage() and enrichment_health() measure against it.';

create or replace function enrichment.configure_enrichment_impl(changes jsonb)
returns setof enrichment.setting
language plpgsql security definer set search_path = ''
as $$
declare
    unknown_names text;
    changed enrichment.settings;
    broken_rule text;
begin
    if jsonb_typeof(configure_enrichment_impl.changes) is distinct from 'object' then
        perform enrichment.refuse('PT422', 'changes is not a JSON object', 'send {"name": value, …}');
    end if;

    select string_agg(name, ', ' order by name) into unknown_names
    from jsonb_object_keys(configure_enrichment_impl.changes) as name
    where name not in (select s.name from enrichment.list_settings() as s);
    if unknown_names is not null then
        perform enrichment.refuse('PT422', 'unknown setting: ' || unknown_names, 'call configure_enrichment() for the names');
    end if;

    if configure_enrichment_impl.changes <> '{}' then
        select (jsonb_populate_record(s, configure_enrichment_impl.changes)).* into changed
        from enrichment.settings as s
        for update;
        -- Names of columns by now, each quoted by format, which the check does not see through the aggregate.
        -- @plpgsql_check_options: security_warnings = off
        execute (
            select
                'update enrichment.settings as s set ' || string_agg(format('%1$I = ($1).%1$I', name), ', ' order by name)
                || ' where s is distinct from $1'
            from jsonb_object_keys(configure_enrichment_impl.changes) as name
        ) using changed;
    end if;

    return query select * from enrichment.list_settings();
exception
    when check_violation then
        get stacked diagnostics broken_rule = constraint_name;
        perform enrichment.refuse(
            'PT422', 'a setting cannot take that value: ' || enrichment.setting_rule(broken_rule), 'call configure_enrichment() for what each setting means'
        );
    when not_null_violation or data_exception then
        perform enrichment.refuse('PT422', 'a setting cannot take that value: ' || sqlerrm, 'call configure_enrichment() for what each setting means');
end
$$;

create function enrichment.setting_rule(constraint_name text)
returns text
language sql stable set search_path = ''
as $$
    -- A constraint of one column has the name Postgres gave it, which says nothing; one that was given a name says it by that.
    select case
        when cardinality(c.conkey) = 1 and c.conname like 'settings\_%\_check' then 'it takes ' || regexp_replace(
            replace(replace(pg_get_expr(c.conbin, c.conrelid, true), '::text', ''), ' AND ', ' and '), '= ANY \(ARRAY\[(.*)\]\)', 'in (\1)'
        )
        else replace(c.conname, '_', ' ')
    end
    from pg_catalog.pg_constraint as c
    where c.conrelid = 'enrichment.settings'::regclass and c.conname = setting_rule.constraint_name
$$;

comment on function enrichment.setting_rule(text) is
'What a check constraint of the settings demands, for the message of a refusal: "it takes batch_size >= 1 and batch_size <= 100".';

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

comment on type enrichment.field_lock is 'A field that enrichment leaves alone.';

comment on column enrichment.field_lock.edition_id is 'Null: it is a field of the work.';

comment on column enrichment.field_lock.field is 'work.cover_url, edition.publisher …';

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

comment on type enrichment.reservation is 'Leave to call a provider: to be used within two seconds, or thrown away.';

comment on column enrichment.reservation.granted is 'Calls that may be made; 0 for none.';

comment on column enrichment.reservation.retry_after is
'Seconds after which to ask again; 0 where some were granted. Null: not before a setting changes.';

comment on column enrichment.reservation.reason is
'Why none was granted: rate, daily, breaker, no_contact, no_key, disabled, or what paused the provider (provider_report.paused_reason). Null: some were.';

comment on type enrichment.provider_report is 'How a provider stands after a report.';

comment on column enrichment.provider_report.failures is 'Calls that failed in a row.';

comment on column enrichment.provider_report.open_until is
'Until then the breaker is open; after that one call probes. Null: it is closed.';

comment on column enrichment.provider_report.retry_at is 'Before then it is not called. Null: nothing asks for that.';

comment on column enrichment.provider_report.paused_reason is
'Why not: retry_after (it asked for that), daily (until its day begins anew), or identify, no_key, bad_key, quota_zero, unknown_location (for an hour, unless contact or keys change earlier). Null: it is not paused.';

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

comment on type enrichment.apply_outcome is 'What became of one element of an apply_enrichment call.';

comment on column enrichment.apply_outcome."position" is 'In the array that was sent, from 0.';

comment on column enrichment.apply_outcome.queue_id is 'Null: the element named none.';

comment on column enrichment.apply_outcome.outcome is
'applied, stale_claim (the claim is no longer the sender''s) or rejected (the element is malformed).';

comment on column enrichment.apply_outcome.status is 'Of the queue row. Null: nothing was applied.';

comment on column enrichment.apply_outcome.confidence is 'Of the best candidate. Null: nothing was applied.';

comment on column enrichment.apply_outcome.fields_applied is 'Fields that were filled.';

comment on column enrichment.apply_outcome.message is 'What is wrong, or why the row waits. Null: neither.';

comment on type enrichment.answered_element is 'An element of an apply_enrichment call, and what is wrong with it, if anything.';

create or replace function enrichment.read_results(results jsonb)
returns setof enrichment.answered_element
language sql stable set search_path = ''
as $$
    select
        element.place::integer - 1,
        enrichment.uuid_of(element.value ->> 'queue_id'),
        enrichment.uuid_of(element.value ->> 'claim_token'),
        lookups,
        case
            when jsonb_typeof(element.value) <> 'object' then 'the element is not a JSON object'
            when enrichment.uuid_of(element.value ->> 'queue_id') is null then 'queue_id is not a uuid'
            when enrichment.uuid_of(element.value ->> 'claim_token') is null then 'claim_token is not a uuid'
            when jsonb_typeof(lookups) <> 'array' then 'lookups is not an array'
            else (
                select format('look-up %s: %s', l.place - 1, problem.text)
                from jsonb_array_elements(case when jsonb_typeof(lookups) = 'array' then lookups else '[]' end) with ordinality as l (value, place)
                cross join lateral (
                    select case
                        when not exists (select 1 from enrichment.providers as p where p.provider = l.value ->> 'provider') then 'unknown provider'
                        when coalesce(l.value ->> 'kind', '') not in ('isbn', 'title') then 'kind is neither isbn nor title'
                        when coalesce(length(l.value ->> 'key'), 0) not between 1 and 255 then 'key has not 1 to 255 characters'
                        when l.value -> 'no_match' is distinct from 'true' and jsonb_typeof(l.value -> 'raw') is distinct from 'object'
                            then 'neither raw (an object) nor no_match'
                        when length(l.value ->> 'raw') > 1000000 then 'raw is longer than 1,000,000 characters'
                    end as text
                ) as problem
                where problem.text is not null
                order by l.place
                limit 1
            )
        end
    from jsonb_array_elements(read_results.results) with ordinality as element (value, place)
    cross join lateral coalesce(element.value -> 'lookups', '[]') as lookups
$$;

comment on type enrichment.claimed_row is 'A queue row that is the worker''s until it is applied, failed, released or grows stale.';

comment on column enrichment.claimed_row.claim_token is 'Goes back with every answer; one that holds no longer changes nothing.';

comment on column enrichment.claimed_row.edition_id is 'Whose empty fields may be filled. Null: none is known.';

comment on column enrichment.claimed_row.attempt_count is 'This one included.';

comment on column enrichment.claimed_row.lookups is
'What is to be asked next, if anything: [{"provider", "kind", "key", "title", "author"}].';

comment on type enrichment.enqueue_outcome is 'What became of one work that was to be queued.';

comment on column enrichment.enqueue_outcome.outcome is
'enqueued, already_open (now with the higher priority), in_review, complete (nothing is missing), known_miss (nothing new can be learnt) or unknown.';

comment on column enrichment.enqueue_outcome.queue_id is 'Null: the work has no row in line or in review.';

create or replace function enrichment.enqueue_works(
    work_ids uuid[], edition_ids uuid[], trigger_source enrichment.trigger_source, triggered_by uuid, priority integer, import_id uuid
)
returns setof enrichment.enqueue_outcome
language plpgsql set search_path = ''
as $$
declare
    waits_for_switch boolean := enqueue_works.trigger_source <> 'manual_bulk'
        and not (select s.auto_enabled from enrichment.settings as s);
    -- Lists go by id: rows stand there in the order in which their works were named, whatever order they are written in.
    minted uuid[] := array(select enrichment.uuid_v7() as id from unnest(enqueue_works.work_ids) order by id);
    new_ids uuid[];
    complete_ids uuid[];
    known_miss_ids uuid[];
begin
    perform enrichment.refresh_parsed_works(coalesce(enqueue_works.work_ids, '{}'));

    with asked as (
        select distinct on (a.work_id) a.work_id, coalesce(a.edition_id, c.edition_id) as edition_id, a.place
        from unnest(enqueue_works.work_ids, enqueue_works.edition_ids) with ordinality as a (work_id, edition_id, place)
        left join enrichment.choose_editions(enqueue_works.work_ids, enqueue_works.triggered_by) as c on c.work_id = a.work_id
        order by a.work_id, a.edition_id
    ),

    inserted as (
        insert into public.enrichment_queue as q (
            id, work_id, edition_id, triggered_by, import_id, trigger_source, priority, max_attempts, next_attempt_after, wait_reason, scored_at
        )
        select
            minted[asked.place], w.id, asked.edition_id, enqueue_works.triggered_by, enqueue_works.import_id, enqueue_works.trigger_source,
            enqueue_works.priority, (select s.max_attempts from enrichment.settings as s),
            case when waits_for_switch then 'infinity' else now() end,
            case when waits_for_switch then 'auto_disabled' else 'queued' end as wait_reason,
            (select max(earlier.scored_at) from public.enrichment_queue as earlier where earlier.work_id = w.id)
        from asked
        join public.works as w on w.id = asked.work_id
        where not exists (select 1 from public.enrichment_queue as r where r.work_id = w.id and (r.is_open or r.is_in_review))
        order by w.id
        on conflict (work_id) where is_open do nothing
        returning q.id
    )

    select coalesce(array_agg(inserted.id), '{}') into new_ids from inserted;

    -- While the insert waited for somebody else's row, that one may have come to review; a second could never join it there.
    delete from public.enrichment_queue as q
    where q.id = any(new_ids) and exists (select 1 from public.enrichment_queue as r where r.work_id = q.work_id and r.is_in_review);
    if found then
        new_ids := array(select q.id from public.enrichment_queue as q where q.id = any(new_ids));
    end if;

    select coalesce(array_agg(new_id), '{}') into complete_ids
    from unnest(new_ids) as new_id
    where new_id not in (select gaps.queue_id from enrichment.wanted_fields(new_ids) as gaps);

    select coalesce(array_agg(q.id), '{}') into known_miss_ids
    from public.enrichment_queue as q
    where q.id = any(new_ids) and q.id <> all(complete_ids)
        and q.id not in (select n.queue_id from enrichment.needed_lookups(new_ids) as n)
        and q.id not in (
            select r.queue_id from enrichment.queue_records(new_ids) as r where r.fetched_at > coalesce(r.scored_at, '-infinity') and not r.is_miss
        );

    with open_rows as (
        select q.id
        from public.enrichment_queue as q
        where q.work_id = any(enqueue_works.work_ids) and q.is_open and q.id <> all(new_ids) and (
            q.priority > enqueue_works.priority
            or (q.wait_reason = 'auto_disabled' and enqueue_works.trigger_source = 'manual_bulk')
        )
        order by q.id
        for update skip locked
    )

    update public.enrichment_queue as q
    set priority = least(q.priority, enqueue_works.priority),
        trigger_source = case when enqueue_works.trigger_source = 'manual_bulk' then 'manual_bulk' else q.trigger_source end,
        triggered_by = coalesce(q.triggered_by, enqueue_works.triggered_by),
        wait_reason = case when q.wait_reason = 'auto_disabled' and not waits_for_switch then 'queued' else q.wait_reason end,
        next_attempt_after = case
            when q.wait_reason = 'auto_disabled' and not waits_for_switch then now() else q.next_attempt_after
        end,
        updated_at = now()
    from open_rows
    where q.id = open_rows.id;
    if found then
        perform pg_notify('enrichment', 'queued');
    end if;

    return query
    select
        a.work_id,
        case
            when w.id is null then 'unknown'
            when q.id = any(complete_ids) then 'complete'
            when q.id = any(known_miss_ids) then 'known_miss'
            when q.id = any(new_ids) then 'enqueued'
            when q.is_in_review then 'in_review'
            else 'already_open'
        end,
        case when q.id = any(complete_ids || known_miss_ids) then null else q.id end
    from unnest(enqueue_works.work_ids) with ordinality as a (work_id, place)
    left join public.works as w on w.id = a.work_id
    left join public.enrichment_queue as q on q.work_id = w.id and (q.is_open or q.is_in_review)
    order by a.place;

    delete from public.enrichment_queue as q where q.id = any(complete_ids || known_miss_ids);
end
$$;

comment on type enrichment.queue_record is 'A stored reply that speaks about a queue row.';

comment on type enrichment.row_gaps is 'The fields that a queue row wants filled.';

comment on type enrichment.possible_lookup is 'A look-up that could fill gaps of a queue row, and whether its provider may be called.';

comment on type enrichment.needed_lookup is 'The look-up that a queue row needs next.';

comment on type enrichment.row_state is 'Where a queue row stands whose claim ended without an answer.';

comment on column enrichment.row_state.attempt_count is 'Attempts that are spent.';

comment on column enrichment.row_state.next_attempt_after is 'When it may be claimed again. Null, in SQL infinity: once a setting changes.';

comment on column enrichment.row_state.wait_reason is 'Why it waits. Null: it has failed.';

comment on column enrichment.row_state.last_error is 'Null: it met none.';

comment on type enrichment.resolution is 'A queue row that stored replies have decided.';

comment on column enrichment.resolution.confidence is 'Of the best candidate. Null: none was weighed.';

comment on column enrichment.resolution.fields_applied is 'Fields that were filled.';

comment on column enrichment.resolution.wait_reason is 'What it waits for. Null: it has ended or is in review.';

comment on column enrichment.resolution.last_error is 'Null: it met none.';

comment on type enrichment.matching_outcome is 'What a decision about all rows of a kind did, or would do.';

comment on column enrichment.matching_outcome.matched is 'Rows in review that the filter finds.';

comment on column enrichment.matching_outcome.changed is 'Rows that were decided.';

comment on column enrichment.matching_outcome.skipped is 'Rows that somebody else took meanwhile, or that were refused alone.';

comment on column enrichment.matching_outcome.fields is 'How many values per field: {"work.description": 31}.';

comment on column enrichment.matching_outcome.remaining is
'Left for the next call, after a dry run all of them: call again while changed is more than 0.';

comment on type enrichment.review_outcome is 'What a person''s decision about a row wrote.';

comment on column enrichment.review_outcome.fields_applied is 'Fields that were filled.';

comment on column enrichment.review_outcome.fields_skipped is 'Ticked, but filled or locked meanwhile.';

comment on type enrichment.explained_candidate is 'A book that a provider offers for a work: how well it fits, and what it would fill.';

comment on column enrichment.explained_candidate.place is '1 is the best; what a reader turned away comes last.';

comment on column enrichment.explained_candidate.candidate is 'provider:work_key, as approve_enrichment takes it.';

comment on column enrichment.explained_candidate.authors is 'Null: it names none.';

comment on column enrichment.explained_candidate.source_url is 'Where a person can look at it. Null: there is no such page.';

comment on column enrichment.explained_candidate.cover_url is 'Null: it has none.';

comment on column enrichment.explained_candidate.title_score is '0 to 4.';

comment on column enrichment.explained_candidate.author_score is '0 to 3. Null: a side names nobody.';

comment on column enrichment.explained_candidate.isbn_score is '0, 4 or 5.';

comment on column enrichment.explained_candidate.sentence is 'The score in words.';

comment on column enrichment.explained_candidate.parts is
'What was compared: {"title": {"score", "ours", "theirs", "veto"}, "author": {…}, "isbn": {…}}.';

comment on column enrichment.explained_candidate."values" is 'All it could fill: {field: value}.';

comment on column enrichment.explained_candidate.is_dismissed is 'A reader turned it away, so it is not proposed again.';

comment on type enrichment.preview is 'What would become of a work if it were queued now; nothing is written.';

comment on column enrichment.preview.status is 'Of its row; pending where a provider would be asked first. Null: it would not be queued.';

comment on column enrichment.preview.confidence is 'Of the best candidate. Null: it would not be queued.';

comment on column enrichment.preview.sentence is 'The score in words, or why it would not be queued. Null: no reply is known yet.';

comment on column enrichment.preview.wait_reason is 'What it would wait for. Null: nothing.';

comment on column enrichment.preview."values" is '{field: {"value", "provider", "candidate", "confidence", "current", "is_applied"}}.';

comment on column enrichment.preview.lookups is 'What would be asked next, if anything: [{"provider", "kind", "key", "title", "author"}].';

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

comment on type enrichment.undo_outcome is 'What was taken back of what a row wrote.';

comment on column enrichment.undo_outcome.queue_id is 'Null: an import''s own columns had filled it.';

comment on column enrichment.undo_outcome.status is 'Of the queue row. Null: there is none.';

comment on column enrichment.undo_outcome.fields_restored is 'They hold the values of before again.';

comment on column enrichment.undo_outcome.fields_kept is 'Changed by somebody since, and therefore kept.';

comment on column enrichment.undo_outcome.reason is 'Why nothing was taken back. Null: it was.';

create function enrichment.is_undoable(reader uuid, undone public.enrichment_queue)
returns boolean
language plpgsql stable set search_path = ''
as $$
begin
    return not undone.is_open and undone.undone_at is null and enrichment.may_undo(is_undoable.reader, undone) and (
        undone.status = 'needs_review' or exists (select 1 from enrichment.logged_writes(array[undone.id], null, null))
    );
end
$$;

comment on function enrichment.is_undoable(uuid, public.enrichment_queue) is
'Whether undo_enrichment() would take this row back now for a reader (null: the service): it may be theirs to undo, has ended or is in review, was not undone, and wrote something or still asks.';

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

comment on type enrichment.import_outcome is 'What became of one line of an export.';

comment on column enrichment.import_outcome.row_number is 'As in a spreadsheet: the first book is 2.';

comment on column enrichment.import_outcome.outcome is 'created, matched, duplicate or rejected.';

comment on column enrichment.import_outcome.reason is 'Why it was rejected, or whose duplicate it is. Null: neither.';

comment on column enrichment.import_outcome.work_id is 'Null: it was rejected.';

comment on column enrichment.import_outcome.edition_id is 'Null: it was rejected, or no edition is known.';

comment on column enrichment.import_outcome.library_item_id is 'Null: it was rejected.';

comment on column enrichment.import_outcome.enrichment is
'What became of its work in line, as enqueue_outcome.outcome says. Null: it was rejected, or is not the book''s first line.';

comment on column enrichment.import_outcome.queue_id is 'Null: its work was not queued.';

comment on type enrichment.import_state is 'How far an import is: its lines by outcome, the queue rows of its books by state.';

comment on column enrichment.import_state.import_source is 'goodreads or storygraph.';

comment on column enrichment.import_state.expected_rows is 'Lines that the file has. Null: it was not said.';

comment on column enrichment.import_state."rows" is 'Lines that are in.';

comment on column enrichment.import_state.covers_applied is 'Covers that were filled and not taken back.';

comment on column enrichment.import_state.undone is 'Queue rows that were undone.';

comment on column enrichment.import_state.undoable is 'Books in which undo_import would take something back.';

comment on type enrichment.import_line is 'A line of an imported file, and how its book is doing.';

comment on column enrichment.import_line.row_number is 'As in a spreadsheet: the first book is 2.';

comment on column enrichment.import_line.title is 'Null: the line has none.';

comment on column enrichment.import_line.outcome is 'created, matched, duplicate or rejected.';

comment on column enrichment.import_line.reason is 'Why it was rejected, or whose duplicate it is. Null: neither.';

comment on column enrichment.import_line.work_id is 'Null: it was rejected.';

comment on column enrichment.import_line.queue_id is 'Null: its work was not queued.';

comment on column enrichment.import_line.status is 'Of the queue row. Null: there is none.';

comment on column enrichment.import_line.cursor is 'Give it back to get the lines after this one.';

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

comment on type enrichment.answered_cover is 'An element of an apply_covers call, and what is wrong with it, if anything.';

comment on type enrichment.cover_verdict is 'What becomes of a stored image, as cover_outcome.outcome says.';

comment on type enrichment.cover_outcome is 'What became of one element of an apply_covers call.';

comment on column enrichment.cover_outcome."position" is 'In the array that was sent, from 0.';

comment on column enrichment.cover_outcome.cover_id is 'Null: the element named none.';

comment on column enrichment.cover_outcome.work_id is 'Null: there is no such cover.';

comment on column enrichment.cover_outcome.outcome is
'applied, url_changed (the work shows another cover by now), locked, over_budget, stale_claim, failed (the work refused it) or rejected (the element is malformed).';

comment on column enrichment.cover_outcome.status is 'Of the cover. Null: nothing was changed.';

comment on column enrichment.cover_outcome.message is 'What is wrong, or why the cover waits. Null: neither.';

create or replace function enrichment.read_covers(results jsonb)
returns setof enrichment.answered_cover
language sql stable set search_path = ''
as $$
    select
        element.place::integer - 1,
        enrichment.uuid_of(element.value ->> 'cover_id'),
        enrichment.uuid_of(element.value ->> 'claim_token'),
        element.value ->> 'sha256', element.value ->> 'storage_path', element.value ->> 'cover_url', bytes, width, height,
        case
            when jsonb_typeof(element.value) <> 'object' then 'the element is not a JSON object'
            when enrichment.uuid_of(element.value ->> 'cover_id') is null then 'cover_id is not a uuid'
            when enrichment.uuid_of(element.value ->> 'claim_token') is null then 'claim_token is not a uuid'
            when coalesce(element.value ->> 'sha256', '') !~ '^[0-9a-f]{64}$' then 'sha256 has not 64 hexadecimal digits'
            when element.value ->> 'storage_path' is distinct from enrichment.cover_path(element.value ->> 'sha256')
                then 'storage_path is not ' || enrichment.cover_path('<32 digits of sha256>')
            when coalesce(element.value ->> 'cover_url', '') !~ '^https?://[^/@\s]+/storage/v1/object/public/covers/[^\s]+$'
                or right(element.value ->> 'cover_url', length(element.value ->> 'storage_path') + 1) <> '/' || (element.value ->> 'storage_path')
                then 'cover_url is not the public URL of storage_path'
            when bytes is null then format('bytes is not between 1 and %s (cover_image_bytes)', s.cover_image_bytes)
            when width is null or height is null then 'width or height is not between 2 and 4,000'
        end
    from jsonb_array_elements(read_covers.results) with ordinality as element (value, place)
    cross join enrichment.settings as s
    cross join lateral enrichment.json_integer(element.value -> 'bytes', 1, s.cover_image_bytes) as bytes
    cross join lateral enrichment.json_integer(element.value -> 'width', 2, 4000) as width
    cross join lateral enrichment.json_integer(element.value -> 'height', 2, 4000) as height
$$;

comment on type enrichment.claimed_cover is 'A cover that is the worker''s to store until it is applied, failed, released or grows stale.';

comment on column enrichment.claimed_cover.claim_token is 'Goes back with the answer; one that holds no longer changes nothing.';

comment on column enrichment.claimed_cover.provider is 'Whose image it is; its calls count for <provider>_covers.';

comment on column enrichment.claimed_cover.source_url is 'Where it is downloaded from.';

comment on column enrichment.claimed_cover.attempt_count is 'This one included.';

comment on type enrichment.cover_report is 'How storing covers stands, and what a worker must keep to.';

comment on column enrichment.cover_report.cover_mode is 'hotlink or thumbnail.';

comment on column enrichment.cover_report.wait_reason is
'hotlink_mode, storage_budget, backfill, or that of the provider or the next row. Null: nothing waits.';

comment on column enrichment.cover_report.due_at is 'Null: nothing will be due by itself.';

comment on column enrichment.cover_report.due_in is 'Seconds until then, never negative. Null: as due_at.';

comment on column enrichment.cover_report.images is 'Images that are stored.';

comment on column enrichment.cover_report.bytes is 'Bytes that are stored.';

comment on column enrichment.cover_report.budget_bytes is 'The most that may be stored.';

comment on column enrichment.cover_report.download_bytes is 'The most that is downloaded for one cover.';

comment on column enrichment.cover_report.image_bytes is 'The most that is stored for one.';

comment on column enrichment.cover_report.hosts is 'Where images may come from; *.name is every host below name.';

comment on column enrichment.cover_report.placeholders is 'md5 or sha256 of files that only say "there is no image".';

create or replace function enrichment.enrichment_covers_impl()
returns setof enrichment.cover_report
language sql stable security definer set search_path = '' set jit = off
as $$
    with open_rows as (
        select q.status, q.next_attempt_after, q.wait_reason from enrichment.cover_queue as q where q.is_open
    ),

    -- While works are still to be looked through, a claim may find something at any time.
    next_row as (
        select o.next_attempt_after, o.wait_reason from open_rows as o where o.status = 'pending' and o.next_attempt_after < 'infinity'
        union all
        select now(), 'backfill' as wait_reason from enrichment.cover_backfill as b where b.next_work_id is not null
        order by 1
        limit 1
    )

    select
        s.cover_mode, coalesce(g.wait_reason, n.wait_reason, waiting.reason), due.at,
        case when due.at is not null then round(greatest(extract(epoch from due.at - clock_timestamp()), 0), 3) end,
        (select count(*)::integer from open_rows as o where o.status = 'pending'),
        (select count(*)::integer from open_rows as o where o.status = 'in_progress'),
        g.images, g.bytes, s.cover_budget_bytes, s.cover_download_bytes, s.cover_image_bytes, s.cover_hosts,
        array(select p.digest from enrichment.placeholder_images as p order by p.digest)
    from enrichment.settings as s
    cross join enrichment.cover_gate as g
    left join next_row as n on true
    cross join lateral (select min(o.wait_reason) from open_rows as o where o.status = 'pending') as waiting (reason)
    cross join lateral (
        select nullif(
            case
                when g.wait_reason is null or n.next_attempt_after is null then n.next_attempt_after
                else greatest(n.next_attempt_after, g.available_at)
            end, 'infinity'
        )
    ) as due (at)
$$;

comment on type enrichment.cover_state is 'Where a cover stands whose claim ended without an image.';

comment on column enrichment.cover_state.attempt_count is 'Attempts that are spent.';

comment on column enrichment.cover_state.next_attempt_after is
'When it may be claimed again. Null, in SQL infinity: once a setting changes.';

comment on column enrichment.cover_state.wait_reason is 'Why it waits. Null: it has ended.';

comment on column enrichment.cover_state.last_error is 'Null: it met none.';

comment on type enrichment.work_state is 'A badge: the newest queue row of one work.';

comment on column enrichment.work_state.queue_id is 'Null: the work was never queued.';

comment on column enrichment.work_state.status is 'Null: the work was never queued.';

comment on column enrichment.work_state.confidence is 'Of the best candidate. Null: none was weighed.';

comment on column enrichment.work_state.wait_reason is
'Why a pending row waits: rate, daily, breaker, auto_disabled, no_contact … Null: it does not.';

comment on column enrichment.work_state.next_attempt_after is
'Until when a pending row waits. Null: until a setting changes, or the work was never queued.';

comment on column enrichment.work_state.last_error is 'Null: it met none.';

comment on column enrichment.work_state.cover_applied is 'This row filled the cover.';

comment on column enrichment.work_state.fields_applied is 'Fields this row filled.';

comment on column enrichment.work_state.cover_url is 'What the work shows today. Null: no cover.';

comment on column enrichment.work_state.last_enriched_at is 'Null: never.';

comment on column enrichment.work_state.undone_at is 'When what this row wrote was taken back. Null: it was not.';

alter type enrichment.history_line add attribute is_undoable boolean;

comment on type enrichment.history_line is 'Something that was done to a book, or decided about it.';

comment on column enrichment.history_line.queue_id is 'Null: an import''s own columns did it, or the row is pruned.';

comment on column enrichment.history_line.action is 'auto_applied, queued_review, skipped, failed, approved, dismissed or undone.';

comment on column enrichment.history_line.provider is 'Where the values came from. Null: from nobody, or from several.';

comment on column enrichment.history_line.source_record is '{"entity_type", "provider_id", "work_key"}. Null: as provider.';

comment on column enrichment.history_line.source_url is 'Where a person can look at it. Null: there is no such page.';

comment on column enrichment.history_line.confidence is 'Null: nothing was weighed.';

comment on column enrichment.history_line.fields_changed is '{field: {"old", "new"}}.';

comment on column enrichment.history_line.sentence is 'Why, in words. Null: there is nothing to say.';

comment on column enrichment.history_line.is_mine is 'The caller did it.';

comment on column enrichment.history_line.is_undoable is 'undo_enrichment of queue_id would take it back for the caller now.';

create or replace function enrichment.enrichment_history_impl(work_id uuid)
returns setof enrichment.history_line
language plpgsql stable security definer set search_path = '' set jit = off
as $$
declare
    reader uuid := enrichment.acting_reader();
begin
    if not exists (select 1 from public.works as w where w.id = enrichment_history_impl.work_id) then
        perform enrichment.refuse('PT404', format('no work %s', enrichment_history_impl.work_id), 'work_id is an id of public.works');
    end if;
    perform enrichment.refuse_foreign_work(enrichment_history_impl.work_id);
    return query
    select
        a.id, a.enrichment_queue_id, a.action::text, a.provider::text, a.source_record,
        enrichment.source_url(a.provider, a.source_record ->> 'work_key'), a.confidence, a.fields_changed, a.match_details ->> 'sentence',
        a.actor is not distinct from reader, a.created_at,
        coalesce(a.action in ('auto_applied', 'approved') and enrichment.is_undoable(reader, q), false)
    from public.enrichment_audit_log as a
    left join public.enrichment_queue as q on q.id = a.enrichment_queue_id
    where a.work_id = enrichment_history_impl.work_id
    order by a.created_at desc, a.id desc
    limit 200;
end
$$;

comment on type enrichment.library_line is 'A book of the reader''s library, and how its newest queue row stands.';

comment on column enrichment.library_line.edition_id is 'The edition the shelf shows. Null: none is known.';

comment on column enrichment.library_line.cover_url is
'As the reader sees it: chosen by hand, the edition''s, the work''s. Null: no cover.';

comment on column enrichment.library_line.first_publish_year is 'Null: it is not known.';

comment on column enrichment.library_line.status is 'Null: the work was never queued.';

comment on column enrichment.library_line.queue_id is 'Null: the work was never queued.';

comment on column enrichment.library_line.confidence is 'Of the best candidate. Null: none was weighed.';

comment on column enrichment.library_line.wait_reason is 'Why a pending row waits. Null: it does not.';

comment on column enrichment.library_line.next_attempt_after is
'Until when a pending row waits. Null: until a setting changes, or it does not wait.';

comment on column enrichment.library_line.last_error is 'Null: it met none.';

comment on column enrichment.library_line.undone_at is 'When what the row wrote was taken back. Null: it was not.';

comment on column enrichment.library_line.missing is 'Fields that are empty and not locked.';

comment on column enrichment.library_line.cursor is 'Give it back to get the books after this one.';

comment on type enrichment.library_summary is 'The reader''s library in numbers, each book by its newest queue row.';

comment on column enrichment.library_summary.missing_cover is 'Books that show no cover.';

comment on column enrichment.library_summary.missing_something is 'Books with a field that is empty and not locked.';

comment on column enrichment.library_summary.covers_applied is 'Books whose cover was filled and not taken back.';

comment on column enrichment.library_summary.next_due_at is
'When the next pending row is due. Null: once a setting changes, or none is pending.';

comment on column enrichment.library_summary.next_reason is 'What that row waits for. Null: none is pending.';

comment on type enrichment.shelf_line is 'A book on a shelf as its reader sees it, and how its newest queue row stands.';

create or replace function enrichment.enrichment_library_impl(filter text, page_size integer, cursor text)
returns setof enrichment.library_line
language plpgsql stable security definer set search_path = '' set jit = off set random_page_cost = 1.1
as $$
declare
    reader uuid := enrichment.current_reader();
    -- Moments as whole microseconds: exact, and without a character that a URL would change.
    before text[] := regexp_match(enrichment_library_impl.cursor, '^([0-9]{1,17})_(.*)$');
    page uuid[];
begin
    perform enrichment.refuse_bad_page(enrichment_library_impl.page_size);
    if enrichment_library_impl.filter <> 'missing' and enrichment_library_impl.filter <> all(enum_range(null::enrichment.queue_status)::text[]) then
        perform enrichment.refuse('PT422', format('unknown filter %s', enrichment_library_impl.filter), 'use missing, or a status: pending, needs_review …');
    end if;
    if enrichment_library_impl.cursor is not null and enrichment.uuid_of(before[2]) is null then
        perform enrichment.refuse('PT422', 'cursor is not one that a page ended with', 'send the cursor of the last row, or null for the first page');
    end if;
    page := enrichment.shelf_page(
        reader, enrichment_library_impl.filter, enrichment_library_impl.page_size,
        coalesce(timestamptz 'epoch' + before[1]::bigint * interval '1 microsecond', 'infinity'),
        coalesce(before[2], 'ffffffff-ffff-ffff-ffff-ffffffffffff')::uuid
    );

    return query
    select
        s.work_id, s.library_item_id, s.edition_id, s.title, enrichment.author_names(s.work_id), s.cover_url, s.first_publish_year,
        s.status, s.queue_id, s.confidence, s.wait_reason, s.next_attempt_after, s.last_error, s.undone_at, s.missing,
        (extract(epoch from s.added_at) * 1000000)::bigint || '_' || s.library_item_id
    from enrichment.shelf_lines(page) as s
    order by s.added_at desc, s.library_item_id desc;
end
$$;

alter type enrichment.listed_row add attribute is_undoable boolean;

comment on type enrichment.listed_row is 'A queue row with all that a review panel shows.';

comment on column enrichment.listed_row.edition_id is 'Whose empty fields may be filled. Null: none is known.';

comment on column enrichment.listed_row.import_id is 'The own import it came with. Null: none, or another reader''s.';

comment on column enrichment.listed_row.confidence is 'Of the best candidate. Null: none was weighed.';

comment on column enrichment.listed_row.wait_reason is 'Why a pending row waits. Null: it does not.';

comment on column enrichment.listed_row.next_attempt_after is 'Until when a pending row waits. Null: until a setting changes.';

comment on column enrichment.listed_row.last_error is 'Null: it met none.';

comment on column enrichment.listed_row.cover_url is 'What the work shows today. Null: no cover.';

comment on column enrichment.listed_row.cover_applied is 'This row filled the cover.';

comment on column enrichment.listed_row.fields_applied is 'Fields this row filled.';

comment on column enrichment.listed_row.sentence is 'The score in words. Null: nothing was weighed yet.';

comment on column enrichment.listed_row.current_values is 'Every field that may be filled, as it is now: {field: value}.';

comment on column enrichment.listed_row.proposals is
'What a row in review would fill: {field: {"value", "current", "provider", "source_url", "confidence", "candidate"}}.';

comment on column enrichment.listed_row.match_details is 'The best candidates with their score parts. Null: nothing was weighed yet.';

comment on column enrichment.listed_row.trigger_source is 'Who asked.';

comment on column enrichment.listed_row.is_mine is 'The caller triggered or approved it. True for the service.';

comment on column enrichment.listed_row.finished_at is 'Null: it is in line or in review.';

comment on column enrichment.listed_row.undone_at is 'When what it wrote was taken back. Null: it was not.';

comment on column enrichment.listed_row.cursor is 'Give it back to get the rows after this one.';

comment on column enrichment.listed_row.is_undoable is 'undo_enrichment would take it back for the caller now.';

create or replace function enrichment.list_enrichment_impl(status text, page_size integer, cursor text)
returns setof enrichment.listed_row
language plpgsql stable security definer set search_path = '' set jit = off set random_page_cost = 1.1
as $$
declare
    reader uuid := enrichment.acting_reader();
    page uuid[];
begin
    perform enrichment.refuse_bad_page(list_enrichment_impl.page_size);
    if list_enrichment_impl.status <> all(enum_range(null::enrichment.queue_status)::text[]) then
        perform enrichment.refuse('PT422', format('unknown status %s', list_enrichment_impl.status), 'use pending, in_progress, completed, needs_review, failed or skipped');
    end if;
    if list_enrichment_impl.cursor is not null and enrichment.uuid_of(list_enrichment_impl.cursor) is null then
        perform enrichment.refuse('PT422', 'cursor is not one that a page ended with', 'send the cursor of the last row, or null for the first page');
    end if;
    page := enrichment.queue_page(
        reader, list_enrichment_impl.status::enrichment.queue_status, list_enrichment_impl.page_size,
        coalesce(list_enrichment_impl.cursor, 'ffffffff-ffff-ffff-ffff-ffffffffffff')::uuid
    );

    return query
    select
        q.id, q.work_id, q.edition_id,
        case when reader is null or exists (select 1 from enrichment.imports as m where m.id = q.import_id and m.user_id = reader) then q.import_id end,
        w.title::text, enrichment.author_names(w.id), q.status, q.confidence, q.wait_reason, nullif(q.next_attempt_after, 'infinity'),
        q.last_error, w.default_cover_url, q.cover_applied, q.fields_applied, q.providers_attempted, q.match_details ->> 'sentence',
        present.fields, enrichment.shown_proposals(q, present.fields), q.match_details, q.trigger_source, enrichment.may_undo(reader, q),
        q.created_at, q.finished_at, q.undone_at, q.id::text, enrichment.is_undoable(reader, q)
    from public.enrichment_queue as q
    join public.works as w on w.id = q.work_id
    left join public.editions as e on e.id = q.edition_id
    cross join lateral enrichment.current_values(w, e) as present (fields)
    where q.id = any(page)
    order by q.id desc;
end
$$;

comment on type enrichment.health_check is 'One thing that enrichment needs, and whether it is there.';

comment on column enrichment.health_check.state is 'ok, warn or fail.';

comment on column enrichment.health_check.hint is 'What to do. Null: nothing.';

create function enrichment.job_findings()
returns table (name text, lateness interval, finding text, started_at timestamptz, message text)
language plpgsql stable set search_path = ''
as $$
begin
    -- Dynamic, since a project may have no pg_cron.
    -- @plpgsql_check_options: performance_warnings = off
    return query execute
        $jobs$
        select
            wanted.name, wanted.lateness,
            case
                when j.jobid is null then 'missing' when not j.active then 'switched off' when run.status is null then 'never'
                when run.start_time < now() - wanted.lateness then 'late' else run.status
            end,
            run.start_time, run.return_message
        from enrichment.jobs() as wanted
        left join cron.job as j on j.jobname = wanted.name and j.database = current_database()
        left join lateral (
            select d.status, d.return_message, d.start_time
            from cron.job_run_details as d
            where d.jobid = j.jobid and d.status in ('succeeded', 'failed')
            order by d.runid desc
            limit 1
        ) as run on true
        $jobs$;
end
$$;

comment on function enrichment.job_findings() is
'How each of our jobs is doing in pg_cron: missing, switched off, never (no run is on record), late, or as its last run ended (succeeded, failed). Raises where pg_cron cannot be read.';

create or replace function enrichment.health_of_jobs()
returns setof enrichment.health_check
language plpgsql stable set search_path = ''
as $$
begin
    if to_regclass('cron.job') is null then
        return query
        select
            'pg_cron', 'warn', 'pg_cron is not enabled: stored replies are applied only while a worker runs',
            'enable pg_cron in the dashboard (Database, Extensions), then: select enrichment.schedule_jobs()';
        return;
    end if;
    return query
    select
        'job ' || j.name,
        case
            when j.finding in ('missing', 'switched off', 'failed') then 'fail'
            when j.finding = 'late' or (j.finding = 'never' and j.lateness < '1 day') then 'warn' else 'ok'
        end,
        case j.finding
            when 'missing' then 'is not scheduled'
            when 'switched off' then 'is scheduled, but not active'
            when 'never' then 'is scheduled; no run is on record yet'
            when 'failed' then 'its last run failed: ' || left(j.message, 300)
            else 'last ran at ' || to_char(j.started_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')
        end,
        case j.finding
            when 'missing' then 'select enrichment.schedule_jobs()'
            when 'switched off' then 'select cron.alter_job(jobid, active => true) from cron.job where jobname = ' || quote_literal(j.name)
            when 'failed' then 'call it by hand as its command in cron.job does, and see what it says'
            when 'late' then 'a project that was paused is restarted in the dashboard, and pg_cron with it'
            when 'never' then case when j.lateness < '1 day' then 'look again in a minute; later: is pg_cron running? A restart of the project starts it' end
        end
    from enrichment.job_findings() as j
    order by j.lateness, j.name desc;
exception
    -- Not ours to read, or of a version that keeps its jobs otherwise: no reason to keep the other checks back.
    when others then
        return query
        select
            'pg_cron', 'warn', 'pg_cron''s tables cannot be read: ' || sqlerrm,
            'look in the dashboard (Integrations, Cron) whether these run: ' || string_agg(j.name, ', ') from enrichment.jobs() as j;
end
$$;

create or replace function enrichment.health_of_settings()
returns setof enrichment.health_check
language sql stable set search_path = ''
as $$
    select
        'contact',
        case when s.contact is null then 'fail' when s.contact ~* '@example\.(com|net|org)$' then 'warn' else 'ok' end,
        case
            when s.contact is null then 'nobody is named in the User-Agent, so Open Library is not asked (no_contact)'
            when s.contact ~* '@example\.(com|net|org)$' then s.contact || ' is an example that nobody reads'
            else 'the User-Agent names ' || s.contact
        end,
        case
            when s.contact is null or s.contact ~* '@example\.(com|net|org)$'
                then 'set ENRICHMENT_CONTACT where the worker runs, or: book-enrichment settings set contact=…, to an address or page of yours: it names you to Open Library'
        end
    from enrichment.settings as s
    union all
    select
        'automatic',
        case when s.auto_enabled then 'ok' else 'warn' end,
        case
            when s.auto_enabled then 'imports are worked on by themselves'
            else format('auto_enabled is off: what imports bring waits (rows by now: %s), what a person asks for runs', waiting."rows")
        end,
        case when not s.auto_enabled then 'set ENRICHMENT_AUTO_ENABLED=true where the worker runs, or: book-enrichment settings set auto_enabled=true' end
    from enrichment.settings as s
    cross join lateral (
        select count(*) as "rows" from public.enrichment_queue as q where q.is_open and q.wait_reason = 'auto_disabled'
    ) as waiting
$$;

create or replace function enrichment.health_of_storage()
returns setof enrichment.health_check
language plpgsql stable set search_path = ''
as $$
declare
    kept enrichment.settings := (select s from enrichment.settings as s);
    stored enrichment.cover_storage := (select c from enrichment.cover_storage as c);
    is_public boolean;
begin
    return query
    select
        'database size', case when db.bytes > 0.8 * kept.database_budget_bytes then 'warn' else 'ok' end,
        format('%s of %s (database_budget_bytes)', pg_size_pretty(db.bytes), pg_size_pretty(kept.database_budget_bytes)),
        case
            when db.bytes > 0.8 * kept.database_budget_bytes
                then 'lower keep_queue_days and keep_audit_days, then select * from prune_enrichment(); or use a larger plan, and set database_budget_bytes to what it has'
        end
    from pg_catalog.pg_database_size(current_database()) as db (bytes);

    if kept.cover_mode = 'hotlink' then
        return query select 'covers', 'ok', 'covers are shown from where they are; none are stored', null;
        return;
    end if;
    if to_regclass('storage.buckets') is not null then
        execute 'select b.public from storage.buckets as b where b.id = $1' into is_public using 'covers';
    end if;
    return query
    select
        'covers', case when is_public is null then 'fail' when not is_public or stored.bytes > 0.95 * kept.cover_budget_bytes then 'warn' else 'ok' end,
        case
            when is_public is null then 'covers are to be stored, and there is no bucket covers'
            when not is_public then 'the bucket covers is not public, so that readers cannot see what is stored'
            else format('stored covers: %s, %s of %s', stored.images, pg_size_pretty(stored.bytes), pg_size_pretty(kept.cover_budget_bytes))
        end,
        case
            when is_public is null then 'make a public bucket named covers in the dashboard (Storage), or: book-enrichment settings set cover_mode=hotlink'
            when not is_public then 'make it public in the dashboard (Storage)'
            when stored.bytes > 0.95 * kept.cover_budget_bytes then 'new covers stay hot-linked; raise cover_budget_bytes where there is room'
        end;
exception
    when others then
        return query select 'covers', 'warn', 'Storage''s tables cannot be read: ' || sqlerrm, 'look in the dashboard whether the bucket covers is there';
end
$$;

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

create function enrichment.jobs()
returns table (name text, schedule text, command text, lateness interval)
language sql immutable set search_path = ''
as $$
    values
        ('enrichment-sweep', '* * * * *', 'select count(*) from public.sweep_enrichment()', interval '10 minutes'),
        ('enrichment-reset-stale', '* * * * *', 'select count(*) from public.reset_stale_enrichment()', interval '10 minutes'),
        ('enrichment-prune', '17 3 * * *', 'select count(*) from public.prune_enrichment()', interval '2 days')
$$;

comment on function enrichment.jobs() is
'The jobs that pg_cron runs for us, and how long after its last run each is called late. Uninstalling knows them by their form: enrichment-…, and a call of a verb.';

create or replace function enrichment.schedule_jobs()
returns setof text
language plpgsql set search_path = ''
as $$
begin
    if to_regprocedure('cron.schedule(text, text, text)') is null then
        raise notice 'pg_cron is not installed: nothing is scheduled; enable it, then select enrichment.schedule_jobs()';
        return;
    end if;
    -- Dynamic, since a project may have no pg_cron.
    -- @plpgsql_check_options: performance_warnings = off
    return query execute
        'select job.name from enrichment.jobs() as job cross join lateral cron.schedule(job.name, job.schedule, job.command)';
end
$$;

comment on type enrichment.provider_state is
'A line of the providers'' dashboard: may it be called, how much is left, how it has been doing.';

comment on column enrichment.provider_state.wait_reason is 'Why it may not be called now. Null: it may.';

comment on column enrichment.provider_state.available_at is 'When it may. Null: once a setting changes.';

comment on column enrichment.provider_state.tokens is 'Calls that are free now.';

comment on column enrichment.provider_state.rate_per_second is 'How fast they come back.';

comment on column enrichment.provider_state.burst_size is 'The most that are free at once.';

comment on column enrichment.provider_state.used_today is 'Calls since its day began.';

comment on column enrichment.provider_state.daily_limit is 'Calls a day. Null: no limit.';

comment on column enrichment.provider_state.daily_reserve is 'Calls of the daily limit that stay unspent.';

comment on column enrichment.provider_state.failures is 'Calls that failed in a row.';

comment on column enrichment.provider_state.last_error is 'Null: it met none.';

comment on type enrichment.due is 'When a worker should come back.';

comment on column enrichment.due.due_at is 'Null: nothing will be due by itself.';

comment on column enrichment.due.due_in is 'Seconds until then, never negative. Null: as due_at.';

comment on column enrichment.due.reason is 'What the row that is due first waits for. Null: as due_at.';

comment on column enrichment.due.pending is 'Queue rows in this state.';

comment on column enrichment.due.in_progress is 'Queue rows in this state.';

comment on type enrichment.state_count is 'How many queue rows are in one state, for one reason.';

comment on column enrichment.state_count.wait_reason is 'Null: they do not wait.';

comment on column enrichment.state_count.oldest is 'When the oldest was made.';

comment on column enrichment.state_count.until is 'When the first of them is due. Null: once a setting changes, or they do not wait.';

comment on type enrichment.pruned is 'How much of one kind was removed by age.';

comment on column enrichment.pruned.subject is 'The table.';

comment on column enrichment.pruned.removed is 'Rows.';

comment on type enrichment.usage_line is 'A line of the free-tier meter.';

comment on column enrichment.usage_line.meter is 'database, covers, calls or waiting.';

comment on column enrichment.usage_line.subject is 'database, storage, budget, the provider, or the reason for waiting.';

comment on column enrichment.usage_line.allowed is 'Null: no limit.';

comment on column enrichment.usage_line.unit is 'bytes, calls or rows.';

comment on column enrichment.usage_line.until is 'When calls count from zero again, or the first waiting row is due. Null: neither.';

create or replace function enrichment.enrichment_usage_impl()
returns setof enrichment.usage_line
language plpgsql stable security definer set search_path = '' set jit = off set random_page_cost = 1.1
as $$
declare
    reader uuid := enrichment.acting_reader();
    kept enrichment.settings := (select s from enrichment.settings as s);
begin
    return query
    select 'database', 'database', pg_database_size(current_database()), kept.database_budget_bytes, 'bytes', null::timestamptz
    union all
    select 'covers', 'storage', enrichment.stored_bytes(), kept.storage_budget_bytes, 'bytes', null
    union all
    select 'covers', 'budget', u.bytes, kept.cover_budget_bytes, 'bytes', null from enrichment.cover_storage as u;

    return query
    select
        'calls', p.provider, s.used_today::bigint, (p.daily_limit - least(p.daily_reserve, p.daily_limit))::bigint, 'calls',
        date_trunc('day', clock_timestamp() at time zone p.reset_time_zone + interval '1 day') at time zone p.reset_time_zone
    from enrichment.providers as p
    join enrichment.provider_states as s on s.provider = p.provider
    where p.is_enabled
    order by p."position";

    return query
    select 'waiting', q.wait_reason, count(*), null::bigint, 'rows', nullif(min(q.next_attempt_after), 'infinity')
    from public.enrichment_queue as q
    where q.is_open and q.status = 'pending'
        and (reader is null or q.work_id in (select i.work_id from public.library_items as i where i.user_id = reader))
    group by q.wait_reason
    order by q.wait_reason;
end
$$;

comment on function public.list_enrichment(text, integer, text) is
'Queue rows of the own library, newest first, each with all that a review panel shows: the sentence, every value as it is now, every proposal beside it, is_mine (it was you who asked for the row or approved it; true for the service) and is_undoable (undo_enrichment would take it back for you now). The cursor of the last row gets the next page. PT422 for an unknown status, page_size beyond 1,000 or a foreign cursor.';

comment on function public.enrichment_history(uuid) is
'What enrichment and its readers did to a book of the own library, newest first, at most 200 lines: values before and after, from where, why, is_mine (it was you) and is_undoable (undo_enrichment of its queue_id would take it back for you now). PT404, PT403.';

comment on function public.enrichment_usage() is
'The free-tier meter, a line each: database (bytes against database_budget_bytes), covers (storage: all files against storage_budget_bytes; budget: our covers against cover_budget_bytes), calls (of today per provider against what we spend of its daily limit, which leaves daily_reserve, null for none, until its midnight), waiting (pending rows per reason and when the first is due; a reader''s own library only).';

revoke all on function
    enrichment.cover_path(text),
    enrichment.details_of_candidate(jsonb, text, text),
    enrichment.edition_values(enrichment.candidate_fields),
    enrichment.fields(),
    enrichment.fill_fields(enrichment.field_value[]),
    enrichment.imported_values(uuid),
    enrichment.is_undoable(uuid, public.enrichment_queue),
    enrichment.job_findings(),
    enrichment.jobs(),
    enrichment.read_import_row(uuid, jsonb, bigint),
    enrichment.reason_to_reject(jsonb),
    enrichment.restore_fields(enrichment.field_value[]),
    enrichment.setting_rule(text),
    enrichment.uuid_of(text),
    enrichment.work_values(enrichment.candidate_fields)
from public, anon, authenticated, service_role;

-- In the order of the registry; what an operator took out stays out.
update enrichment.providers as p
set fills = array(select f.field from enrichment.fields() as f where f.field = any(p.fills))
where p.fills <> '{}';

reset check_function_bodies;

insert into enrichment.schema_versions (version, name, checksum, works_with, brought) values
(3, '20261128040816_write_shapes_once', '44db9669ed3bf2efdd6e8024bbdaf5ded6a3a0d1dae0a62d75c61dd73a3fc3e5', 1, '{}');
