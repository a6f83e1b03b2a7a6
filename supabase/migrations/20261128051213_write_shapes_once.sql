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
    -- Whoever is at work goes first, and whoever comes meanwhile waits before it holds anything: in the order in which rows are written.
    lock table public.enrichment_queue, public.enrichment_audit_log, enrichment.cover_queue, enrichment.stored_covers
        in access exclusive mode;
end
$$;

set check_function_bodies = off;

drop trigger if exists covers_follow_the_arrows on enrichment.cover_queue;

drop trigger if exists covers_start_as_pending on enrichment.cover_queue;

drop trigger if exists queue_rows_follow_the_arrows on public.enrichment_queue;

drop trigger if exists queue_rows_start_as_pending on public.enrichment_queue;

drop function if exists enrichment.turn_away(public.enrichment_queue, text[], boolean);

drop function if exists enrichment.weigh_works(uuid[]);

drop function if exists enrichment.refuse_missing_arrow();

create or replace function enrichment.refuse_foreign_work(work_id uuid)
returns void
language plpgsql stable set search_path = ''
as $$
declare
    reader uuid := enrichment.acting_reader();
begin
    if reader is not null and not exists (
        select 1 from public.library_items as i where i.user_id = reader and i.work_id = refuse_foreign_work.work_id
    ) then
        perform enrichment.refuse(
            'PT403', format('work %s is not in your library', refuse_foreign_work.work_id), 'add it to the library first'
        );
    end if;
end
$$;

create function enrichment.uuid_of(id text)
returns uuid
language sql immutable parallel safe set search_path = ''
as $$
    select case when uuid_of.id ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' then uuid_of.id::uuid end
$$;

comment on function enrichment.uuid_of(text) is 'An id in the one form that is documented; null for anything else, also for what Postgres would take besides.';

create or replace function enrichment.refuse_bad_page(page_size integer)
returns void
language plpgsql stable set search_path = ''
as $$
begin
    if refuse_bad_page.page_size is null or refuse_bad_page.page_size not between 1 and 1000 then
        perform enrichment.refuse(
            'PT422', 'page_size is not between 1 and 1,000', 'PostgREST cuts replies at 1,000 rows; ask for the next page'
        );
    end if;
end
$$;

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
            'PT422', 'a setting cannot take that value: ' || coalesce(enrichment.setting_rule(broken_rule), sqlerrm),
            'call configure_enrichment() for what each setting means'
        );
    when not_null_violation or data_exception then
        perform enrichment.refuse(
            'PT422', 'a setting cannot take that value: ' || sqlerrm, 'call configure_enrichment() for what each setting means'
        );
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
        ('edition.isbn10', 'editions', 'isbn10', 'ISBN-10', 'isbn', '{openlibrary,googlebooks}'::text[]),
        ('edition.isbn13', 'editions', 'isbn13', 'ISBN-13', 'isbn', '{openlibrary,googlebooks}'::text[]),
        ('edition.language', 'editions', 'language', 'Language', 'language', '{openlibrary,googlebooks}'::text[]),
        ('edition.format', 'editions', 'format', 'Format', 'word', '{openlibrary}'::text[]),
        ('edition.total_pages', 'editions', 'total_pages', 'Pages', 'number', '{openlibrary,googlebooks}'::text[]),
        ('edition.total_audio_minutes', 'editions', 'total_audio_minutes', 'Length', 'minutes', '{}'::text[])
$$;

comment on function enrichment.fields() is
'The fields that enrichment may fill, in the order in which they are shown: the column each is kept in, what people call it, what kind of value it is, and which of our providers know it.';

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
        'edition.isbn10', edition.isbn10,
        'edition.isbn13', edition.isbn13,
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

create or replace function enrichment.refuse_unknown_fields(work_id uuid, fields text[], edition_id uuid)
returns void
language plpgsql stable set search_path = ''
as $$
begin
    if not exists (select 1 from public.works as w where w.id = refuse_unknown_fields.work_id) then
        perform enrichment.refuse('PT404', format('no work %s', refuse_unknown_fields.work_id), 'work_id is an id of public.works');
    end if;
    perform enrichment.refuse_foreign_work(refuse_unknown_fields.work_id);
    if exists (
        select 1 from unnest(refuse_unknown_fields.fields) as f
        where f is null or not enrichment.current_values(null::public.works, null::public.editions) ? f
            or (f like 'edition.%' and not exists (
                select 1 from public.editions as e
                where e.id = refuse_unknown_fields.edition_id and e.work_id = refuse_unknown_fields.work_id
            ))
    ) then
        perform enrichment.refuse(
            'PT422', 'a field has no such name, or its edition is not one of this work',
            'use work.cover_url, edition.publisher …; edition fields need edition_id'
        );
    end if;
end
$$;

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
            jsonb_object_agg(a.field, jsonb_build_object('old', a.old, 'new', a.value)) as fields,
            jsonb_object_agg(a.field, a.old) as previous
        from applied as a
        group by a.queue_id, a.provider, a.work_key
    )

    insert into public.enrichment_audit_log (
        enrichment_queue_id, work_id, edition_id, import_id, action, provider, source_record, confidence, fields_changed, previous_values,
        match_details, actor
    )
    select
        b.id, b.work_id, b.edition_id, b.import_id, write_values.action, c.provider,
        c.source_record || jsonb_build_object('work_key', c.work_key), c.confidence, c.fields, c.previous,
        enrichment.details_of_candidate(b.match_details, c.provider, c.work_key), write_values.actor
    from before as b
    join changes as c on c.queue_id = b.id
    cross join filled
$$;

create or replace function enrichment.omnibus_mark(folded text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    if string_to_array(omnibus_mark.folded, ' ') && '{trilogy,omnibus,compendium,deluxe,box,boxed,boxset,bundle,duology,tetralogy,quartet,
        quintet,anthology,
        complete,collected,other,selected,books,bks,volumes,vols}'::text[] or omnibus_mark.folded like '% in 1%'
    then
        return substring(
            concat(' ', omnibus_mark.folded, ' ') from
            ' (trilogy|omnibus|compendium|deluxe edition book|box set|boxed|boxset|bundle|duology|tetralogy|quartet|quintet|anthology'
            '|complete (?:novels|works|series|collection|saga|trilogy|stories|set|short|poems|plays)|collected (?:works|novels)'
            '|[0-9]+ complete novels|[0-9]+ (?:books )?in 1|(?:and|with) (?:other|selected) [a-z ]+'
            '|(?:books|bks|volumes|vols) [0-9]+ (?:to|and) [0-9]+) '
        );
    end if;
    return null;
end
$$;

create or replace function enrichment.title_words(folded text)
returns text[]
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    glossary jsonb := enrichment.title_glossary();
    words text[] := string_to_array(title_words.folded, ' ');
    english text;
begin
    if glossary ?| words then
        select string_agg(coalesce(glossary ->> word, word), ' ' order by place) into english
        from unnest(words) with ordinality as u (word, place);
        words := string_to_array(enrichment.fold_numbers(english), ' ');
    end if;
    words := array(
        select word collate "C"
        from unnest(words) as word
        where word <> all('{the,a,an,of,on,in,to,and,for,with,by,from,at,de,la,le,les,l,d,du,des,au,aux,en,el,los,las,lo,del,un,
            une,una,ein,eine,y,et,und,der,die,das,den,im,von,zum,zur,il,gli,di,della,dell,delle,dello,do,da,dos,og,и,в}'::text[])
        order by 1
    );
    return case when cardinality(words) = 0 then string_to_array(title_words.folded, ' ') else words end;
end
$$;

create function enrichment.title_numbers(folded text)
returns text[]
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    if translate(title_numbers.folded, '0123456789', '') = title_numbers.folded then
        return null;
    end if;
    return array(
        select word from unnest(string_to_array(title_numbers.folded, ' ')) as word where left(word, 1) between '0' and '9' order by 1
    );
end
$$;

comment on function enrichment.title_numbers(text) is 'The numbers in a folded title, sorted; null where it has no digit.';

create or replace function enrichment.split_title(bare text, folded text)
returns text[]
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    pieces text[];
    piece text;
    segments text[] := '{}'::text[];
begin
    if split_title.bare ilike any('{%:%,%;%,%-%,%–%,%—%,%. %,%! %,%? %,% or%,%\, a%}') then
        pieces := regexp_split_to_array(
            split_title.bare,
            '\s*:+\s+|\s+[:–—-]+\s+|;\s+|(?:(?<=\w{4})\.|[!?]) +(?=[[:alpha:]])|,? or, (?:the )?|, or |, an? ', 'i'
        );
    end if;
    foreach piece in array coalesce(pieces, array[split_title.folded]) loop
        if pieces is not null then
            piece := enrichment.fold_numbers(enrichment.fold_text(piece));
        end if;
        if piece like any('{%edition,%unabridged,%revised,%expanded,%updated,%illustrated,% the,% les,%stories of %,%poems of %,
            %poetry of %,%works of %,%tales of %,%plays of %,%essays of %,%writings of %,%stories by %,%poems by %,%works by %,%plays by %,
            %essays by %}')
        then
            piece := regexp_replace(
                piece,
                '(?:(?:^| )(?:and|[0-9]+(?:st|nd|rd|th)|revised|updated|expanded|illustrated|annotated|deluxe|special|premium|anniversary'
                '|collectors|new))*(?:^| )(?:edition|unabridged|revised|expanded|updated|illustrated)$| (?:the|les)$'
                '|(?<=(?:selected|collected|complete|other|short) (?:stories|poems|poetry|works|tales|plays|essays|writings))'
                ' (?:of|by) .*$',
                ''
            );
        end if;
        if piece <> '' then
            segments := segments || piece;
        end if;
    end loop;
    return segments;
end
$$;

create or replace function enrichment.read_remarks(remarks text[])
returns text[]
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    remark text;
    folded text;
    volume text[];
    series text[] := array[null, null, null];
    rest text;
begin
    foreach remark in array string_to_array(array_to_string(read_remarks.remarks, ';'), ';') loop
        if remark like '%.%' then
            remark := regexp_replace(remark, '([0-9])\.([0-9])', '\1p\2', 'g');
        end if;
        folded := enrichment.fold_numbers(enrichment.fold_text(remark));
        volume := coalesce(enrichment.read_volume(folded), regexp_match(folded, '^(.+) ([0-9]{1,2}(?: to [0-9]{1,2})?)$'));
        if volume is null then
            rest := concat_ws(' ', rest, case when remark like '% / %' then 'omnibus' end, folded);
        elsif series[2] is null then
            series := array[
                enrichment.bare_title(coalesce(
                    volume[1], case when volume[3] like any('{of %,in %}') then substr(volume[3], 4) end, volume[3], ''
                )),
                replace(replace(volume[2], ' to ', '-'), 'p', '.'),
                case when remark like '%: %'
                    then (enrichment.read_volume(enrichment.fold_numbers(enrichment.fold_text(split_part(remark, ': ', -1)))))[1]
                end
            ];
        end if;
    end loop;
    return series || rest;
end
$$;

create or replace function enrichment.place_segments(parts enrichment.title_parts, segments text[])
returns enrichment.title_parts
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    segment text;
    volume text[];
    volume_of text;
    kept text[] := '{}'::text[];
begin
    foreach segment in array place_segments.segments loop
        volume := enrichment.read_volume(segment);
        if cardinality(kept) = 0 then
            if volume[1] is not null and volume[3] is null then
                volume_of := enrichment.bare_title(volume[1]);
                parts.series_key := coalesce(parts.series_key, volume_of);
                parts.volume := replace(volume[2], ' to ', '-');
            end if;
        elsif volume is not null and (volume[1] is null or volume[3] is null) then
            if volume[3] is null and (
                volume[2] like '% to %' or not segment like any('{%no %,%number %}')
                and (volume[1] is not null or segment not like '%book%')
            ) then
                parts.volume := replace(volume[2], ' to ', '-');
            end if;
            if volume[1] is null and volume[3] like 'of %' then
                parts.series_key := coalesce(parts.series_key, enrichment.bare_title(substr(volume[3], 4)));
            end if;
            segment := case when volume[3] like 'of %' or volume[3] like 'in %' then '' else coalesce(volume[1], volume[3], '') end;
        end if;
        parts.series_number := coalesce(
            parts.series_number, case when volume[1] is null or volume[3] is null then replace(volume[2], ' to ', '-') end
        );
        if cardinality(kept) > 0 and enrichment.is_weak_subtitle(segment) then
            segment := '';
        end if;
        if segment <> '' then
            if cardinality(kept) > 0 and volume is null then
                parts.volume := null;
            end if;
            kept := kept || segment;
        end if;
    end loop;
    if volume_of is not null then
        kept := case when cardinality(kept) > 1 then kept[2:] else array[volume_of] end;
    end if;

    parts.core_key := coalesce(nullif(enrichment.bare_title(array_to_string(kept, ' ')), ''), parts.full_key);
    parts.main_key := coalesce(enrichment.bare_title(kept[1]), parts.full_key);
    parts.subtitle_key := array_to_string(kept[2:], ' ');
    return parts;
end
$$;

create function enrichment.one_line_title(title text, subtitle text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    whole text := replace(
        replace(concat_ws(': ', one_line_title.title, nullif(one_line_title.subtitle, '')), '：', ': '), '#', ' no '
    );
begin
    if whole ~ '[0-9][,–—-]\s?[n0-9]' then
        whole := regexp_replace(whole, '([0-9]),([0-9]{3})\M', '\1\2', 'g');
        whole := regexp_replace(whole, '([0-9])\s?[–—-]\s?(?:no )?([0-9])', '\1 to \2', 'g');
    end if;
    if whole like any('{%l''%,%L''%,%d''%,%D''%,%l’%,%L’%,%d’%,%D’%}') then
        whole := regexp_replace(whole, '\m([ldLD])[''’](?=\w)', '\1 ', 'g');
    end if;
    return whole;
end
$$;

comment on function enrichment.one_line_title(text, text) is
'Title and subtitle with a colon between them; "#3" is "no 3" there, "1-3" is "1 to 3", "1,000" is "1000" and "L''Assommoir" is "L Assommoir".';

create or replace function enrichment.parse_title(title text, subtitle text default null)
returns enrichment.title_parts
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    bracket constant text := '\s[(\[]([^][()]*)[)\]](?=\s*(?:[:;,.]|$|[(\[]))';
    whole text := enrichment.one_line_title(parse_title.title, parse_title.subtitle);
    bare text := whole;
    series text[] := array[null, null, null, null];
    folded text;
    known_titles jsonb := enrichment.known_titles();
    parts enrichment.title_parts;
begin
    if whole like any('{% (%,% [%}') then
        series := enrichment.read_remarks(array(select hit[1] from regexp_matches(whole, bracket, 'g') as hit));
        bare := regexp_replace(whole, bracket, '', 'g');
    end if;

    folded := enrichment.fold_text(bare);
    parts.full_key := enrichment.bare_title(folded);
    parts.series_key := nullif(series[1], '');
    parts.series_number := series[2];
    folded := enrichment.fold_numbers(folded);
    parts.derivative := enrichment.derivative_mark(concat_ws(' ', folded, series[4], series[1]));
    parts.omnibus := enrichment.omnibus_mark(concat_ws(' ', folded, series[4]));
    if parts.full_key = '' then
        parts.full_key := enrichment.fold_text(whole);
        bare := whole;
        folded := enrichment.fold_numbers(parts.full_key);
    elsif parts.derivative is not null or parts.omnibus is not null then
        parts.full_key := concat_ws(' ', parts.full_key, series[4]);
    end if;

    parts := enrichment.place_segments(parts, enrichment.split_title(bare, folded));
    if parts.omnibus is null then
        parts.omnibus := case
            when parts.subtitle_key = 'and' or parts.subtitle_key like 'and %' then 'and'
            when bare like '%: % / % / %' then '/'
        end;
    end if;
    -- A book that bears its series' name is the first of it; with another number it is a volume.
    if parts.series_key = parts.core_key and parts.series_number <> '1' then
        parts.volume := coalesce(parts.volume, parts.series_number);
    end if;
    -- "#5, Part 1" is half of the fifth book.
    if whole ilike any('{% no %\, part %,% no %: part %}') then
        parts.volume := coalesce(parts.volume, substring(lower(whole) from ' no [0-9]+[,:] part ([0-9]+)'));
    end if;
    parts.forms := enrichment.series_forms(parts, series[3])
        || case when parts.volume is null then enrichment.bare_title(folded) else parts.core_key || ' ' || parts.volume end;
    if series[4] is not null then
        parts.forms := parts.forms || (series[4] || ' ' || parts.core_key);
    end if;
    parts.numbers := enrichment.title_numbers(parts.core_key);
    parts.known_as := coalesce(known_titles ->> parts.core_key, known_titles ->> parts.main_key);
    parts.words := enrichment.title_words(parts.core_key);
    return parts;
end
$$;

create or replace function enrichment.date_of(value text)
returns date
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    found_year integer := enrichment.year_of(date_of.value);
    iso text[] := regexp_match(date_of.value, '^\s*[0-9]{4}-([0-9]{1,2})(?:-([0-9]{1,2})(?![0-9]))?');
    month_name text := case
        when iso is null then lower(substring(date_of.value from '(?i)\m(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)'))
    end;
    found_month integer := coalesce(
        iso[1]::integer,
        array_position(array['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'], month_name), 1
    );
    found_day integer := coalesce(
        iso[2]::integer,
        case when month_name is not null then substring(date_of.value from '(?:^|[^0-9])([0-9]{1,2})(?:$|[^0-9])')::integer end, 1
    );
begin
    if found_year is null or found_month not between 1 and 12 then
        return make_date(found_year, 1, 1);
    end if;
    return make_date(
        found_year, found_month,
        case when found_day between 1 and extract(day from make_date(found_year, found_month, 1) + interval '1 month - 1 day')
            then found_day else 1 end
    );
end
$$;

create or replace function enrichment.format_of(value text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return case
        when format_of.value ilike any(array['%audio%', '%mp3%', '%cassette%']) then 'audiobook'
        when format_of.value ilike any(array['%ebook%', '%e-book%', '%kindle%', '%epub%', '%pdf%', '%digital%', '%electronic%'])
            then 'ebook'
        when format_of.value ilike any(array['%hard%', '%cloth%', '%library binding%']) then 'hardcover'
        when format_of.value ilike any(array['%paper%', '%soft%', '%mass market%']) then 'paperback'
    end;
end
$$;

create function enrichment.scored_pairs(queue_ids uuid[], with_rejected boolean)
returns table (
    queue_id uuid, provider text, work_key text, title text, author_names text[], work_values jsonb, edition_values jsonb, isbn text,
    title_parts enrichment.title_parts, author_parts enrichment.author_parts, source_record jsonb, rejection text, title_score integer,
    author_score integer, isbn_score integer, is_same_edition boolean
)
language sql stable set search_path = ''
as $$
    with wanted as materialized (
        select
            q.id, q.work_id, w.title_parts, w.author_parts, e.isbn13, e.isbn10, enrichment.language_of(e.language) as language,
            enrichment.format_of(e.format) as format, enrichment.isbn_key(coalesce(nullif(e.isbn13, ''), e.isbn10)) as isbn,
            array[enrichment.isbn_key(e.isbn13), enrichment.isbn_key(e.isbn10)] as isbns,
            (
                select array_agg(split_part(x.provider_id, '/', -1))
                from public.work_authors as wa
                join public.external_ids as x on x.entity_type = 'author' and x.entity_id = wa.author_id
                where wa.work_id = q.work_id
            ) as author_ids
        from public.enrichment_queue as q
        join enrichment.parsed_works as w on w.work_id = q.work_id
        left join public.editions as e on e.id = q.edition_id
        where q.id = any(scored_pairs.queue_ids)
    )

    -- An author whose key is equal is ours, under any name.
    select
        r.id, c.provider, c.work_key, c.title, c.author_names, c.work_values, c.edition_values, r.isbn, c.title_parts,
        case when r.author_ids && c.author_ids then r.author_parts else c.author_parts end,
        jsonb_build_object('entity_type', c.entity_type, 'provider_id', c.provider_id),
        case when j.is_dismissed then 'dismissed' when not j.is_dismissed then 'passed_over' end,
        enrichment.title_score(r.title_parts, c.title_parts),
        case when r.author_ids && c.author_ids then 3 else enrichment.author_score(r.author_parts, c.author_parts) end,
        case when r.isbns && c.isbns then enrichment.isbn_score(r.isbn13, r.isbn10, c.isbns) else 0 end,
        r.isbn = any(c.isbns)
        and coalesce(r.language <> c.edition_values ->> 'edition.language', false) is false
        and coalesce(r.format <> enrichment.format_of(c.edition_values ->> 'edition.format'), false) is false
    from wanted as r
    join enrichment.queue_records(scored_pairs.queue_ids) as x on x.queue_id = r.id
    join enrichment.candidates as c
        on c.provider = x.provider and c.entity_type = x.entity_type and c.provider_id = x.provider_id
    left join enrichment.rejected_candidates as j
        on j.work_id = r.work_id and j.provider = c.provider and j.candidate_key = c.work_key
    where j.work_id is null or scored_pairs.with_rejected
$$;

comment on function enrichment.scored_pairs(uuid[], boolean) is
'Each of these queue rows beside each candidate that the valid records hold for it, every score computed once.';

create or replace function enrichment.score_candidates(queue_ids uuid[], with_rejected boolean default false)
returns setof enrichment.scored_book
language sql stable set search_path = ''
as $$
    with books as (
        select
            p.queue_id, p.provider, p.work_key, p.rejection,
            (array_agg(p.title order by p.title_score desc))[1] as title,
            (array_agg(array_to_string(p.author_names, ', ') order by p.author_score desc nulls last))[1] as authors,
            (array_agg(p.source_record order by p.is_same_edition desc nulls last, p.title_score desc))[1] as source_record,
            (array_agg(p.title_parts order by p.title_score desc))[1] as title_parts,
            (array_agg(p.author_parts order by p.author_score desc nulls last))[1] as author_parts,
            max(p.title_score) as title_score, max(p.author_score) as author_score, max(p.isbn_score) as isbn_score,
            coalesce(enrichment.merge_values(array_agg(p.work_values order by p.is_same_edition nulls first, p.title_score)), '{}')
            || coalesce(
                enrichment.merge_values(
                    array_agg(
                        p.edition_values || jsonb_build_object(
                            'edition.isbn13', p.isbn,
                            'edition.isbn10', case when p.isbn like '978%' then enrichment.isbn10_of(substr(p.isbn, 4, 9)) end
                        )
                    ) filter (where p.is_same_edition)
                ), '{}'
            ) as "values"
        from enrichment.scored_pairs(score_candidates.queue_ids, score_candidates.with_rejected) as p
        group by p.queue_id, p.provider, p.work_key, p.rejection
    ),

    tiers as (
        select b.*, enrichment.confidence_of(b.title_score, b.author_score, b.isbn_score) as confidence, p."position"
        from books as b
        join enrichment.providers as p on p.provider = b.provider
    )

    select
        t.queue_id, t.provider, t.work_key, t.title, t.authors, t.source_record, t.title_parts, t.author_parts, t.title_score,
        t.author_score, t.isbn_score, t.confidence, t.rejection,
        row_number() over (
            partition by t.queue_id
            order by t.rejection nulls first, t.confidence desc, total desc, t."position", t."values" ? 'work.cover_url' desc, t.work_key
        )::integer,
        null::integer, false, false, null::text[], t."values"
    from tiers as t
    cross join lateral (select t.isbn_score + t.title_score + coalesce(t.author_score, 0)) as sum (total)
$$;

create function enrichment.compare_with_best(books enrichment.scored_book[])
returns table (
    queue_id uuid, place integer, provider text, tier enrichment.confidence, title_parts enrichment.title_parts,
    author_parts enrichment.author_parts, year integer, is_near boolean, is_same boolean
)
language sql stable set search_path = ''
as $$
    with weighed as materialized (
        select
            b.*, least(b.confidence, 'medium') as tier, b.isbn_score >= 4 as has_isbn, b.title_score + coalesce(b.author_score, 0) as fit,
            (b."values" ->> 'work.first_publish_year')::integer as year
        from unnest(compare_with_best.books) as b
    )

    select
        b.queue_id, b.place, b.provider, b.tier, b.title_parts, b.author_parts, b.year,
        b.tier = best.tier and b.has_isbn = best.has_isbn and abs(b.fit - best.fit) <= 1,
        b.place = 1 or (b.tier = 'medium' and b.has_isbn and best.has_isbn)
        or enrichment.is_same_book(best.title_parts, b.title_parts, best.author_parts, b.author_parts, best.year, b.year)
    from weighed as best
    join weighed as b on b.queue_id = best.queue_id
    where best.place = 1 and best.rejection is null and b.rejection is null and b.confidence >= 'low'
$$;

comment on function enrichment.compare_with_best(enrichment.scored_book[]) is
'Each book that may be the one, beside the first of its row: is_near where title and author fit as well (a point apart at most), equal ISBN or none on both sides; is_same where both are one book.';

create function enrichment.weigh_rivals(books enrichment.scored_book[])
returns table (queue_id uuid, best_place integer, same_places integer[], rival_places integer[], agreement text[])
language sql stable set search_path = ''
as $$
    with beside_best as materialized (
        select * from enrichment.compare_with_best(weigh_rivals.books)
    ),

    -- Only where another work comes near the best: which books are one with each of those that compete, and how many providers know it.
    competitors as materialized (
        select
            one.queue_id, one.place, array_agg(other.place) as same_places,
            count(distinct other.provider) filter (where other.tier = one.tier) as providers
        from beside_best as one
        join beside_best as other on other.queue_id = one.queue_id
        where one.is_near and one.queue_id in (select b.queue_id from beside_best as b where b.is_near and not b.is_same)
            and (one.place = other.place or enrichment.is_same_book(
                one.title_parts, other.title_parts, one.author_parts, other.author_parts, one.year, other.year
            ))
        group by one.queue_id, one.place
    ),

    winners as (
        select distinct on (c.queue_id) c.* from competitors as c order by c.queue_id, c.providers desc, c.place
    ),

    opponents as (
        select c.queue_id, c.place, c.same_places
        from competitors as c
        join winners as w on w.queue_id = c.queue_id and c.place <> all(w.same_places) and c.providers = w.providers
    ),

    rivals as (
        select o.queue_id, array_agg(o.place) as places
        from opponents as o
        where not exists (
            select 1 from opponents as better
            where better.queue_id = o.queue_id and better.place < o.place and o.place = any(better.same_places)
        )
        group by o.queue_id
    ),

    choices as (
        select
            b.queue_id, coalesce(w.place, 1) as best_place,
            coalesce(w.same_places, array_agg(b.place) filter (where b.is_same)) as same_places
        from beside_best as b
        left join winners as w on w.queue_id = b.queue_id
        group by b.queue_id, w.place, w.same_places
    )

    select
        c.queue_id, c.best_place, c.same_places, r.places, case when count(distinct b.provider) > 1 then array_agg(distinct b.provider) end
    from choices as c
    join beside_best as best on best.queue_id = c.queue_id and best.place = c.best_place
    join beside_best as b on b.queue_id = c.queue_id and b.place = any(c.same_places) and b.tier = best.tier
    left join rivals as r on r.queue_id = c.queue_id
    group by c.queue_id, c.best_place, c.same_places, r.places
$$;

comment on function enrichment.weigh_rivals(enrichment.scored_book[]) is
'Which book of a row is best, which are one with it and which providers agree on it, and which other works fit as well. No line where none may be the one.';

create or replace function enrichment.choose_books(books enrichment.scored_book[])
returns setof enrichment.scored_book
language sql stable set search_path = '' set enable_nestloop = off
as $$
    -- Nothing here has statistics: joined by nested loops the choice for 1,000 rows took 1.8 s, hashed 0.1 s.
    select
        b.queue_id, b.provider, b.work_key, b.title, b.authors, b.source_record, b.title_parts, b.author_parts, b.title_score,
        b.author_score, b.isbn_score, b.confidence, b.rejection,
        case when b.place = c.best_place then 1 when b.place < c.best_place then b.place + 1 else b.place end,
        case when b.place = any(c.same_places) then row_number() over (
            partition by b.queue_id, b.provider, b.place = any(c.same_places) order by b.place = c.best_place desc, b.place
        )::integer end,
        c.rival_places is not null, coalesce(b.place = any(c.rival_places), false), c.agreement, b."values"
    from unnest(choose_books.books) as b
    left join enrichment.weigh_rivals(choose_books.books) as c on c.queue_id = b.queue_id
$$;

create or replace function enrichment.offer_values(books enrichment.scored_book[])
returns setof enrichment.offered_value
language sql stable set search_path = ''
as $$
    select distinct on (b.queue_id, v.key, case when b.is_rival then b.place end)
        b.queue_id, v.key, v.value, b.provider, b.work_key, b.source_record, b.confidence,
        case
            when b.is_contested then false
            when v.key = 'work.cover_url' then s.auto_apply_covers and b.confidence >= 'medium'
            else s.auto_apply_metadata and b.confidence = 'high'
        end,
        b.is_rival
    from unnest(offer_values.books) as b
    join public.enrichment_queue as q on q.id = b.queue_id
    join enrichment.wanted_fields(array(select scored.queue_id from unnest(offer_values.books) as scored)) as gaps
        on gaps.queue_id = b.queue_id
    cross join enrichment.settings as s
    cross join lateral jsonb_each_text(b."values") as v
    where (b.is_rival or (b.place_at_provider = 1 and (b.confidence >= 'medium' or (b.confidence = 'low' and b.place = 1))))
        and v.key = any(gaps.fields)
        and not exists (
            select 1 from enrichment.filled_fields as f
            where f.entity_id = case when v.key like 'work.%' then q.work_id else q.edition_id end
                and f.field = v.key and f.provider = b.provider and f.candidate_key = b.work_key
        )
    order by b.queue_id, v.key, case when b.is_rival then b.place end, b.place
$$;

create or replace function enrichment.json_key(value jsonb)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return case
        when jsonb_typeof(json_key.value) = 'string' and json_key.value #>> '{}' ~ '^[!-;=?-~]{1,64}$' then json_key.value #>> '{}'
    end;
end
$$;

comment on function enrichment.read_record(text, text, jsonb) is
'The candidates in one raw reply, by the parser of its provider, enrichment.read_<provider>(entity_type, raw): the host''s records (work, edition) and our own look-ups (isbn_lookup, title_lookup). Zero rows for a miss or a shape nobody knows.';

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

create or replace function enrichment.reserve_provider_calls_impl(provider text, calls integer)
returns setof enrichment.reservation
language plpgsql security definer set search_path = ''
as $$
declare
    bucket enrichment.providers;
    asked_at timestamptz;
    state enrichment.provider_states;
    today date;
    filled numeric;
    answer enrichment.reservation;
begin
    if reserve_provider_calls_impl.calls is null or reserve_provider_calls_impl.calls < 1 then
        perform enrichment.refuse('PT422', 'calls must be at least 1', 'ask for as many calls as you will make within 2 seconds');
    end if;
    select * into bucket from enrichment.providers as p where p.provider = reserve_provider_calls_impl.provider for update;
    if not found then
        perform enrichment.refuse('PT404', format('no provider %s', reserve_provider_calls_impl.provider), 'see enrichment.providers');
    end if;
    select * into state from enrichment.provider_states as s where s.provider = bucket.provider;
    asked_at := greatest(clock_timestamp(), bucket.refilled_at);
    today := (asked_at at time zone bucket.reset_time_zone)::date;
    filled := least(bucket.burst_size, bucket.tokens + bucket.rate_per_second * extract(epoch from asked_at - bucket.refilled_at));

    if state.wait_reason <> 'rate' then
        answer := row(
            0, case when isfinite(state.available_at) then extract(epoch from state.available_at - clock_timestamp()) end, state.wait_reason
        );
    elsif filled < 1 then
        answer := row(0, round((1 - filled) / bucket.rate_per_second, 3) + 0.001, 'rate');
    else
        answer := row(
            least(
                reserve_provider_calls_impl.calls, floor(filled)::integer,
                case when bucket.open_until is not null then 1 end,
                bucket.daily_limit - bucket.daily_reserve - case when bucket.used_on = today then bucket.used_today else 0 end
            ),
            0::numeric, null::text
        );
    end if;

    update enrichment.providers as p
    set tokens = filled - answer.granted,
        refilled_at = asked_at,
        used_on = today,
        used_today = case when bucket.used_on = today then bucket.used_today else 0 end + answer.granted,
        probe_until = case
            when answer.granted > 0 and bucket.open_until is not null
                then clock_timestamp() + make_interval(secs => bucket.cooldown_seconds)
            else bucket.probe_until
        end
    where p.provider = bucket.provider;
    return next answer;
end
$$;

create or replace function enrichment.report_provider_calls_impl(
    provider text, succeeded integer, failed integer, last_error text, retry_after numeric, reason text
)
returns setof enrichment.provider_report
language plpgsql security definer set search_path = ''
as $$
begin
    return query
    update enrichment.providers as p
    set failures = case
            when report_provider_calls_impl.failed > 0 then p.failures + report_provider_calls_impl.failed
            when report_provider_calls_impl.succeeded > 0 then 0
            else p.failures
        end,
        open_until = case
            when report_provider_calls_impl.failed > 0
                and (p.open_until is not null or p.failures + report_provider_calls_impl.failed >= p.breaker_threshold)
                then clock_timestamp() + make_interval(secs => p.cooldown_seconds)
            when report_provider_calls_impl.succeeded > 0 and p.open_until <= clock_timestamp() then null
            else p.open_until
        end,
        probe_until = null,
        retry_at = case
            when report_provider_calls_impl.retry_after is not null
                then clock_timestamp() + make_interval(secs => least(report_provider_calls_impl.retry_after, 86400)::double precision)
            when report_provider_calls_impl.reason = 'daily'
                then date_trunc('day', clock_timestamp() at time zone p.reset_time_zone + interval '1 day') at time zone p.reset_time_zone
            when report_provider_calls_impl.reason is not null then clock_timestamp() + interval '1 hour'
            when report_provider_calls_impl.succeeded > 0 and p.retry_at <= clock_timestamp() then null
            else p.retry_at
        end,
        paused_reason = case
            when report_provider_calls_impl.reason is not null then report_provider_calls_impl.reason
            when report_provider_calls_impl.retry_after is not null then 'retry_after'
            when report_provider_calls_impl.succeeded > 0 and p.retry_at <= clock_timestamp() then null
            else p.paused_reason
        end,
        last_error = case
            when report_provider_calls_impl.last_error is not null then left(report_provider_calls_impl.last_error, 500) else p.last_error
        end
    where p.provider = report_provider_calls_impl.provider
    returning p.provider, p.failures, p.open_until, p.retry_at, p.paused_reason;
    if not found then
        perform enrichment.refuse('PT404', format('no provider %s', report_provider_calls_impl.provider), 'see enrichment.providers');
    end if;
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

create or replace function enrichment.oldest_answers()
returns enrichment.oldest_answers
language sql stable set search_path = ''
as $$
    select now() - make_interval(days => s.record_valid_days), now() - make_interval(days => s.miss_valid_days)
    from enrichment.settings as s
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

comment on type enrichment.queue_status is 'State of a queue row; the transitions between states are kept by enrichment.refuse_missing_transition().';

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
                from jsonb_array_elements(case when jsonb_typeof(lookups) = 'array' then lookups else '[]' end)
                    with ordinality as l (value, place)
                cross join lateral (
                    select case
                        when not exists (select 1 from enrichment.providers as p where p.provider = l.value ->> 'provider')
                            then 'unknown provider'
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

create or replace function enrichment.backoff_delay(attempt_count integer)
returns interval
language sql stable set search_path = ''
as $$
    select make_interval(secs => least(
        s.backoff_base_seconds * 2.0 ^ (greatest(backoff_delay.attempt_count, 1) - 1), s.backoff_max_seconds
    ))
    from enrichment.settings as s
$$;

create or replace function enrichment.postpone_unservable(queue_ids uuid[])
returns void
language sql set search_path = ''
as $$
    update public.enrichment_queue as q
    set next_attempt_after = waiting.until, wait_reason = waiting.reason, updated_at = now()
    from (
        select
            due.id,
            case
                when is_switched_off then 'infinity'
                -- One after the other, as the calls come back, or a thousand rows would be put off again for each call.
                when n.wait_reason = 'rate' then n.available_at + least(
                    make_interval(secs => (
                        (row_number() over (partition by n.provider order by due.priority, due.id) - 1) / p.rate_per_second
                    )::double precision),
                    interval '1 hour'
                )
                else n.available_at
            end as until,
            case when is_switched_off then 'auto_disabled' else n.wait_reason end as reason
        from public.enrichment_queue as due
        cross join enrichment.settings as s
        cross join lateral (select not s.auto_enabled and due.trigger_source <> 'manual_bulk') as switch (is_switched_off)
        left join enrichment.needed_lookups(postpone_unservable.queue_ids) as n on n.queue_id = due.id
        left join enrichment.providers as p on p.provider = n.provider
        where due.id = any(postpone_unservable.queue_ids)
    ) as waiting
    where q.id = waiting.id and waiting.reason is not null
$$;

create or replace function enrichment.claim_enrichment_impl(worker_name text, batch_size integer)
returns setof enrichment.claimed_row
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    batch integer := coalesce(claim_enrichment_impl.batch_size, (select s.batch_size from enrichment.settings as s));
    due_ids uuid[];
    servable_ids uuid[];
begin
    if batch not between 1 and 1000 then
        perform enrichment.refuse('PT422', format('batch_size %s is not between 1 and 1,000', batch), 'ten is the default');
    end if;

    -- Rows that must wait are put off by the thousand, so that one claim finds what can be served behind them.
    loop
        due_ids := enrichment.lock_due_rows(case when due_ids is null then batch else 1000 end);
        exit when due_ids is null;
        perform enrichment.postpone_unservable(due_ids);
        select array_agg(q.id order by array_position(due_ids, q.id)) into servable_ids
        from public.enrichment_queue as q
        where q.id = any(due_ids) and q.next_attempt_after <= now();
        exit when servable_ids is not null;
    end loop;

    return query
    with claimed as (
        update public.enrichment_queue as q
        set status = 'in_progress', started_at = now(), attempt_count = q.attempt_count + 1, wait_reason = null,
            claim_token = gen_random_uuid(), claimed_by = left(claim_enrichment_impl.worker_name, 200), updated_at = now()
        where q.id = any(servable_ids[1:batch])
        returning q.*
    )

    select
        c.id, c.claim_token, c.work_id, c.edition_id, w.title, w.author_names, c.attempt_count::integer,
        case
            when n.queue_id is null then '[]'
            else jsonb_build_array(jsonb_build_object(
                'provider', n.provider, 'kind', n.kind, 'key', n.key, 'title', n.title, 'author', n.author
            ))
        end
    from claimed as c
    join enrichment.parsed_works as w on w.work_id = c.work_id
    left join enrichment.needed_lookups(servable_ids[1:batch]) as n on n.queue_id = c.id
    order by array_position(servable_ids, c.id);
end
$$;

comment on type enrichment.enqueue_outcome is 'What became of one work that was to be queued.';

comment on column enrichment.enqueue_outcome.outcome is
'enqueued, already_open (now with the higher priority), in_review, complete (nothing is missing), known_miss (nothing new can be learnt) or unknown.';

comment on column enrichment.enqueue_outcome.queue_id is 'Null: the work has no row in line or in review.';

create function enrichment.add_rows(
    work_ids uuid[], edition_ids uuid[], trigger_source enrichment.trigger_source, triggered_by uuid, priority integer, import_id uuid,
    waits_for_switch boolean
)
returns uuid[]
language plpgsql set search_path = ''
as $$
declare
    -- Lists go by id: rows stand there in the order in which their works were named, whatever order they are written in.
    minted uuid[] := array(select enrichment.uuid_v7() as id from unnest(add_rows.work_ids) order by id);
    new_ids uuid[];
begin
    with asked as (
        select distinct on (a.work_id) a.work_id, coalesce(a.edition_id, c.edition_id) as edition_id, a.place
        from unnest(add_rows.work_ids, add_rows.edition_ids) with ordinality as a (work_id, edition_id, place)
        left join enrichment.choose_editions(add_rows.work_ids, add_rows.triggered_by) as c on c.work_id = a.work_id
        order by a.work_id, a.edition_id
    ),

    inserted as (
        insert into public.enrichment_queue as q (
            id, work_id, edition_id, triggered_by, import_id, trigger_source, priority, max_attempts, next_attempt_after, wait_reason,
            scored_at
        )
        select
            minted[asked.place], w.id, asked.edition_id, add_rows.triggered_by, add_rows.import_id, add_rows.trigger_source,
            add_rows.priority, (select s.max_attempts from enrichment.settings as s),
            case when add_rows.waits_for_switch then 'infinity' else now() end,
            case when add_rows.waits_for_switch then 'auto_disabled' else 'queued' end as wait_reason,
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
    return new_ids;
end
$$;

comment on function enrichment.add_rows(uuid[], uuid[], enrichment.trigger_source, uuid, integer, uuid, boolean) is
'Makes a row for each of these works that has none open or in review, and answers the ids of the new ones.';

create function enrichment.complete_rows(queue_ids uuid[])
returns uuid[]
language plpgsql stable set search_path = ''
as $$
begin
    return array(
        select id
        from unnest(complete_rows.queue_ids) as id
        where id not in (select gaps.queue_id from enrichment.wanted_fields(complete_rows.queue_ids) as gaps)
    );
end
$$;

comment on function enrichment.complete_rows(uuid[]) is 'Those of these queue rows whose works and editions have no gap.';

create function enrichment.known_misses(queue_ids uuid[])
returns uuid[]
language plpgsql stable set search_path = ''
as $$
begin
    return array(
        select q.id
        from public.enrichment_queue as q
        where q.id = any(known_misses.queue_ids)
            and q.id not in (select n.queue_id from enrichment.needed_lookups(known_misses.queue_ids) as n)
            and q.id not in (
                select r.queue_id
                from enrichment.queue_records(known_misses.queue_ids) as r
                where r.fetched_at > coalesce(r.scored_at, '-infinity') and not r.is_miss
            )
    );
end
$$;

comment on function enrichment.known_misses(uuid[]) is
'Those of these queue rows that nobody is left to be asked about, and about which no reply says anything that was not weighed before.';

create function enrichment.hurry_open_rows(
    work_ids uuid[], new_ids uuid[], trigger_source enrichment.trigger_source, triggered_by uuid, priority integer, waits_for_switch boolean
)
returns void
language plpgsql set search_path = ''
as $$
begin
    with open_rows as (
        select q.id
        from public.enrichment_queue as q
        where q.work_id = any(hurry_open_rows.work_ids) and q.is_open and q.id <> all(hurry_open_rows.new_ids) and (
            q.priority > hurry_open_rows.priority
            or (q.wait_reason = 'auto_disabled' and hurry_open_rows.trigger_source = 'manual_bulk')
        )
        order by q.id
        for update skip locked
    )

    update public.enrichment_queue as q
    set priority = least(q.priority, hurry_open_rows.priority),
        trigger_source = case when hurry_open_rows.trigger_source = 'manual_bulk' then 'manual_bulk' else q.trigger_source end,
        triggered_by = coalesce(q.triggered_by, hurry_open_rows.triggered_by),
        wait_reason = case
            when q.wait_reason = 'auto_disabled' and not hurry_open_rows.waits_for_switch then 'queued' else q.wait_reason
        end,
        next_attempt_after = case
            when q.wait_reason = 'auto_disabled' and not hurry_open_rows.waits_for_switch then now() else q.next_attempt_after
        end,
        updated_at = now()
    from open_rows
    where q.id = open_rows.id;
    if found then
        perform pg_notify('enrichment', 'queued');
    end if;
end
$$;

comment on function enrichment.hurry_open_rows(uuid[], uuid[], enrichment.trigger_source, uuid, integer, boolean) is
'Open rows of these works, but for the new ones, that are asked for again: they become as urgent as the wish, and no longer wait for the switch where a person asks. Never waits for a row somebody works on, whose priority no longer matters.';

create or replace function enrichment.enqueue_works(
    work_ids uuid[], edition_ids uuid[], trigger_source enrichment.trigger_source, triggered_by uuid, priority integer, import_id uuid
)
returns setof enrichment.enqueue_outcome
language plpgsql set search_path = ''
as $$
declare
    waits_for_switch boolean := enqueue_works.trigger_source <> 'manual_bulk'
        and not (select s.auto_enabled from enrichment.settings as s);
    new_ids uuid[];
    complete_ids uuid[];
    known_miss_ids uuid[];
begin
    perform enrichment.refresh_parsed_works(coalesce(enqueue_works.work_ids, '{}'));
    new_ids := enrichment.add_rows(
        enqueue_works.work_ids, enqueue_works.edition_ids, enqueue_works.trigger_source, enqueue_works.triggered_by, enqueue_works.priority,
        enqueue_works.import_id, waits_for_switch
    );
    complete_ids := enrichment.complete_rows(new_ids);
    known_miss_ids := enrichment.known_misses(array(select id from unnest(new_ids) as id where id <> all(complete_ids)));
    perform enrichment.hurry_open_rows(
        enqueue_works.work_ids, new_ids, enqueue_works.trigger_source, enqueue_works.triggered_by, enqueue_works.priority, waits_for_switch
    );

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

comment on function enrichment.enqueue_works(uuid[], uuid[], enrichment.trigger_source, uuid, integer, uuid) is
'Queues works, with an edition each where the caller knows it. Rows are inserted first and weighed by the same functions as everywhere; those that could learn nothing are taken back before anyone sees them.';

create or replace function enrichment.enqueue_enrichment_impl(work_ids uuid[], trigger_source text, triggered_by uuid, priority integer)
returns setof enrichment.enqueue_outcome
language plpgsql security definer set search_path = '' set jit = off
as $$
begin
    perform enrichment.refuse_long_list(cardinality(enqueue_enrichment_impl.work_ids));
    if enqueue_enrichment_impl.trigger_source is null
        or enqueue_enrichment_impl.trigger_source <> all(enum_range(null::enrichment.trigger_source)::text[]) then
        perform enrichment.refuse(
            'PT422', format('unknown trigger_source %s', enqueue_enrichment_impl.trigger_source),
            'use post_import, manual_bulk or scheduled'
        );
    end if;
    if enqueue_enrichment_impl.priority not between 0 and 1000 then
        perform enrichment.refuse('PT422', 'priority must be between 0 and 1000', 'lower goes first: 50 for a person, 100 for an import');
    end if;
    if enqueue_enrichment_impl.triggered_by is not null
        and not exists (select 1 from public.users as u where u.id = enqueue_enrichment_impl.triggered_by) then
        perform enrichment.refuse(
            'PT404', format('no user %s', enqueue_enrichment_impl.triggered_by), 'triggered_by is an id of public.users, or null'
        );
    end if;
    return query
    select * from enrichment.enqueue_works(
        enqueue_enrichment_impl.work_ids, null, enqueue_enrichment_impl.trigger_source::enrichment.trigger_source,
        enqueue_enrichment_impl.triggered_by,
        coalesce(enqueue_enrichment_impl.priority, case when enqueue_enrichment_impl.trigger_source = 'manual_bulk' then 50 else 100 end),
        null
    );
end
$$;

comment on type enrichment.queue_record is 'A stored reply that speaks about a queue row.';

comment on type enrichment.row_gaps is 'The fields that a queue row wants filled.';

comment on type enrichment.possible_lookup is 'A look-up that could fill gaps of a queue row, and whether its provider may be called.';

comment on type enrichment.needed_lookup is 'The look-up that a queue row needs next.';

create or replace function enrichment.queue_records(queue_ids uuid[])
returns setof enrichment.queue_record
language plpgsql stable set search_path = ''
as $$
declare
    oldest enrichment.oldest_answers := enrichment.oldest_answers();
begin
    return query
    select
        path.queue_id, path.is_open, path.scored_at, s.provider::text, s.entity_type::text, s.provider_id::text, s.fetched_at,
        s.raw ? 'no_match'
    from (
        select q.id as queue_id, q.is_open, q.scored_at, x.provider, x.entity_type, x.provider_id
        from public.enrichment_queue as q
        join public.external_ids as x on x.entity_type = 'work' and x.entity_id = q.work_id
        where q.id = any(queue_records.queue_ids)
        union all
        select q.id, q.is_open, q.scored_at, x.provider, x.entity_type, x.provider_id
        from public.enrichment_queue as q
        join public.external_ids as x on x.entity_type = 'edition' and x.entity_id = q.edition_id
        where q.id = any(queue_records.queue_ids)
        union all
        select q.id, q.is_open, q.scored_at, p.provider, 'isbn_lookup', isbn
        from public.enrichment_queue as q
        join public.editions as e on e.id = q.edition_id
        cross join lateral enrichment.isbn_key(coalesce(nullif(e.isbn13, ''), e.isbn10)) as isbn
        join enrichment.providers as p on p.fills <> '{}'
        where q.id = any(queue_records.queue_ids) and isbn is not null
        union all
        select q.id, q.is_open, q.scored_at, p.provider, 'title_lookup', w.lookup_key
        from public.enrichment_queue as q
        join enrichment.parsed_works as w on w.work_id = q.work_id
        join enrichment.providers as p on p.fills <> '{}'
        where q.id = any(queue_records.queue_ids)
    ) as path
    -- By its whole key, row by row: without statistics a join looked through every reply of a provider for each row, 6 s for 1,000.
    cross join lateral (
        select known.* from public.source_records as known
        where known.provider = path.provider and known.entity_type = path.entity_type and known.provider_id = path.provider_id
            and enrichment.still_answers(known.fetched_at, known.raw, oldest)
        limit 1
    ) as s;
end
$$;

comment on type enrichment.row_state is 'Where a queue row stands whose claim ended without an answer.';

comment on column enrichment.row_state.attempt_count is 'Attempts that are spent.';

comment on column enrichment.row_state.next_attempt_after is 'When it may be claimed again. Null, in SQL infinity: once a setting changes.';

comment on column enrichment.row_state.wait_reason is 'Why it waits. Null: it has failed.';

comment on column enrichment.row_state.last_error is 'Null: it met none.';

create or replace function enrichment.spend_attempts(queue_ids uuid[], error text, wait_reason text)
returns setof enrichment.row_state
language sql set search_path = ''
as $$
    with spent as (
        update public.enrichment_queue as q
        set status = case when q.attempt_count >= q.max_attempts then 'failed' else 'pending' end::enrichment.queue_status,
            finished_at = case when q.attempt_count >= q.max_attempts then now() end,
            wait_reason = case when q.attempt_count < q.max_attempts then spend_attempts.wait_reason end,
            next_attempt_after = now() + enrichment.backoff_delay(q.attempt_count),
            last_error = left(spend_attempts.error, 2000), claim_token = null, updated_at = now()
        where q.id = any(spend_attempts.queue_ids)
        returning q.*
    ),

    logged as (
        insert into public.enrichment_audit_log (enrichment_queue_id, work_id, edition_id, import_id, action, confidence, match_details)
        select f.id, f.work_id, f.edition_id, f.import_id, 'failed', f.confidence, jsonb_build_object('error', f.last_error)
        from spent as f
        where f.status = 'failed'
    ),

    failed_works as (
        select w.id
        from public.works as w
        where w.id in (select f.work_id from spent as f where f.status = 'failed')
        order by w.id
        for no key update
    ),

    marked as (
        update public.works as w set enrichment_status = 'failed', last_enriched_at = now() from failed_works where w.id = failed_works.id
    )

    select s.id, s.status, s.attempt_count::integer, s.next_attempt_after, s.wait_reason, s.last_error from spent as s order by s.id
$$;

create or replace function enrichment.release_enrichment_impl(queue_id uuid, claim_token uuid, reason text, retry_at timestamptz)
returns setof enrichment.row_state
language plpgsql security definer set search_path = ''
as $$
begin
    if coalesce(release_enrichment_impl.reason, '') = '' then
        perform enrichment.refuse(
            'PT422', 'a released row needs a reason', 'say why it waits: rate, daily, breaker, unreachable, stopped …'
        );
    end if;
    return query
    update public.enrichment_queue as q
    set status = 'pending', attempt_count = q.attempt_count - 1, wait_reason = left(release_enrichment_impl.reason, 200),
        next_attempt_after = coalesce(release_enrichment_impl.retry_at, now()), claim_token = null, updated_at = now()
    where q.id = release_enrichment_impl.queue_id and q.status = 'in_progress' and q.claim_token = release_enrichment_impl.claim_token
    returning q.id, q.status, q.attempt_count::integer, q.next_attempt_after, q.wait_reason, q.last_error;
    if not found then
        perform enrichment.refuse_lost_claim(release_enrichment_impl.queue_id);
    end if;
end
$$;

comment on type enrichment.resolution is 'A queue row that stored replies have decided.';

comment on column enrichment.resolution.confidence is 'Of the best candidate. Null: none was weighed.';

comment on column enrichment.resolution.fields_applied is 'Fields that were filled.';

comment on column enrichment.resolution.wait_reason is 'What it waits for. Null: it has ended or is in review.';

comment on column enrichment.resolution.last_error is 'Null: it met none.';

create function enrichment.refuse_missing_transition()
returns trigger
language plpgsql set search_path = ''
as $$
begin
    if tg_op = 'INSERT' then
        perform enrichment.refuse(
            'PT409', format('a queue row for work %s cannot start as %s', new.work_id, new.status),
            'insert it as pending, or call enqueue_enrichment()'
        );
    elsif (old.status, new.status) not in (
        ('pending', 'in_progress'), ('in_progress', 'pending'), ('in_progress', 'completed'), ('in_progress', 'needs_review'),
        ('in_progress', 'skipped'), ('in_progress', 'failed'), ('needs_review', 'completed'), ('needs_review', 'skipped')
    ) then
        perform enrichment.refuse(
            'PT409', format('queue row %s cannot go from %s to %s', old.id, old.status, new.status),
            case when old.finished_at is null then 'claim it first' else 'a closed row stays closed; enqueue the work again' end
        );
    end if;
    return new;
end
$$;

comment on function enrichment.refuse_missing_transition() is 'The state diagram: rows start as pending and move only along these eight transitions.';

create trigger queue_rows_start_as_pending before insert on public.enrichment_queue
for each row when (new.status <> 'pending') execute function enrichment.refuse_missing_transition();

create trigger queue_rows_follow_transitions before update of status on public.enrichment_queue
for each row when (old.status <> new.status) execute function enrichment.refuse_missing_transition();

create or replace function enrichment.describe_candidates(books enrichment.scored_book[], offers enrichment.offered_value[])
returns table (queue_id uuid, details jsonb)
language sql stable set search_path = ''
as $$
    -- Materialized, or explain_match would run once per mention.
    with explained as materialized (
        select
            b.queue_id, b.provider, b.work_key, b.title, b.authors, b.source_record, b.title_score, b.author_score, b.isbn_score,
            b.confidence,
            b.place, b.is_contested, b.is_rival, b.agreement, b."values" ->> 'work.cover_url' as cover_url,
            b.provider || ':' || b.work_key as candidate,
            enrichment.explain_match(w.title_parts, b.title_parts, w.author_parts, b.author_parts, b.isbn_score) as match
        from unnest(describe_candidates.books) as b
        join public.enrichment_queue as q on q.id = b.queue_id
        join enrichment.parsed_works as w on w.work_id = q.work_id
        where b.place <= 5 or b.is_rival
    ),

    -- The best one's description stands among the proposals already.
    choices as (
        select o.queue_id, o.provider, o.work_key, jsonb_object_agg(o.field, o.value) as "values"
        from unnest(describe_candidates.offers) as o
        where o.is_alternative or o.field <> 'work.description'
        group by o.queue_id, o.provider, o.work_key
    )

    select
        e.queue_id,
        jsonb_strip_nulls(jsonb_build_object(
            'sentence', (array_agg((e.match ->> 'sentence') || enrichment.explain_choice(e.is_contested, e.agreement) order by e.place))[1],
            'candidates', jsonb_agg(jsonb_build_object(
                'candidate', e.candidate, 'provider', e.provider, 'work_key', e.work_key, 'title', e.title, 'authors', e.authors,
                'title_score', e.title_score, 'author_score', e.author_score, 'isbn_score', e.isbn_score, 'confidence', e.confidence,
                'sentence', e.match -> 'sentence',
                'parts', case when e.place = 1 or e.confidence >= 'low' then enrichment.compact_parts(e.match -> 'parts') end,
                'source_record', e.source_record, 'source_url', enrichment.source_url(e.provider, e.work_key), 'cover_url', e.cover_url,
                'values', case when e.is_rival or (e.is_contested and e.place = 1) then c."values" end
            ) order by e.place),
            'rivals', jsonb_agg(e.candidate order by e.place) filter (where e.is_rival or (e.is_contested and e.place = 1)),
            'agreement', (array_agg(to_jsonb(e.agreement)))[1]
        ))
    from explained as e
    left join choices as c on c.queue_id = e.queue_id and c.provider = e.provider and c.work_key = e.work_key
    group by e.queue_id
$$;

create function enrichment.offers_by_row(offers enrichment.offered_value[])
returns table (queue_id uuid, fields text[], applied text[], proposals jsonb, has_alternatives boolean)
language sql immutable set search_path = ''
as $$
    select
        o.queue_id,
        array_agg(o.field order by o.field) filter (where not o.is_alternative),
        array_agg(o.field order by o.field) filter (where o.is_applied),
        jsonb_object_agg(o.field, jsonb_build_object(
            'value', o.value, 'provider', o.provider, 'work_key', o.work_key, 'candidate', o.provider || ':' || o.work_key,
            'source_record', o.source_record, 'confidence', o.confidence
        )) filter (where not o.is_applied and not o.is_alternative),
        bool_or(o.is_alternative)
    from unnest(offers_by_row.offers) as o
    group by o.queue_id
$$;

comment on function enrichment.offers_by_row(enrichment.offered_value[]) is
'What is offered for each row: which fields, which of them are applied, the others as proposals, and whether rivals offer something.';

create function enrichment.lookups_to_come(queue_ids uuid[], offers enrichment.offered_value[])
returns table (queue_id uuid, next_lookup enrichment.possible_lookup, not_asked jsonb)
language sql stable set search_path = ''
as $$
    with useful as (
        select l as lookup, l.queue_id, l."position", l.is_given_up, l.provider, l.wait_reason
        from enrichment.possible_lookups(lookups_to_come.queue_ids) as l
        join enrichment.wanted_fields(lookups_to_come.queue_ids) as gaps on gaps.queue_id = l.queue_id
        left join enrichment.offers_by_row(lookups_to_come.offers) as o on o.queue_id = l.queue_id
        where exists (
            select 1 from unnest(gaps.fields) as field where field = any(l.fills) and field <> all(coalesce(o.fields, '{}'))
        )
    )

    select
        u.queue_id, (array_agg(u.lookup order by u."position") filter (where not u.is_given_up))[1],
        jsonb_object_agg(u.provider, u.wait_reason) filter (where u.is_given_up)
    from useful as u
    group by u.queue_id
$$;

comment on function enrichment.lookups_to_come(uuid[], enrichment.offered_value[]) is
'Of the look-ups that could fill a gap nothing is offered for: each row''s next, and the providers it does without, with the reason.';

create or replace function enrichment.reach_verdicts(queue_ids uuid[], books enrichment.scored_book[], offers enrichment.offered_value[])
returns setof enrichment.verdict
language sql stable set search_path = ''
as $$
    with best as (
        select b.queue_id, b.confidence from unnest(reach_verdicts.books) as b where b.place = 1
    ),

    records as (
        select r.queue_id, array_agg(distinct r.provider) as providers
        from enrichment.queue_records(reach_verdicts.queue_ids) as r
        group by r.queue_id
    )

    select
        q.id,
        case
            when asked.provider is not null then 'pending'
            when o.proposals is not null or o.has_alternatives then 'needs_review'
            when coalesce(best.confidence, 'none') >= 'medium' or q.fields_applied <> '{}' then 'completed'
            else 'skipped'
        end::enrichment.queue_status,
        coalesce(best.confidence, 'none'), coalesce(o.applied, '{}'),
        case when asked.provider is not null then coalesce(asked.wait_reason, 'next_lookup') end,
        case when asked.wait_reason is not null then asked.available_at else now() end,
        case
            when d.details is not null then d.details
            when asked.provider is null then '{"sentence": "no provider knows this book"}'
            else '{}'
        end
        || jsonb_strip_nulls(jsonb_build_object(
            'proposals', o.proposals, 'not_asked', case when asked.provider is null then l.not_asked end
        )),
        r.providers,
        case when asked.provider is not null then jsonb_build_object(
            'provider', asked.provider, 'kind', asked.kind, 'key', asked.key, 'title', asked.title, 'author', asked.author
        ) end
    from public.enrichment_queue as q
    left join enrichment.offers_by_row(reach_verdicts.offers) as o on o.queue_id = q.id
    left join best on best.queue_id = q.id
    left join enrichment.describe_candidates(reach_verdicts.books, reach_verdicts.offers) as d on d.queue_id = q.id
    left join enrichment.lookups_to_come(reach_verdicts.queue_ids, reach_verdicts.offers) as l on l.queue_id = q.id
    left join records as r on r.queue_id = q.id
    cross join lateral (select (l.next_lookup).*) as asked
    where q.id = any(reach_verdicts.queue_ids)
$$;

create or replace function enrichment.resolve_claimed(queue_ids uuid[])
returns setof enrichment.resolution
language plpgsql set search_path = ''
as $$
declare
    this_id uuid;
begin
    return query select * from enrichment.resolve_rows(resolve_claimed.queue_ids);
exception
    when others then
        -- Nobody should get here; if somebody does, the one row that cannot be resolved must not take the batch with it.
        if cardinality(resolve_claimed.queue_ids) > 1 then
            foreach this_id in array resolve_claimed.queue_ids loop
                return query select * from enrichment.resolve_claimed(array[this_id]);
            end loop;
        elsif sqlstate in ('40P01', '55P03') then
            -- Two transactions stood in each other's way: no fault of this row, so no attempt.
            return query
            update public.enrichment_queue as q
            set status = 'pending', attempt_count = q.attempt_count - 1, wait_reason = 'backoff',
                next_attempt_after = now() + interval '5 seconds',
                last_error = sqlstate || ': ' || sqlerrm, claim_token = null, updated_at = now()
            where q.id = resolve_claimed.queue_ids[1]
            returning q.id, q.work_id, q.status, q.confidence, '{}'::text[], q.wait_reason, q.last_error;
        else
            return query
            select s.queue_id, q.work_id, s.status, q.confidence, '{}'::text[], s.wait_reason, s.last_error
            from enrichment.spend_attempts(resolve_claimed.queue_ids, sqlstate || ': ' || sqlerrm, 'backoff') as s
            join public.enrichment_queue as q on q.id = s.queue_id;
        end if;
end
$$;

create or replace function enrichment.wake_waiting_rows()
returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    with waiting as (
        select q.id
        from public.enrichment_queue as q
        where q.is_open and q.status = 'pending' and (
            (new.auto_enabled <> old.auto_enabled and q.trigger_source <> 'manual_bulk')
            or (
                (new.contact is distinct from old.contact or new.provider_keys <> old.provider_keys)
                and q.wait_reason in ('no_contact', 'no_key', 'bad_key', 'quota_zero', 'identify')
            )
            or (
                new.finish_without_budget and not old.finish_without_budget
                and q.wait_reason in ('daily', 'quota_zero', 'bad_key', 'no_key', 'unknown_location', 'retry_after')
            )
        )
        order by q.id
        for update
    )

    update public.enrichment_queue as q
    set next_attempt_after = case when new.auto_enabled or q.trigger_source = 'manual_bulk' then now() else 'infinity' end,
        wait_reason = case when new.auto_enabled or q.trigger_source = 'manual_bulk' then 'queued' else 'auto_disabled' end,
        updated_at = now()
    from waiting
    where q.id = waiting.id;
    if found then
        perform pg_notify('enrichment', 'woken');
    end if;
    return null;
end
$$;

comment on type enrichment.matching_outcome is 'What a decision about all rows of a kind did, or would do.';

comment on column enrichment.matching_outcome.matched is 'Rows in review that the filter finds.';

comment on column enrichment.matching_outcome.changed is 'Rows that were decided.';

comment on column enrichment.matching_outcome.skipped is 'Rows that somebody else took meanwhile, or that were refused alone.';

comment on column enrichment.matching_outcome.fields is 'How many values per field: {"work.description": 31}.';

comment on column enrichment.matching_outcome.remaining is
'Left for the next call, after a dry run all of them: call again while changed is more than 0.';

create or replace function enrichment.approve_matching_impl(
    confidence text, provider text, sentence text, import_id uuid, fields text[], is_dry_run boolean
)
returns setof enrichment.matching_outcome
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    matching uuid[] := enrichment.matching_reviews(
        approve_matching_impl.confidence, approve_matching_impl.provider, approve_matching_impl.sentence, approve_matching_impl.import_id,
        approve_matching_impl.fields, false
    );
    held uuid[];
    approved integer := 0;
    refused integer := 0;
    skipped integer;
    written text[] := array[]::text[];
    decided enrichment.review_outcome;
    this_id uuid;
begin
    if coalesce(approve_matching_impl.is_dry_run, true) then
        return query
        select true, cardinality(matching), 0, 0, enrichment.counted_fields(matching, approve_matching_impl.fields), cardinality(matching);
        return;
    end if;

    held := enrichment.lock_matching(matching[:1000]);
    foreach this_id in array held loop
        exit when clock_timestamp() > statement_timestamp() + interval '5 seconds';
        begin
            select o.* into strict decided
            from public.enrichment_queue as q
            cross join lateral public.approve_enrichment(q.id, (
                select array_agg(f.name) from jsonb_object_keys(q.match_details -> 'proposals') as f (name)
                where approve_matching_impl.fields is null or f.name = any(approve_matching_impl.fields)
            )) as o
            where q.id = this_id;
            approved := approved + 1;
            written := written || decided.fields_applied;
        exception
            when others then
                refused := refused + 1;
        end;
    end loop;
    skipped := least(cardinality(matching), 1000) - cardinality(held) + refused;

    return query
    select false, cardinality(matching), approved, skipped,
        (
            select coalesce(jsonb_object_agg(f.name, f.times), '{}')
            from (select w.name, count(*) from unnest(written) as w (name) group by w.name) as f (name, times)
        ),
        cardinality(matching) - approved - skipped;
end
$$;

create or replace function enrichment.dismiss_matching_impl(confidence text, provider text, sentence text, import_id uuid, is_dry_run boolean)
returns setof enrichment.matching_outcome
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    matching uuid[] := enrichment.matching_reviews(
        dismiss_matching_impl.confidence, dismiss_matching_impl.provider, dismiss_matching_impl.sentence,
        dismiss_matching_impl.import_id, null,
        true
    );
    held uuid[];
    dismissed integer := 0;
    refused integer := 0;
    skipped integer;
    this_id uuid;
begin
    if coalesce(dismiss_matching_impl.is_dry_run, true) then
        return query select true, cardinality(matching), 0, 0, enrichment.counted_fields(matching, null), cardinality(matching);
        return;
    end if;

    held := enrichment.lock_matching(matching[:1000]);
    foreach this_id in array held loop
        exit when clock_timestamp() > statement_timestamp() + interval '5 seconds';
        begin
            perform o.queue_id from public.dismiss_enrichment(this_id) as o;
            dismissed := dismissed + 1;
        exception
            when others then
                refused := refused + 1;
        end;
    end loop;
    skipped := least(cardinality(matching), 1000) - cardinality(held) + refused;

    return query
    select false, cardinality(matching), dismissed, skipped, '{}'::jsonb,
        cardinality(matching) - dismissed - skipped;
end
$$;

comment on type enrichment.review_outcome is 'What a person''s decision about a row wrote.';

comment on column enrichment.review_outcome.fields_applied is 'Fields that were filled.';

comment on column enrichment.review_outcome.fields_skipped is 'Ticked, but filled or locked meanwhile.';

create function enrichment.reject_candidates(reviewed public.enrichment_queue, candidates text[], is_dismissed boolean)
returns void
language sql set search_path = ''
as $$
    insert into enrichment.rejected_candidates (work_id, provider, candidate_key, is_dismissed, rejected_by)
    select distinct
        reviewed.work_id, split_part(candidate, ':', 1), substr(candidate, position(':' in candidate) + 1), reject_candidates.is_dismissed,
        enrichment.acting_reader()
    from unnest(reject_candidates.candidates) as candidate
    order by 1, 2, 3
    on conflict (work_id, provider, candidate_key) do update
    set is_dismissed = true, rejected_by = excluded.rejected_by, rejected_at = excluded.rejected_at
    where excluded.is_dismissed and not rejected_candidates.is_dismissed
$$;

comment on function enrichment.reject_candidates(public.enrichment_queue, text[], boolean) is
'Candidates of a row in review that are not proposed for its work again: dismissed as wrong, or passed over for another.';

create or replace function enrichment.approve_enrichment_impl(queue_id uuid, fields text[], candidate text)
returns setof enrichment.review_outcome
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    reviewed public.enrichment_queue := enrichment.lock_review(approve_enrichment_impl.queue_id);
    proposals jsonb := enrichment.proposals_of(reviewed.match_details, approve_enrichment_impl.candidate);
    ticked text[] := coalesce(approve_enrichment_impl.fields, (select array_agg(name) from jsonb_object_keys(proposals) as name), '{}');
    rivals text[] := array(select jsonb_array_elements_text(reviewed.match_details -> 'rivals'));
    offers enrichment.offered_value[];
    applied text[];
begin
    if proposals is null then
        perform enrichment.refuse(
            'PT422', format('queue row %s shows no candidate %s to choose', reviewed.id, approve_enrichment_impl.candidate),
            'name one of match_details.rivals, or send null for the best'
        );
    end if;
    if exists (select 1 from unnest(ticked) as t where (proposals ? t) is not true) then
        perform enrichment.refuse(
            'PT422', format('queue row %s proposes no %s', reviewed.id, (
                select coalesce(t, 'null') from unnest(ticked) as t where (proposals ? t) is not true limit 1
            )),
            'name fields of match_details.proposals, or of the candidate''s values; null for all'
        );
    end if;

    select
        array_agg(row(
            reviewed.id, p.key, p.value ->> 'value', p.value ->> 'provider', p.value ->> 'work_key', p.value -> 'source_record',
            (p.value ->> 'confidence')::enrichment.confidence, p.key = any(ticked) and p.key = any(gaps.fields), false
        )::enrichment.offered_value),
        coalesce(array_agg(p.key order by p.key) filter (where p.key = any(ticked) and p.key = any(gaps.fields)), '{}')
    into offers, applied
    from jsonb_each(proposals) as p
    left join enrichment.wanted_fields(array[reviewed.id]) as gaps on true;

    perform enrichment.write_values(offers, 'approved', enrichment.acting_reader());
    insert into enrichment.filled_fields (entity_id, field, provider, candidate_key)
    select case when o.field like 'work.%' then reviewed.work_id else reviewed.edition_id end, o.field, o.provider, o.work_key
    from unnest(offers) as o
    where not o.field = any(ticked) and (o.field like 'work.%' or reviewed.edition_id is not null)
    on conflict do nothing;
    perform enrichment.reject_candidates(reviewed, array_remove(rivals, coalesce(approve_enrichment_impl.candidate, rivals[1])), false);

    update public.enrichment_queue as q
    set status = 'completed', finished_at = now(), updated_at = now(), fields_applied = q.fields_applied || applied,
        cover_applied = q.cover_applied or 'work.cover_url' = any(applied)
    where q.id = reviewed.id;
    update public.works as w set enrichment_status = 'completed', last_enriched_at = now() where w.id = reviewed.work_id;

    return query
    select reviewed.id, 'completed'::enrichment.queue_status, applied,
        array(select unnest(ticked) except select unnest(applied) order by 1);
end
$$;

create or replace function enrichment.dismiss_enrichment_impl(queue_id uuid)
returns setof enrichment.review_outcome
language plpgsql security definer set search_path = ''
as $$
declare
    reviewed public.enrichment_queue := enrichment.lock_review(dismiss_enrichment_impl.queue_id);
    reader uuid := enrichment.acting_reader();
begin
    perform enrichment.reject_candidates(reviewed, array(
        select p.value ->> 'candidate' from jsonb_each(reviewed.match_details -> 'proposals') as p
        union
        select jsonb_array_elements_text(reviewed.match_details -> 'rivals')
    ), true);

    update public.enrichment_queue as q set status = 'skipped', finished_at = now(), updated_at = now() where q.id = reviewed.id;
    update public.works as w set enrichment_status = 'skipped', last_enriched_at = now() where w.id = reviewed.work_id;
    insert into public.enrichment_audit_log (enrichment_queue_id, work_id, edition_id, import_id, action, confidence, match_details, actor)
    values (
        reviewed.id, reviewed.work_id, reviewed.edition_id, reviewed.import_id, 'dismissed', reviewed.confidence, reviewed.match_details,
        reader
    );
    return query select reviewed.id, 'skipped'::enrichment.queue_status, '{}'::text[], '{}'::text[];
end
$$;

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

create or replace function enrichment.refuse_busy_works()
returns void
language plpgsql set search_path = ''
as $$
begin
    -- Looking takes the locks of the real thing, and in a crowd an import, a sweep and a preview waited for each other in a circle.
    -- Whoever only looks lets go first, before Postgres would pick one of them (deadlock_timeout, 1 s), looks again, and in the end
    -- says so.
    perform enrichment.refuse('PT409', 'these works are being worked on at this moment', 'ask again in a few seconds');
end
$$;

create or replace function enrichment.borrow_row(work_id uuid, reader uuid)
returns uuid
language plpgsql set search_path = ''
as $$
declare
    borrowed_id uuid;
begin
    insert into public.enrichment_queue (work_id, edition_id, triggered_by, trigger_source)
    select
        borrow_row.work_id,
        (select c.edition_id from enrichment.choose_editions(array[borrow_row.work_id], borrow_row.reader) as c),
        borrow_row.reader, 'manual_bulk'
    where not exists (select 1 from public.enrichment_queue as q where q.work_id = borrow_row.work_id and (q.is_open or q.is_in_review))
    on conflict do nothing;

    select q.id into borrowed_id
    from public.enrichment_queue as q
    where q.work_id = borrow_row.work_id and (q.is_open or q.is_in_review)
    order by q.is_open desc
    limit 1;
    return borrowed_id;
end
$$;

create function enrichment.preview_works(work_ids uuid[])
returns setof enrichment.preview
language plpgsql set search_path = ''
as $$
declare
    outcomes enrichment.enqueue_outcome[];
    open_ids uuid[];
    books enrichment.scored_book[];
    offers enrichment.offered_value[];
begin
    select array_agg(o) into outcomes
    from enrichment.enqueue_works(preview_works.work_ids, null, 'manual_bulk', enrichment.acting_reader(), 50, null) as o;
    select array_agg(o.queue_id) into open_ids from unnest(outcomes) as o where o.outcome in ('enqueued', 'already_open');
    perform enrichment.parse_records(open_ids);
    select array_agg(s) into books from enrichment.score_candidates(open_ids) as s;
    select array_agg(b) into books from enrichment.choose_books(books) as b;
    select array_agg(v) into offers from enrichment.offer_values(books) as v;

    return query
    select
        o.work_id, coalesce(v.status, q.status), coalesce(v.confidence, q.confidence),
        case o.outcome
            when 'complete' then 'nothing is missing'
            when 'known_miss' then 'nothing new can be learnt'
            else coalesce(v.match_details, q.match_details) ->> 'sentence'
        end,
        v.wait_reason, coalesce(offered."values", reviewed."values", '{}'),
        case when v.lookup is not null then jsonb_build_array(v.lookup) else '[]' end
    from unnest(outcomes) with ordinality as o (work_id, outcome, queue_id, place)
    left join enrichment.reach_verdicts(open_ids, books, offers) as v on v.queue_id = o.queue_id
    left join enrichment.preview_values(offers) as offered on offered.queue_id = o.queue_id
    left join public.enrichment_queue as q on q.id = o.queue_id and q.is_in_review
    left join lateral (
        select r."values" from enrichment.preview_values(array(
            select row(
                q.id, p.key, p.value ->> 'value', p.value ->> 'provider', p.value ->> 'work_key', p.value -> 'source_record',
                (p.value ->> 'confidence')::enrichment.confidence, false, false
            )::enrichment.offered_value
            from jsonb_each(q.match_details -> 'proposals') as p
        )) as r
    ) as reviewed on q.id is not null
    order by o.place;
end
$$;

comment on function enrichment.preview_works(uuid[]) is
'Queues works and weighs their candidates as resolve_rows does, up to where it would write. For a subtransaction that is taken back.';

create or replace function enrichment.preview_enrichment_impl(work_ids uuid[])
returns setof enrichment.preview
language plpgsql security definer set search_path = '' set jit = off set lock_timeout = '300ms'
as $$
declare
    answer enrichment.preview[];
begin
    perform enrichment.refuse_long_list(cardinality(preview_enrichment_impl.work_ids));
    perform enrichment.refuse_foreign_works(preview_enrichment_impl.work_ids);
    for look in 1..10 loop
        begin
            select array_agg(p) into answer from enrichment.preview_works(preview_enrichment_impl.work_ids) as p;
            raise exception using errcode = 'BE000', message = 'only looked';
        exception
            when sqlstate 'BE000' then
                return query select * from unnest(answer);
                return;
            when lock_not_available then null;
        end;
    end loop;
    perform enrichment.refuse_busy_works();
end
$$;

create or replace function enrichment.logged_writes(queue_ids uuid[], import_id uuid, work_ids uuid[])
returns setof public.enrichment_audit_log
language sql stable set search_path = ''
as $$
    select a.*
    from public.enrichment_audit_log as a
    where a.enrichment_queue_id = any(logged_writes.queue_ids) and a.action in ('auto_applied', 'approved')
        and (a.match_details ? 'storage_path') is not true
    union all
    select a.*
    from public.enrichment_audit_log as a
    where a.work_id = any(logged_writes.work_ids) and a.import_id = logged_writes.import_id and a.enrichment_queue_id is null
        and a.action = 'auto_applied' and (a.match_details ? 'storage_path') is not true
        and not exists (
            select 1 from public.enrichment_audit_log as u
            where u.work_id = a.work_id and u.import_id = a.import_id and u.enrichment_queue_id is null and u.action = 'undone'
                and u.id > a.id
        )
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

comment on type enrichment.undo_outcome is 'What was taken back of what a row wrote.';

comment on column enrichment.undo_outcome.queue_id is 'Null: an import''s own columns had filled it.';

comment on column enrichment.undo_outcome.status is 'Of the queue row. Null: there is none.';

comment on column enrichment.undo_outcome.fields_restored is 'They hold the values of before again.';

comment on column enrichment.undo_outcome.fields_kept is 'Changed by somebody since, and therefore kept.';

comment on column enrichment.undo_outcome.reason is 'Why nothing was taken back. Null: it was.';

create or replace function enrichment.forget_covers(written enrichment.written_value[])
returns void
language plpgsql set search_path = ''
as $$
begin
    -- What was going to be stored is shown no more. A worker that has one in hand is told so when it hands it in (url_changed).
    with obsolete as (
        select c.id
        from enrichment.cover_queue as c
        where c.is_open and c.status = 'pending' and c.work_id in (
            select v.work_id from unnest(forget_covers.written) as v where v.is_ours and v.field = 'work.cover_url'
        )
        order by c.id
        for update
    )

    delete from enrichment.cover_queue as c using obsolete as o where c.id = o.id;

    -- A host without the column has no path to clear, and static SQL would not compile there.
    if exists (
        select 1 from pg_catalog.pg_attribute as a
        where a.attrelid = 'public.works'::regclass and a.attname = 'default_cover_storage_path' and not a.attisdropped
    ) then
        execute
            'update public.works as w set default_cover_storage_path = null from unnest($1) as v'
            || ' where v.is_ours and v.field = ''work.cover_url'' and w.id = v.work_id'
            || ' and w.default_cover_storage_path = any(v.storage_paths)'
        using forget_covers.written;
    end if;
end
$$;

create or replace function enrichment.log_undo(queue_ids uuid[], import_id uuid, written enrichment.written_value[], actor uuid)
returns void
language sql set search_path = ''
as $$
    with changes as (
        select
            v.queue_id, v.work_id, max(v.edition_id::text)::uuid as edition_id,
            array_agg(v.field order by v.field) filter (where not v.is_ours) as kept,
            coalesce(jsonb_object_agg(v.field, jsonb_build_object('old', v.present, 'new', v.previous)) filter (where v.is_ours), '{}')
            as fields,
            coalesce(jsonb_object_agg(v.field, v.present) filter (where v.is_ours), '{}') as previous
        from unnest(log_undo.written) as v
        group by v.queue_id, v.work_id
    ),

    subjects as (
        select q.id, q.work_id, q.edition_id, q.import_id, q.confidence, c.kept, c.fields, c.previous
        from public.enrichment_queue as q
        left join changes as c on c.queue_id = q.id
        where q.id = any(log_undo.queue_ids)
        union all
        select null, c.work_id, c.edition_id, log_undo.import_id, null, c.kept, c.fields, c.previous
        from changes as c
        where c.queue_id is null
    )

    insert into public.enrichment_audit_log (
        enrichment_queue_id, work_id, edition_id, import_id, action, confidence, fields_changed, previous_values, match_details, actor
    )
    select
        s.id, s.work_id, s.edition_id, s.import_id, 'undone', s.confidence, coalesce(s.fields, '{}'), coalesce(s.previous, '{}'),
        jsonb_strip_nulls(jsonb_build_object(
            'sentence', case when s.kept is null then 'undone' else 'undone, but for what was changed since' end,
            'fields_kept', to_jsonb(s.kept)
        )),
        log_undo.actor
    from subjects as s
    order by s.work_id, s.id
$$;

create or replace function enrichment.undo_rows(queue_ids uuid[], import_id uuid, work_ids uuid[], actor uuid)
returns setof enrichment.undo_outcome
language plpgsql set search_path = ''
as $$
declare
    written enrichment.written_value[];
    touched uuid[] := array(
        select q.work_id from public.enrichment_queue as q where q.id = any(undo_rows.queue_ids) union select unnest(undo_rows.work_ids)
    );
begin
    perform 1 from public.works as w where w.id = any(touched) order by w.id for no key update;
    perform 1 from public.editions as e
    where e.id in (select a.edition_id from enrichment.logged_writes(undo_rows.queue_ids, undo_rows.import_id, undo_rows.work_ids) as a)
    order by e.id for no key update;

    select array_agg(v) into written from enrichment.written_values(undo_rows.queue_ids, undo_rows.import_id, undo_rows.work_ids) as v;
    perform enrichment.restore_values(written);
    perform enrichment.log_undo(undo_rows.queue_ids, undo_rows.import_id, written, undo_rows.actor);
    update public.enrichment_queue as q
    set status = case when q.finished_at is null then 'skipped' else q.status end, finished_at = coalesce(q.finished_at, now()),
        claim_token = null, scored_at = null, undone_at = now(), undone_by = undo_rows.actor, updated_at = now()
    where q.id = any(undo_rows.queue_ids);
    -- Whoever asks again is answered from what is known: a rival that was only passed over may be chosen now.
    delete from enrichment.rejected_candidates as j
    using public.enrichment_queue as q
    where q.id = any(undo_rows.queue_ids) and j.work_id = q.work_id and not j.is_dismissed
        and q.match_details -> 'rivals' ? (j.provider || ':' || j.candidate_key);
    perform enrichment.show_last_outcome(touched);

    return query
    with first_rows as (
        select distinct on (q.work_id) q.work_id, q.id
        from public.enrichment_queue as q where q.id = any(undo_rows.queue_ids) order by q.work_id, q.id
    ),

    -- What the import's own columns filled is told on the line of the book's queue row, where there is one.
    undone as (
        select
            coalesce(v.queue_id, f.id) as line_id, v.work_id,
            array_agg(v.field order by v.field) filter (where v.is_ours) as restored,
            array_agg(v.field order by v.field) filter (where not v.is_ours) as kept
        from unnest(written) as v
        left join first_rows as f on f.work_id = v.work_id
        group by 1, 2
    )

    select q.id, q.work_id, q.status, coalesce(u.restored, '{}'), coalesce(u.kept, '{}'), null
    from public.enrichment_queue as q
    left join undone as u on u.line_id = q.id
    where q.id = any(undo_rows.queue_ids)
    union all
    select null, u.work_id, null, coalesce(u.restored, '{}'), coalesce(u.kept, '{}'), null from undone as u where u.line_id is null
    order by 2, 1;
end
$$;

create or replace function enrichment.undo_enrichment_impl(queue_id uuid)
returns setof enrichment.undo_outcome
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    reader uuid := enrichment.acting_reader();
    undone public.enrichment_queue;
begin
    select * into undone from public.enrichment_queue as q where q.id = undo_enrichment_impl.queue_id for update;
    if not found then
        perform enrichment.refuse(
            'PT404', format('no queue row %s', undo_enrichment_impl.queue_id), 'see list_enrichment(); old ones are pruned'
        );
    elsif not enrichment.may_undo(reader, undone) then
        perform enrichment.refuse('PT403', format('queue row %s is not yours to undo', undone.id), 'whoever triggered or approved it may');
    elsif undone.is_open then
        perform enrichment.refuse('PT409', format('queue row %s is still %s', undone.id, undone.status), 'undo it once it has ended');
    elsif undone.undone_at is not null then
        perform enrichment.refuse('PT409', format('queue row %s was undone already', undone.id), 'enqueue the work again');
    elsif undone.status <> 'needs_review' and not exists (select 1 from enrichment.logged_writes(array[undone.id], null, null)) then
        perform enrichment.refuse('PT409', format('queue row %s has written nothing', undone.id), 'see enrichment_history()');
    end if;
    return query select o.* from enrichment.undo_rows(array[undone.id], null, null, reader) as o;
end
$$;

create function enrichment.hold_import_rows(import_id uuid)
returns uuid[]
language plpgsql set search_path = ''
as $$
declare
    held uuid[];
begin
    with locked as (
        select q.id
        from public.enrichment_queue as q
        where q.id in (select r.queue_id from enrichment.import_rows as r where r.import_id = hold_import_rows.import_id)
            and q.import_id = hold_import_rows.import_id and q.undone_at is null and case q.status
                when 'in_progress' then false
                when 'pending' then q.trigger_source = 'post_import'
                when 'needs_review' then true
                else q.fields_applied <> '{}'
            end
        order by q.id
        limit 1000
        for update
    )

    select coalesce(array_agg(l.id), '{}') into held from locked as l;
    -- Those not begun yet would fill the books after all. They take the way of a claim that finds nothing.
    update public.enrichment_queue as q
    set status = 'in_progress', claim_token = gen_random_uuid(), claimed_by = 'undo_import', wait_reason = null, started_at = now()
    where q.id = any(held) and q.status = 'pending';
    return held;
end
$$;

comment on function enrichment.hold_import_rows(uuid) is
'Locks up to 1,000 queue rows of an import that an undo takes back, and claims those that are pending: not those a worker has in hand, nor those that were asked for again.';

create function enrichment.filled_works(import_id uuid, queue_ids uuid[])
returns uuid[]
language plpgsql stable set search_path = ''
as $$
begin
    return (
        with filled as (
            select distinct w.work_id
            from enrichment.logged_writes(null, filled_works.import_id, array(
                select r.work_id from enrichment.import_rows as r where r.import_id = filled_works.import_id
            )) as w
        ),

        own as (
            select q.work_id from public.enrichment_queue as q where q.id = any(filled_works.queue_ids)
        ),

        others as (
            select f.work_id from filled as f
            where f.work_id not in (select o.work_id from own as o)
            order by f.work_id
            limit 1000 - cardinality(filled_works.queue_ids)
        )

        select array_agg(f.work_id)
        from filled as f
        where f.work_id in (select o.work_id from own as o union all select o.work_id from others as o)
    );
end
$$;

comment on function enrichment.filled_works(uuid, uuid[]) is
'Works that an import''s own columns filled: those of these queue rows, and of other books as many as there is room for lines.';

create or replace function enrichment.undo_import_impl(import_id uuid)
returns setof enrichment.undo_outcome
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    held uuid[];
    lines integer;
begin
    perform enrichment.refuse_foreign_import(undo_import_impl.import_id);
    held := enrichment.hold_import_rows(undo_import_impl.import_id);
    return query
    select o.*
    from enrichment.undo_rows(
        held, undo_import_impl.import_id, enrichment.filled_works(undo_import_impl.import_id, held), enrichment.acting_reader()
    ) as o;
    get diagnostics lines = row_count;
    return query
    select
        q.id, q.work_id, q.status, '{}'::text[], '{}'::text[],
        case
            when q.status = 'in_progress' then 'a worker has it in hand: undo the import again when it has ended'
            else 'it was asked for again since: undo it by itself once it has ended'
        end
    from public.enrichment_queue as q
    where q.id in (select r.queue_id from enrichment.import_rows as r where r.import_id = undo_import_impl.import_id)
        and q.import_id = undo_import_impl.import_id and q.is_open
    order by q.work_id
    limit 1000 - lines;
end
$$;

create function enrichment.undoable_rows(reader uuid, queue_ids uuid[])
returns uuid[]
language plpgsql stable set search_path = ''
as $$
begin
    -- The log is asked once for all: 1,000 rows one by one took half a second.
    return array(
        select q.id
        from public.enrichment_queue as q
        where q.id = any(undoable_rows.queue_ids) and not q.is_open and q.undone_at is null and enrichment.may_undo(undoable_rows.reader, q)
            and (
                q.status = 'needs_review'
                or q.id in (select w.enrichment_queue_id from enrichment.logged_writes(undoable_rows.queue_ids, null, null) as w)
            )
    );
end
$$;

comment on function enrichment.undoable_rows(uuid, uuid[]) is
'Those of these queue rows that undo_enrichment() would take back now for a reader (null: the service): that may be theirs to undo, have ended or are in review, were not undone, and wrote something or still ask.';

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

create function enrichment.refuse_bad_import(user_id uuid, import_source text, "rows" jsonb, expected_rows integer)
returns void
language plpgsql stable set search_path = ''
as $$
begin
    if jsonb_typeof(refuse_bad_import."rows") is distinct from 'array' or jsonb_array_length(refuse_bad_import."rows") > 500 then
        perform enrichment.refuse(
            'PT422', 'rows is not an array of at most 500 elements', 'send a file in chunks, with the same import_id'
        );
    end if;
    if refuse_bad_import.import_source is null or refuse_bad_import.import_source not in ('goodreads', 'storygraph') then
        perform enrichment.refuse(
            'PT422', format('unknown import_source %s', refuse_bad_import.import_source), 'use goodreads or storygraph'
        );
    end if;
    if refuse_bad_import.expected_rows < 0 then
        perform enrichment.refuse('PT422', 'expected_rows is negative', 'say how many rows the file has, or leave it out');
    end if;
    if not exists (select 1 from public.users as u where u.id = refuse_bad_import.user_id) then
        perform enrichment.refuse('PT404', format('no user %s', refuse_bad_import.user_id), 'user_id is an id of public.users');
    end if;

    if (
        select count(*) > count(distinct line -> 'row_number')
        from jsonb_path_query(refuse_bad_import."rows", '$[*] ? (exists(@.row_number))') as line
    ) then
        perform enrichment.refuse('PT422', 'a row_number comes twice', 'number the rows of a file from its first line on');
    end if;
end
$$;

comment on function enrichment.refuse_bad_import(uuid, text, jsonb, integer) is
'PT422 for lines or a source that make no sense, PT404 for an unknown reader.';

create function enrichment.begin_import(import_id uuid, user_id uuid, import_source text, expected_rows integer)
returns void
language plpgsql set search_path = ''
as $$
begin
    perform pg_advisory_xact_lock(hashtextextended('enrichment.import_library', 0));
    insert into enrichment.imports as i (id, user_id, import_source, expected_rows)
    values (begin_import.import_id, begin_import.user_id, begin_import.import_source, begin_import.expected_rows)
    on conflict (id) do update set expected_rows = coalesce(excluded.expected_rows, i.expected_rows) where i.user_id = excluded.user_id;
    if not exists (select 1 from enrichment.imports as i where i.id = begin_import.import_id and i.user_id = begin_import.user_id) then
        perform enrichment.refuse('PT403', format('import %s is another reader''s', begin_import.import_id), 'choose a new import_id');
    end if;
end
$$;

comment on function enrichment.begin_import(uuid, uuid, text, integer) is
'Imports take turns from here on, to the end of the transaction. PT403 where the id is another reader''s.';

create function enrichment.queue_import(import_id uuid, user_id uuid, row_numbers integer[])
returns void
language sql set search_path = ''
as $$
    with books as (
        select distinct on (r.work_id) r.work_id, r.edition_id, r.row_number
        from enrichment.import_rows as r
        where r.import_id = queue_import.import_id and r.row_number = any(queue_import.row_numbers)
        order by r.work_id, r.row_number
    ),

    queued as (
        select o.*
        from (
            select
                array_agg(b.work_id order by b.row_number) as work_ids, array_agg(b.edition_id order by b.row_number) as edition_ids
            from books as b
        ) as batch
        cross join lateral enrichment.enqueue_works(
            batch.work_ids, batch.edition_ids, 'post_import', queue_import.user_id, 100, queue_import.import_id
        ) as o
    )

    update enrichment.import_rows as r
    set enrichment = queued.outcome, queue_id = queued.queue_id
    from queued
    where r.import_id = queue_import.import_id and r.row_number = any(queue_import.row_numbers) and r.work_id = queued.work_id
$$;

comment on function enrichment.queue_import(uuid, uuid, integer[]) is
'Queues the books of these lines, in their order, each with the edition of its first line, and notes the outcome beside every line.';

create function enrichment.unqueue_complete(import_id uuid, row_numbers integer[])
returns void
language plpgsql set search_path = ''
as $$
declare
    enqueued_ids uuid[] := array(
        select r.queue_id from enrichment.import_rows as r
        where r.import_id = unqueue_complete.import_id and r.row_number = any(unqueue_complete.row_numbers) and r.enrichment = 'enqueued'
    );
begin
    with completed as (
        delete from public.enrichment_queue as q
        where q.id = any(enqueued_ids) and q.id not in (select gaps.queue_id from enrichment.wanted_fields(enqueued_ids) as gaps)
        returning q.id
    )

    update enrichment.import_rows as r
    set enrichment = 'complete', queue_id = null
    from completed
    where r.import_id = unqueue_complete.import_id and r.queue_id = completed.id;
end
$$;

comment on function enrichment.unqueue_complete(uuid, integer[]) is
'Takes back the queue rows of lines whose own columns have filled the last gap.';

create or replace function enrichment.import_library_impl(user_id uuid, import_source text, "rows" jsonb, import_id uuid, expected_rows integer)
returns setof enrichment.import_outcome
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    this_import uuid := coalesce(import_library_impl.import_id, gen_random_uuid());
    new_rows integer[];
begin
    perform enrichment.refuse_bad_import(
        import_library_impl.user_id, import_library_impl.import_source, import_library_impl."rows", import_library_impl.expected_rows
    );
    perform enrichment.begin_import(
        this_import, import_library_impl.user_id, import_library_impl.import_source, import_library_impl.expected_rows
    );
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
    perform enrichment.queue_import(this_import, import_library_impl.user_id, new_rows);
    perform enrichment.fill_from_import(this_import, import_library_impl.user_id);
    perform enrichment.shelve_import(this_import, import_library_impl.user_id);
    perform enrichment.unqueue_complete(this_import, new_rows);

    return query
    select r.row_number, r.outcome, r.reason, r.work_id, r.edition_id, r.library_item_id, r.enrichment, r.queue_id
    from enrichment.import_rows as r
    where r.import_id = this_import and r.row_number in (
        select read.row_number from enrichment.read_import_rows(this_import, import_library_impl."rows") as read
    )
    order by r.row_number;
end
$$;

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

create or replace function enrichment.refuse_foreign_import(import_id uuid)
returns void
language plpgsql stable set search_path = ''
as $$
declare
    reader uuid := enrichment.acting_reader();
    owner uuid;
begin
    select i.user_id into owner from enrichment.imports as i where i.id = refuse_foreign_import.import_id;
    if owner is null then
        perform enrichment.refuse(
            'PT404', format('no import %s', refuse_foreign_import.import_id), 'see enrichment_imports(); old ones are pruned'
        );
    elsif owner <> reader then
        perform enrichment.refuse(
            'PT403', format('import %s is another reader''s', refuse_foreign_import.import_id), 'see enrichment_imports()'
        );
    end if;
end
$$;

create or replace function enrichment.import_states(import_ids uuid[])
returns setof enrichment.import_state
language sql stable set search_path = ''
as $$
    select
        i.id, i.import_source, i.created_at, i.expected_rows, r."rows", r.created, r.matched, r.duplicate, r.rejected,
        q.pending, q.in_progress, q.completed, q.needs_review, q.failed, q.skipped, q.covers_applied, q.undone, u.undoable
    from enrichment.imports as i
    cross join lateral (
        select
            count(*)::integer as "rows", count(*) filter (where r.outcome = 'created')::integer as created,
            count(*) filter (where r.outcome = 'matched')::integer as matched,
            count(*) filter (where r.outcome = 'duplicate')::integer as duplicate,
            count(*) filter (where r.outcome = 'rejected')::integer as rejected
        from enrichment.import_rows as r
        where r.import_id = i.id
    ) as r
    cross join lateral (
        select
            count(*) filter (where q.status = 'pending')::integer as pending,
            count(*) filter (where q.status = 'in_progress')::integer as in_progress,
            count(*) filter (where q.status = 'completed')::integer as completed,
            count(*) filter (where q.status = 'needs_review')::integer as needs_review,
            count(*) filter (where q.status = 'failed')::integer as failed,
            count(*) filter (where q.status = 'skipped')::integer as skipped,
            count(*) filter (where q.cover_applied and q.undone_at is null)::integer as covers_applied,
            count(*) filter (where q.undone_at is not null)::integer as undone
        from public.enrichment_queue as q
        where q.id in (select r.queue_id from enrichment.import_rows as r where r.import_id = i.id)
    ) as q
    cross join lateral (
        select count(*)::integer as undoable
        from (
            select q.work_id
            from public.enrichment_queue as q
            where q.id in (select r.queue_id from enrichment.import_rows as r where r.import_id = i.id)
                and q.import_id = i.id and q.undone_at is null and not q.is_open and (q.status = 'needs_review' or q.fields_applied <> '{}')
            union
            select w.work_id
            from enrichment.logged_writes(null, i.id, array(
                select r.work_id from enrichment.import_rows as r where r.import_id = i.id and r.outcome <> 'created'
            )) as w
        ) as filled
    ) as u
    where i.id = any(import_states.import_ids)
    order by i.created_at desc, i.id desc
$$;

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

alter table enrichment.stored_covers drop column content_type; -- image/webp, of every one

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

comment on table enrichment.cover_queue is 'One row per cover to be stored; at most one open row per work. The transitions are those of the enrichment queue, without review.';

create trigger covers_start_as_pending before insert on enrichment.cover_queue
for each row when (new.status <> 'pending') execute function enrichment.refuse_missing_transition();

create trigger covers_follow_transitions before update of status on enrichment.cover_queue
for each row when (old.status <> new.status) execute function enrichment.refuse_missing_transition();

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
                or right(element.value ->> 'cover_url', length(element.value ->> 'storage_path') + 1)
                    <> '/' || (element.value ->> 'storage_path')
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

create function enrichment.count_images(elements enrichment.answered_cover[], verdicts enrichment.cover_verdict[])
returns void
language plpgsql set search_path = ''
as $$
begin
    with stored as (
        insert into enrichment.stored_covers (sha256, storage_path, bytes, width, height)
        select distinct on (e.sha256) e.sha256, e.storage_path, e.bytes, e.width, e.height
        from unnest(count_images.elements) as e
        join unnest(count_images.verdicts) as v on v.cover_id = e.cover_id and v.outcome <> 'over_budget'
        order by e.sha256
        on conflict do nothing
        returning bytes
    )

    update enrichment.cover_storage as u
    set images = u.images + added.images, bytes = u.bytes + added.bytes
    from (select count(*) as images, coalesce(sum(stored.bytes), 0) as bytes from stored) as added
    where added.images > 0;
end
$$;

comment on function enrichment.count_images(enrichment.answered_cover[], enrichment.cover_verdict[]) is
'Notes the images that are new, whatever became of their covers, unless they are over budget. The caller holds the lock of cover_storage.';

create function enrichment.close_covers(elements enrichment.answered_cover[], verdicts enrichment.cover_verdict[])
returns void
language plpgsql set search_path = ''
as $$
begin
    update enrichment.cover_queue as c
    set status = case
            when v.outcome = 'applied' then 'completed' when v.outcome = 'over_budget' then 'pending' else 'skipped'
        end::enrichment.queue_status,
        sha256 = case when v.outcome = 'applied' then e.sha256 end,
        last_error = case
            when v.outcome = 'url_changed' then 'the work shows another cover now' when v.outcome = 'locked' then 'the cover was locked'
        end,
        attempt_count = c.attempt_count - (v.outcome = 'over_budget')::integer,
        wait_reason = case when v.outcome = 'over_budget' then 'storage_budget' end,
        next_attempt_after = case when v.outcome = 'over_budget' then 'infinity' else c.next_attempt_after end,
        finished_at = case when v.outcome <> 'over_budget' then now() end,
        claim_token = null, updated_at = now()
    from unnest(close_covers.elements) as e
    join unnest(close_covers.verdicts) as v on v.cover_id = e.cover_id
    where c.id = e.cover_id;

    -- A cover that changed meanwhile may be one to store as well.
    perform enrichment.queue_covers(array_agg(c.work_id), null)
    from unnest(close_covers.verdicts) as v
    join enrichment.cover_queue as c on c.id = v.cover_id
    where v.outcome = 'url_changed';
end
$$;

comment on function enrichment.close_covers(enrichment.answered_cover[], enrichment.cover_verdict[]) is
'Ends the rows as their verdicts say; those over budget wait, and a work that shows another cover by now gets in line with that one.';

create or replace function enrichment.swap_covers(elements enrichment.answered_cover[], verdicts enrichment.cover_verdict[])
returns void
language plpgsql set search_path = ''
as $$
declare
    host_keeps_paths boolean := exists (
        select 1 from pg_catalog.pg_attribute as a
        where a.attrelid = 'public.works'::regclass and a.attname = 'default_cover_storage_path' and not a.attisdropped
    );
begin
    -- A host without the column has nowhere to note the path, and static SQL would not compile there.
    execute
        'update public.works as w set default_cover_url = e.cover_url, updated_at = now()'
        || case when host_keeps_paths then ', default_cover_storage_path = e.storage_path' else '' end
        || ' from unnest($1) as e join unnest($2) as v on v.cover_id = e.cover_id and v.outcome = ''applied'''
        || ' join enrichment.cover_queue as c on c.id = e.cover_id where w.id = c.work_id'
    using swap_covers.elements, swap_covers.verdicts;

    insert into public.enrichment_audit_log (
        enrichment_queue_id, work_id, edition_id, import_id, action, provider, fields_changed, previous_values, match_details
    )
    select
        c.queue_id, c.work_id, q.edition_id, q.import_id, 'auto_applied', c.provider,
        jsonb_build_object('work.cover_url', jsonb_build_object('old', c.source_url, 'new', e.cover_url)),
        jsonb_build_object('work.cover_url', c.source_url),
        jsonb_build_object('sentence', 'the cover was stored', 'storage_path', e.storage_path, 'sha256', e.sha256, 'bytes', e.bytes)
    from unnest(swap_covers.elements) as e
    join unnest(swap_covers.verdicts) as v on v.cover_id = e.cover_id and v.outcome = 'applied'
    join enrichment.cover_queue as c on c.id = e.cover_id
    left join public.enrichment_queue as q on q.id = c.queue_id;
end
$$;

comment on function enrichment.swap_covers(enrichment.answered_cover[], enrichment.cover_verdict[]) is
'Swaps and logs the URLs of the covers that are applied. The caller holds the locks.';

create or replace function enrichment.settle_covers(elements enrichment.answered_cover[])
returns setof enrichment.cover_verdict
language plpgsql set search_path = ''
as $$
declare
    fenced enrichment.answered_cover[];
    verdicts enrichment.cover_verdict[];
    this_one enrichment.answered_cover;
begin
    perform 1 from public.works as w
    where w.id in (select c.work_id from enrichment.cover_queue as c join unnest(settle_covers.elements) as e on e.cover_id = c.id)
    order by w.id for no key update;

    with held as (
        select c.id, c.claim_token
        from enrichment.cover_queue as c
        where c.id in (select e.cover_id from unnest(settle_covers.elements) as e) and c.status = 'in_progress'
        order by c.id
        for update
    )

    select array_agg(first.e) into fenced
    from (
        select distinct on (e.cover_id) e
        from unnest(settle_covers.elements) as e
        join held on held.id = e.cover_id and held.claim_token = e.claim_token
        order by e.cover_id, e."position"
    ) as first;

    perform 1 from enrichment.cover_storage for update;
    select array_agg(v) into verdicts from enrichment.weigh_covers(fenced) as v;
    perform enrichment.count_images(fenced, verdicts);
    perform enrichment.swap_covers(fenced, verdicts);
    perform enrichment.close_covers(fenced, verdicts);
    return query select v.* from unnest(verdicts) as v;
exception
    when others then
        -- Say, a trigger of the host's on works: the one cover it refuses must not take the batch with it.
        if cardinality(settle_covers.elements) = 1 then
            this_one := settle_covers.elements[1];
            return query
            select s.cover_id, 'failed'
            from enrichment.end_cover_attempts(array(
                select c.id
                from enrichment.cover_queue as c
                where c.id = this_one.cover_id and c.claim_token = this_one.claim_token
                for update
            ), sqlstate || ': ' || sqlerrm, 'backoff', false) as s;
        else
            foreach this_one in array settle_covers.elements loop
                return query select * from enrichment.settle_covers(array[this_one]);
            end loop;
        end if;
end
$$;

create or replace function enrichment.apply_covers_impl(results jsonb)
returns setof enrichment.cover_outcome
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    elements enrichment.answered_cover[];
    verdicts enrichment.cover_verdict[];
begin
    if jsonb_typeof(apply_covers_impl.results) is distinct from 'array' then
        perform enrichment.refuse(
            'PT422', 'results is not a JSON array',
            'send [{"cover_id", "claim_token", "sha256", "storage_path", "cover_url", "bytes", "width", "height"}]'
        );
    end if;
    perform enrichment.refuse_long_list(jsonb_array_length(apply_covers_impl.results));
    select array_agg(r) into elements from enrichment.read_covers(apply_covers_impl.results) as r;

    select array_agg(v) into verdicts
    from enrichment.settle_covers(array(select e from unnest(elements) as e where e.problem is null)) as v;

    return query
    select
        e."position", e.cover_id, c.work_id,
        case when e.problem is not null then 'rejected' else coalesce(v.outcome, 'stale_claim') end,
        case when v.cover_id is not null then c.status end,
        case
            when e.problem is not null then e.problem
            when v.cover_id is null then 'the claim is no longer yours; nothing was changed'
            else coalesce(c.last_error, c.wait_reason)
        end
    from unnest(elements) as e
    left join unnest(verdicts) as v
        on e.problem is null and v.cover_id = e.cover_id and e."position" = (
            select min(same."position") from unnest(elements) as same where same.cover_id = e.cover_id and same.problem is null
        )
    left join enrichment.cover_queue as c on c.id = e.cover_id
    order by e."position";
end
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

create function enrichment.postpone_covers(until timestamptz, reason text)
returns void
language plpgsql set search_path = ''
as $$
begin
    with due as (
        select q.id from enrichment.cover_queue as q
        where q.is_open and q.status = 'pending' and q.next_attempt_after <= now()
        limit 1000
        for update skip locked
    )

    update enrichment.cover_queue as q
    set wait_reason = postpone_covers.reason, next_attempt_after = postpone_covers.until, updated_at = now()
    from due
    where q.id = due.id;
end
$$;

comment on function enrichment.postpone_covers(timestamptz, text) is 'Up to 1,000 covers that are due wait until then, for that reason.';

create function enrichment.room_for_covers()
returns bigint
language plpgsql stable set search_path = ''
as $$
begin
    return (
        select (s.cover_budget_bytes - u.bytes) / s.cover_image_bytes - under_way."rows"
        from enrichment.settings as s
        cross join enrichment.cover_storage as u
        cross join lateral (
            select count(*) from enrichment.cover_queue as q where q.is_open and q.status = 'in_progress'
        ) as under_way ("rows")
    );
end
$$;

comment on function enrichment.room_for_covers() is
'How many more covers may be claimed: each row under way sets aside the largest image there may be, so that no upload can go beyond the budget. The caller holds the lock of cover_storage.';

create or replace function enrichment.claim_covers_impl(worker_name text, batch_size integer)
returns setof enrichment.claimed_cover
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    batch integer := coalesce(claim_covers_impl.batch_size, 10);
    gate enrichment.cover_gate;
begin
    if batch not between 1 and 100 then
        perform enrichment.refuse('PT422', format('batch_size %s is not between 1 and 100', batch), 'ten is the default');
    end if;
    if (select s.cover_mode from enrichment.settings as s) <> 'thumbnail' then
        return;
    end if;
    perform 1 from enrichment.cover_queue as q
    where q.is_open and q.status = 'pending' and q.next_attempt_after <= now()
    offset batch - 1
    limit 1;
    if not found then
        -- Fewer than a batch are due.
        perform enrichment.backfill_covers();
    end if;

    -- From here on claims take turns.
    perform 1 from enrichment.cover_storage for update;
    select * into gate from enrichment.cover_gate;
    if gate.wait_reason is not null then
        perform enrichment.postpone_covers(gate.available_at, gate.wait_reason);
        return;
    end if;
    batch := least(batch, enrichment.room_for_covers())::integer;
    if batch < 1 then
        return;
    end if;

    return query
    with picked as (
        select q.id
        from enrichment.cover_queue as q
        where q.is_open and q.status = 'pending' and q.next_attempt_after <= now()
        order by q.next_attempt_after, q.id
        limit batch
        for update skip locked
    ),

    claimed as (
        update enrichment.cover_queue as q
        set status = 'in_progress', started_at = now(), attempt_count = q.attempt_count + 1, wait_reason = null,
            claim_token = gen_random_uuid(), claimed_by = left(claim_covers_impl.worker_name, 200), updated_at = now()
        from picked
        where q.id = picked.id
        returning q.*
    )

    select c.id, c.claim_token, c.work_id, c.provider, c.source_url, c.attempt_count::integer from claimed as c order by c.id;
end
$$;

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

create or replace function enrichment.release_cover_impl(cover_id uuid, claim_token uuid, reason text, retry_at timestamptz)
returns setof enrichment.cover_state
language plpgsql security definer set search_path = ''
as $$
begin
    if coalesce(release_cover_impl.reason, '') = '' then
        perform enrichment.refuse(
            'PT422', 'a released row needs a reason', 'say why it waits: rate, breaker, unreachable, storage, stopped …'
        );
    end if;
    return query
    update enrichment.cover_queue as c
    set status = 'pending', attempt_count = c.attempt_count - 1, wait_reason = left(release_cover_impl.reason, 200),
        next_attempt_after = coalesce(release_cover_impl.retry_at, now()), claim_token = null, updated_at = now()
    where c.id = release_cover_impl.cover_id and c.status = 'in_progress' and c.claim_token = release_cover_impl.claim_token
    returning c.id, c.status, c.attempt_count::integer, c.next_attempt_after, c.wait_reason, c.last_error;
    if not found then
        perform enrichment.refuse_lost_cover(release_cover_impl.cover_id);
    end if;
end
$$;

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
    undoable uuid[];
begin
    if not exists (select 1 from public.works as w where w.id = enrichment_history_impl.work_id) then
        perform enrichment.refuse('PT404', format('no work %s', enrichment_history_impl.work_id), 'work_id is an id of public.works');
    end if;
    perform enrichment.refuse_foreign_work(enrichment_history_impl.work_id);
    undoable := enrichment.undoable_rows(
        reader, array(select q.id from public.enrichment_queue as q where q.work_id = enrichment_history_impl.work_id)
    );
    return query
    select
        a.id, a.enrichment_queue_id, a.action::text, a.provider::text, a.source_record,
        enrichment.source_url(a.provider, a.source_record ->> 'work_key'), a.confidence, a.fields_changed, a.match_details ->> 'sentence',
        a.actor is not distinct from reader, a.created_at,
        coalesce(a.action in ('auto_applied', 'approved') and a.enrichment_queue_id = any(undoable), false)
    from public.enrichment_audit_log as a
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

create or replace function enrichment.shelf_lines(library_item_ids uuid[])
returns setof enrichment.shelf_line
language plpgsql stable set search_path = '' set random_page_cost = 1.1
as $$
declare
    overrides jsonb := enrichment.cover_overrides(shelf_lines.library_item_ids);
begin
    return query
    select
        i.id, i.created_at, w.id, (e.edition).id, w.title::text,
        coalesce(
            overrides ->> i.id::text,
            case when (e.edition).id = i.preferred_edition_id then nullif((e.edition).cover_url, '') end, nullif(w.default_cover_url, '')
        ),
        w.first_publish_year::integer, q.status, q.id, q.confidence, q.wait_reason,
        case when q.status = 'pending' then nullif(q.next_attempt_after, 'infinity') end, q.last_error, q.undone_at,
        enrichment.missing_fields(w, e.edition)
    from unnest(shelf_lines.library_item_ids) as asked (id)
    join public.library_items as i on i.id = asked.id
    join public.works as w on w.id = i.work_id
    -- All editions in one pass: a host may have no index by work, and a look for each book took 3 s for 1,000.
    left join (
        select distinct on (shelved.id) shelved.id as item_id, own as edition
        from unnest(shelf_lines.library_item_ids) as named (id)
        join public.library_items as shelved on shelved.id = named.id
        join public.editions as own on own.work_id = shelved.work_id
        order by
            shelved.id, own.id <> shelved.preferred_edition_id, coalesce(own.isbn13, '') = '', coalesce(own.isbn10, '') = '',
            own.created_at,
            own.id
    ) as e on e.item_id = i.id
    left join lateral (
        select newest.*
        from public.enrichment_queue as newest
        where newest.work_id = w.id
        order by newest.created_at desc, newest.id desc
        limit 1
    ) as q on true;
end
$$;

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
    if enrichment_library_impl.filter <> 'missing'
        and enrichment_library_impl.filter <> all(enum_range(null::enrichment.queue_status)::text[]) then
        perform enrichment.refuse(
            'PT422', format('unknown filter %s', enrichment_library_impl.filter), 'use missing, or a status: pending, needs_review …'
        );
    end if;
    if enrichment_library_impl.cursor is not null and enrichment.uuid_of(before[2]) is null then
        perform enrichment.refuse(
            'PT422', 'cursor is not one that a page ended with', 'send the cursor of the last row, or null for the first page'
        );
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
    undoable uuid[];
begin
    perform enrichment.refuse_bad_page(list_enrichment_impl.page_size);
    if list_enrichment_impl.status <> all(enum_range(null::enrichment.queue_status)::text[]) then
        perform enrichment.refuse(
            'PT422', format('unknown status %s', list_enrichment_impl.status),
            'use pending, in_progress, completed, needs_review, failed or skipped'
        );
    end if;
    if list_enrichment_impl.cursor is not null and enrichment.uuid_of(list_enrichment_impl.cursor) is null then
        perform enrichment.refuse(
            'PT422', 'cursor is not one that a page ended with', 'send the cursor of the last row, or null for the first page'
        );
    end if;
    page := enrichment.queue_page(
        reader, list_enrichment_impl.status::enrichment.queue_status, list_enrichment_impl.page_size,
        coalesce(list_enrichment_impl.cursor, 'ffffffff-ffff-ffff-ffff-ffffffffffff')::uuid
    );
    undoable := enrichment.undoable_rows(reader, page);

    return query
    select
        q.id, q.work_id, q.edition_id,
        case
            when reader is null or exists (
                select 1 from enrichment.imports as m where m.id = q.import_id and m.user_id = reader
            ) then q.import_id
        end,
        w.title::text, enrichment.author_names(w.id), q.status, q.confidence, q.wait_reason, nullif(q.next_attempt_after, 'infinity'),
        q.last_error, w.default_cover_url, q.cover_applied, q.fields_applied, q.providers_attempted, q.match_details ->> 'sentence',
        present.fields, enrichment.shown_proposals(q, present.fields), q.match_details, q.trigger_source, enrichment.may_undo(reader, q),
        q.created_at, q.finished_at, q.undone_at, q.id::text, q.id = any(undoable)
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
            when 'never' then case
                when j.lateness < '1 day' then 'look again in a minute; later: is pg_cron running? A restart of the project starts it'
            end
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
                then 'set ENRICHMENT_CONTACT where the worker runs, or: book-enrichment settings set contact=…, '
                    || 'to an address or page of yours: it names you to Open Library'
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
        case
            when not s.auto_enabled
                then 'set ENRICHMENT_AUTO_ENABLED=true where the worker runs, or: book-enrichment settings set auto_enabled=true'
        end
    from enrichment.settings as s
    cross join lateral (
        select count(*) as "rows" from public.enrichment_queue as q where q.is_open and q.wait_reason = 'auto_disabled'
    ) as waiting
$$;

create or replace function enrichment.health_of_providers()
returns setof enrichment.health_check
language sql stable set search_path = ''
as $$
    select
        'provider ' || s.provider,
        case
            when s.wait_reason in ('bad_key', 'quota_zero', 'identify', 'unknown_location') then 'fail'
            when s.wait_reason in ('breaker', 'retry_after', 'daily') or (s.wait_reason = 'no_key' and opted_in.readers > 0) then 'warn'
            else 'ok'
        end,
        case
            when s.wait_reason is null or s.wait_reason = 'rate' then 'may be asked'
            when s.wait_reason = 'disabled' then 'switched off'
            when s.wait_reason = 'no_key' and opted_in.readers = 0 then 'no key, and nobody wants it'
            when s.wait_reason = 'no_key' then format('no key, though readers opted in: %s', opted_in.readers)
            else concat_ws(
                ', ', 'not asked (' || s.wait_reason || ')',
                'until ' || to_char(s.available_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'),
                'last error: ' || p.last_error
            )
        end,
        case s.wait_reason
            when 'no_key' then case
                when opted_in.readers > 0 then 'set GOOGLE_BOOKS_API_KEY where the worker runs; without it books keep what Open Library has'
            end
            when 'bad_key' then 'the provider refuses the key: check GOOGLE_BOOKS_API_KEY and the key''s restrictions'
            when 'quota_zero' then 'the key''s project has no quota: enable the Books API in the Google Cloud console'
            when 'identify' then 'the provider refuses our User-Agent: is the contact an address that works?'
            when 'unknown_location' then 'set ENRICHMENT_GOOGLE_BOOKS_COUNTRY to the two letters of your country'
            when 'breaker' then 'nothing: it failed several times and is tried again by itself'
            when 'retry_after' then 'nothing: it asked for a pause and is tried again by itself'
            when 'daily' then 'nothing: its calls of today are spent, it is asked again tomorrow'
        end
    from enrichment.provider_states as s
    join enrichment.providers as p on p.provider = s.provider
    cross join lateral (
        select count(*) as readers from public.users as u where p.needs_opt_in and to_jsonb(u) ->> 'enable_google_books' = 'true'
    ) as opted_in
    where s.wait_reason is distinct from 'no_contact'
    order by s."position"
$$;

create or replace function enrichment.health_of_queue()
returns setof enrichment.health_check
language sql stable set search_path = ''
as $$
    select
        'claims', case when stale."rows" > 0 then 'fail' else 'ok' end,
        case
            when stale."rows" > 0 then format('claims of workers that are gone: %s, the oldest from %s ago', stale."rows", stale.age)
            else 'no claim is held too long'
        end,
        case
            when stale."rows" > 0
                then 'pg_cron and every worker take them back; where neither runs: select * from reset_stale_enrichment()'
        end
    from (
        select count(*) as "rows", date_trunc('minute', now() - min(q.started_at)) as age
        from public.enrichment_queue as q
        cross join enrichment.settings as s
        where q.is_open and q.status = 'in_progress'
            and q.started_at < now() - make_interval(secs => s.stale_after_seconds) - interval '2 minutes'
    ) as stale
    union all
    select
        'worker', case when due."rows" > 0 and not due.is_busy then 'warn' else 'ok' end,
        case
            when due."rows" > 0 and not due.is_busy then format(
                'rows that are due and nobody takes: %s, the oldest for %s', due."rows", date_trunc('minute', now() - due.oldest)
            )
            when due."rows" > 0 then format('rows that are due: %s, and a worker is at it', due."rows")
            else 'no row is kept waiting'
        end,
        case when due."rows" > 0 and not due.is_busy then 'start one: book-enrichment run' end
    from (
        select
            count(*) filter (where q.status = 'pending' and q.next_attempt_after < now() - interval '10 minutes') as "rows",
            min(q.next_attempt_after) filter (where q.status = 'pending') as oldest,
            coalesce(bool_or(q.started_at > now() - interval '10 minutes'), false) as is_busy
        from public.enrichment_queue as q
        where q.is_open or q.finished_at > now() - interval '10 minutes'
    ) as due
    union all
    select
        'failures', case when failed."rows" > 0 then 'warn' else 'ok' end,
        case
            when failed."rows" > 0 then format(
                'rows that failed within a week: %s, most often: %s', failed."rows",
                coalesce(left(failed.last_error, 300), 'no reason on record')
            )
            else 'no row failed within a week'
        end,
        case
            when failed."rows" > 0 then 'book-enrichment enqueue WORK_ID… tries them again; '
                || 'select * from enrichment_queue where status = ''failed'' lists them'
        end
    from (
        select count(*) as "rows", mode() within group (order by q.last_error) as last_error
        from public.enrichment_queue as q
        where q.finished_at > now() - interval '7 days' and q.status = 'failed'
    ) as failed
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
                then 'lower keep_queue_days and keep_audit_days, then select * from prune_enrichment(); or use a larger plan, '
                    || 'and set database_budget_bytes to what it has'
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
        'covers',
        case
            when is_public is null then 'fail'
            when not is_public or stored.bytes > 0.95 * kept.cover_budget_bytes then 'warn'
            else 'ok'
        end,
        case
            when is_public is null then 'covers are to be stored, and there is no bucket covers'
            when not is_public then 'the bucket covers is not public, so that readers cannot see what is stored'
            else format('stored covers: %s, %s of %s', stored.images, pg_size_pretty(stored.bytes), pg_size_pretty(kept.cover_budget_bytes))
        end,
        case
            when is_public is null
                then 'make a public bucket named covers in the dashboard (Storage), or: book-enrichment settings set cover_mode=hotlink'
            when not is_public then 'make it public in the dashboard (Storage)'
            when stored.bytes > 0.95 * kept.cover_budget_bytes
                then 'new covers stay hot-linked; raise cover_budget_bytes where there is room'
        end;
exception
    when others then
        return query select
            'covers', 'warn', 'Storage''s tables cannot be read: ' || sqlerrm, 'look in the dashboard whether the bucket covers is there';
end
$$;

create or replace function enrichment.health_of_objects(objects jsonb)
returns setof enrichment.health_check
language sql stable set search_path = ''
as $$
    with existing (name, digest) as (
        select
            format('%s.%s', p.pronamespace::regnamespace, p.proname),
            md5(p.prosrc || case when p.prosecdef then ' security definer' else '' end)
        from pg_catalog.pg_proc as p
        where p.pronamespace in ('enrichment'::regnamespace, 'public'::regnamespace)
        union all
        select format('%s %s.%s', case c.relkind when 'v' then 'view' else 'index' end, c.relnamespace::regnamespace, c.relname), ''
        from pg_catalog.pg_class as c
        where c.relnamespace in ('enrichment'::regnamespace, 'public'::regnamespace) and c.relkind in ('v', 'i')
        union all
        select 'trigger ' || t.tgname, '' from pg_catalog.pg_trigger as t where t.tgenabled <> 'D'
        union all
        select 'policy ' || p.polname, '' from pg_catalog.pg_policy as p
    ),

    changed as (
        select string_agg(wanted.key, ', ' order by wanted.key) as names
        from jsonb_each_text(health_of_objects.objects) as wanted
        where not exists (select 1 from existing as e where e.name = wanted.key and e.digest = wanted.value)
    )

    select
        'functions', case when c.names is null then 'ok' else 'warn' end,
        case when c.names is null then 'as released' else 'changed by hand, or missing: ' || c.names end,
        case when c.names is not null then 'book-enrichment migrate --restore makes them as released; what you changed is lost then' end
    from changed as c
    where health_of_objects.objects <> '{}'
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

create or replace function enrichment.health_of_host()
returns setof enrichment.health_check
language sql stable set search_path = ''
as $$
    with missing as (
        select string_agg(
            format('%s.%s', wanted.table_name, wanted.column_name), ', ' order by wanted.table_name, wanted.column_name
        ) as names
        from enrichment.host_columns() as wanted
        where not exists (
            select 1 from pg_catalog.pg_attribute as a
            where a.attrelid = to_regclass('public.' || wanted.table_name) and a.attname = wanted.column_name and not a.attisdropped
        )
    )

    select
        'library', case when m.names is null then 'ok' else 'fail' end,
        case when m.names is null then 'every column we read or write is there' else 'not there any more: ' || m.names end,
        case when m.names is not null then 'imports, sweep and worker fail without: bring them back, under these names' end
    from missing as m
$$;

create or replace function enrichment.health_of_rights()
returns setof enrichment.health_check
language sql stable set search_path = ''
as $$
    with functions as (
        select p.oid, p.oid::regprocedure::text as name, p.pronamespace = 'public'::regnamespace as is_verb, p.proconfig
        from pg_catalog.pg_proc as p
        where p.pronamespace = 'enrichment'::regnamespace or (
            p.pronamespace = 'public'::regnamespace and exists (
                select from pg_catalog.pg_proc as twin
                where twin.pronamespace = 'enrichment'::regnamespace and twin.proname = p.proname || '_impl'
                    and twin.proargtypes = p.proargtypes
            )
        )
    ),

    tables as (
        select c.oid, c.oid::regclass::text as name
        from pg_catalog.pg_class as c
        where c.relkind in ('r', 'v') and (
            c.relnamespace = 'enrichment'::regnamespace
            or c.oid in (to_regclass('public.enrichment_queue'), to_regclass('public.enrichment_audit_log'))
        )
    ),

    wrong (what, name) as (
        select 'open to visitors', f.name from functions as f where has_function_privilege('anon', f.oid, 'execute')
        union all
        select 'open to visitors', t.name from tables as t where has_any_column_privilege('anon', t.oid, 'select, insert, update')
        union all
        select 'opened by a policy', p.polname::text from pg_catalog.pg_policy as p join tables as t on t.oid = p.polrelid
        where p.polname not in ('enrichment_queue_of_own_library', 'enrichment_audit_log_of_own_library')
        union all
        select 'closed to everybody', f.name from functions as f
        where f.is_verb and not has_function_privilege('service_role', f.oid, 'execute')
            and not has_function_privilege('authenticated', f.oid, 'execute')
        union all
        select 'closed to readers', 'schema enrichment' where not has_schema_privilege('authenticated', 'enrichment', 'usage')
        union all
        select 'without search_path', f.name from functions as f where not coalesce(f.proconfig @> array['search_path=""'], false)
    ),

    told as (
        select string_agg(w.what || ': ' || w.names, '; ' order by w.what) as message
        from (select wrong.what, string_agg(wrong.name, ', ' order by wrong.name) as names from wrong group by wrong.what) as w
    )

    select
        'rights', case when told.message is null then 'ok' else 'fail' end,
        coalesce(told.message, 'visitors may do nothing, every verb is somebody''s'),
        case when told.message is not null then 'book-enrichment migrate --restore; a policy of your own: drop it' end
    from told
$$;

create or replace function enrichment.reader_obstacle()
returns text
language sql stable set search_path = ''
as $$
    select case
        when not has_function_privilege('authenticated', 'enrichment.is_on_own_shelf(uuid)', 'execute')
            then 'permission denied for function is_on_own_shelf'
        else (
            select case
                when not has_column_privilege('authenticated', wanted.relation, 'id', 'select')
                    then 'permission denied for table ' || wanted.name
                else format('the policy %s_of_own_library on %s is gone, or another', wanted.name, wanted.name)
            end
            from unnest(array['enrichment_queue', 'enrichment_audit_log']) as named (name)
            cross join lateral (select named.name, to_regclass('public.' || named.name) as relation) as wanted
            where not has_column_privilege('authenticated', wanted.relation, 'id', 'select') or not exists (
                select from pg_catalog.pg_policy as p
                where p.polrelid = wanted.relation and p.polname = wanted.name || '_of_own_library' and p.polcmd = 'r'
                    and p.polroles = array['authenticated'::regrole::oid]
                    and pg_get_expr(p.polqual, p.polrelid) = 'enrichment.is_on_own_shelf(work_id)'
            )
            limit 1
        )
    end
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
'The jobs that pg_cron runs for us, and how long after its last run each is called late.';

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

create or replace function enrichment.enrichment_providers_impl()
returns setof enrichment.provider_state
language sql stable security definer set search_path = ''
as $$
    select
        p.provider, p.is_enabled, s.wait_reason, nullif(s.available_at, 'infinity'), s.tokens, p.rate_per_second, p.burst_size,
        s.used_today,
        p.daily_limit, p.daily_reserve, p.failures, p.last_error
    from enrichment.provider_states as s
    join enrichment.providers as p on p.provider = s.provider
    order by p."position"
$$;

create or replace function enrichment.enrichment_due_impl()
returns setof enrichment.due
language sql stable security definer set search_path = ''
as $$
    with open_rows as (
        select q.status, q.next_attempt_after, q.wait_reason from public.enrichment_queue as q where q.is_open
    ),

    next_row as (
        select o.next_attempt_after, o.wait_reason
        from open_rows as o
        where o.status = 'pending' and o.next_attempt_after < 'infinity'
        order by o.next_attempt_after
        limit 1
    )

    select
        n.next_attempt_after,
        case
            when n.next_attempt_after is not null then round(greatest(extract(epoch from n.next_attempt_after - clock_timestamp()), 0), 3)
        end,
        n.wait_reason,
        (select count(*)::integer from open_rows as o where o.status = 'pending'),
        (select count(*)::integer from open_rows as o where o.status = 'in_progress')
    from (select) as always
    left join next_row as n on true
$$;

comment on type enrichment.pruned is 'How much of one kind was removed by age.';

comment on column enrichment.pruned.subject is 'The table.';

comment on column enrichment.pruned.removed is 'Rows.';

create or replace function enrichment.analyze_small_tables()
returns void
language plpgsql set search_path = ''
as $$
declare
    small regclass;
begin
    for small in
        select c.oid::regclass
        from pg_catalog.pg_class as c
        where c.oid in (to_regclass('public.users'), 'enrichment.settings'::regclass, 'enrichment.providers'::regclass)
            and (c.reltuples < 0 or (c.reltuples = 0 and pg_catalog.pg_relation_size(c.oid) > 0))
            and pg_catalog.pg_has_role(c.relowner, 'usage')
    loop
        execute format('analyze %s', small);
    end loop;
end
$$;

create function enrichment.prune_rows(kept enrichment.settings)
returns setof enrichment.pruned
language plpgsql set search_path = ''
as $$
begin
    return query
    with gone as (
        delete from public.enrichment_queue as q
        where q.id in (
            select old.id from public.enrichment_queue as old
            where old.finished_at < now() - make_interval(days => kept.keep_queue_days) limit 10000
        )
        returning 1
    )

    select 'enrichment_queue', count(*) from gone;

    return query
    with gone as (
        delete from public.enrichment_audit_log as a
        where a.id in (
            select old.id from public.enrichment_audit_log as old
            where old.created_at < now() - make_interval(days => kept.keep_audit_days) limit 10000
        )
        returning 1
    )

    select 'enrichment_audit_log', count(*) from gone;

    return query
    with gone as (
        delete from enrichment.imports as i where i.created_at < now() - make_interval(days => kept.keep_queue_days) returning 1
    )

    select 'imports', count(*) from gone;

    return query
    with gone as (
        delete from enrichment.cover_queue as c
        where c.id in (
            select old.id from enrichment.cover_queue as old
            where old.finished_at < now() - make_interval(days => kept.keep_queue_days) limit 10000
        )
        returning 1
    )

    select 'cover_queue', count(*) from gone;
end
$$;

comment on function enrichment.prune_rows(enrichment.settings) is
'Removes closed queue rows, the log, imports and closed cover rows that are older than the settings say, 10,000 of a kind at most.';

create function enrichment.prune_replies(kept enrichment.settings)
returns setof enrichment.pruned
language plpgsql set search_path = ''
as $$
begin
    return query
    with gone as (
        delete from public.source_records as s
        where s.entity_type in ('isbn_lookup', 'title_lookup') and s.fetched_at < now() - make_interval(
            days => case when s.raw ? 'no_match' then kept.miss_valid_days else kept.record_valid_days end
        )
        returning 1
    )

    select 'source_records', count(*) from gone;

    return query
    with gone as (
        delete from enrichment.parsed_records as p
        where p.fetched_at < now() - make_interval(days => case when p.is_miss then kept.miss_valid_days else kept.record_valid_days end)
            or not exists (
                select 1 from public.source_records as s
                where s.provider = p.provider and s.entity_type = p.entity_type and s.provider_id = p.provider_id
            )
        returning 1
    )

    select 'parsed_records', count(*) from gone;
end
$$;

comment on function enrichment.prune_replies(enrichment.settings) is
'Removes replies to our own look-ups that no longer answer, and parsed forms of records that are old or gone.';

create or replace function enrichment.prune_enrichment_impl()
returns setof enrichment.pruned
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    kept enrichment.settings := (select s from enrichment.settings as s);
    cron_runs bigint;
begin
    perform enrichment.analyze_small_tables();
    return query select * from enrichment.prune_rows(kept);

    -- Once a night, covers that the host has hot-linked since are looked for.
    update enrichment.cover_backfill as b
    set next_work_id = '00000000-0000-0000-0000-000000000000'
    where kept.cover_mode = 'thumbnail' and b.next_work_id is null;

    return query select * from enrichment.prune_replies(kept);
    if to_regclass('cron.job_run_details') is not null then
        execute 'delete from cron.job_run_details where end_time < now() - make_interval(days => $1)' using kept.keep_cron_runs_days;
        get diagnostics cron_runs = row_count;
        return query select 'cron.job_run_details', cron_runs;
    end if;
end
$$;

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

create or replace function public.release_cover(cover_id uuid, claim_token uuid, reason text, retry_at timestamptz default null)
returns setof enrichment.cover_state
language sql set search_path = ''
as $$
    select * from enrichment.release_cover_impl(
        release_cover.cover_id, release_cover.claim_token, release_cover.reason, release_cover.retry_at
    )
$$;

create or replace function public.approve_matching(
    confidence text default null, provider text default null, sentence text default null, import_id uuid default null,
    fields text[] default null, is_dry_run boolean default true
)
returns setof enrichment.matching_outcome
language sql set search_path = ''
as $$
    select * from enrichment.approve_matching_impl(
        approve_matching.confidence, approve_matching.provider, approve_matching.sentence, approve_matching.import_id,
        approve_matching.fields,
        approve_matching.is_dry_run
    )
$$;

create or replace function public.dismiss_matching(
    confidence text default null, provider text default null, sentence text default null, import_id uuid default null,
    is_dry_run boolean default true
)
returns setof enrichment.matching_outcome
language sql set search_path = ''
as $$
    select * from enrichment.dismiss_matching_impl(
        dismiss_matching.confidence, dismiss_matching.provider, dismiss_matching.sentence, dismiss_matching.import_id,
        dismiss_matching.is_dry_run
    )
$$;

comment on function public.list_enrichment(text, integer, text) is
'Queue rows of the own library, newest first, each with all that a review panel shows: the sentence, every value as it is now, every proposal beside it, is_mine (it was you who asked for the row or approved it; true for the service) and is_undoable (undo_enrichment would take it back for you now). The cursor of the last row gets the next page. PT422 for an unknown status, page_size beyond 1,000 or a foreign cursor.';

comment on function public.enrichment_history(uuid) is
'What enrichment and its readers did to a book of the own library, newest first, at most 200 lines: values before and after, from where, why, is_mine (it was you) and is_undoable (undo_enrichment of its queue_id would take it back for you now). PT404, PT403.';

comment on function public.enrichment_usage() is
'The free-tier meter, a line each: database (bytes against database_budget_bytes), covers (storage: all files against storage_budget_bytes; budget: our covers against cover_budget_bytes), calls (of today per provider against what we spend of its daily limit, which leaves daily_reserve, null for none, until its midnight), waiting (pending rows per reason and when the first is due; a reader''s own library only).';

revoke all on function
    enrichment.add_rows(uuid[], uuid[], enrichment.trigger_source, uuid, integer, uuid, boolean),
    enrichment.begin_import(uuid, uuid, text, integer),
    enrichment.close_covers(enrichment.answered_cover[], enrichment.cover_verdict[]),
    enrichment.compare_with_best(enrichment.scored_book[]),
    enrichment.complete_rows(uuid[]),
    enrichment.count_images(enrichment.answered_cover[], enrichment.cover_verdict[]),
    enrichment.cover_path(text),
    enrichment.details_of_candidate(jsonb, text, text),
    enrichment.edition_values(enrichment.candidate_fields),
    enrichment.fields(),
    enrichment.fill_fields(enrichment.field_value[]),
    enrichment.filled_works(uuid, uuid[]),
    enrichment.hold_import_rows(uuid),
    enrichment.hurry_open_rows(uuid[], uuid[], enrichment.trigger_source, uuid, integer, boolean),
    enrichment.imported_values(uuid),
    enrichment.job_findings(),
    enrichment.jobs(),
    enrichment.known_misses(uuid[]),
    enrichment.lookups_to_come(uuid[], enrichment.offered_value[]),
    enrichment.offers_by_row(enrichment.offered_value[]),
    enrichment.one_line_title(text, text),
    enrichment.postpone_covers(timestamp with time zone, text),
    enrichment.preview_works(uuid[]),
    enrichment.prune_replies(enrichment.settings),
    enrichment.prune_rows(enrichment.settings),
    enrichment.queue_import(uuid, uuid, integer[]),
    enrichment.read_import_row(uuid, jsonb, bigint),
    enrichment.reason_to_reject(jsonb),
    enrichment.refuse_bad_import(uuid, text, jsonb, integer),
    enrichment.refuse_missing_transition(),
    enrichment.reject_candidates(public.enrichment_queue, text[], boolean),
    enrichment.restore_fields(enrichment.field_value[]),
    enrichment.room_for_covers(),
    enrichment.scored_pairs(uuid[], boolean),
    enrichment.setting_rule(text),
    enrichment.title_numbers(text),
    enrichment.undoable_rows(uuid, uuid[]),
    enrichment.unqueue_complete(uuid, integer[]),
    enrichment.uuid_of(text),
    enrichment.weigh_rivals(enrichment.scored_book[]),
    enrichment.work_values(enrichment.candidate_fields)
from public, anon, authenticated, service_role;

reset check_function_bodies;

insert into enrichment.schema_versions (version, name, checksum, works_with, brought) values
(3, '20261128051213_write_shapes_once', '2f6f3330c4acb296e74056307c25633407c6d4f971bef9c5b878d670ddba0043', 1, '{}');
