-- The one place where a value enters the catalogue. Emptiness is checked by the statement that writes, under the lock that guards
-- locks of fields, and each change leaves its row in the audit log.

create type enrichment.offered_value as (
    queue_id uuid, field text, value text, provider text, work_key text, source_record jsonb, confidence enrichment.confidence,
    is_applied boolean, is_alternative boolean
);
comment on type enrichment.offered_value is
'A value for one gap, where it comes from, and whether its confidence and the settings let it be written unasked. is_alternative: a rival''s, for who chooses it instead of the best.';

create function enrichment.current_values(work public.works, edition public.editions)
returns jsonb
language plpgsql stable set search_path = ''
as $$
begin
    return jsonb_build_object(
        'work.cover_url', work.default_cover_url, 'work.description', work.description, 'work.first_publish_year', work.first_publish_year,
        'edition.publisher', edition.publisher, 'edition.publish_date', edition.publish_date, 'edition.isbn10', edition.isbn10,
        'edition.isbn13', edition.isbn13, 'edition.language', edition.language, 'edition.format', edition.format,
        'edition.total_pages', edition.total_pages, 'edition.total_audio_minutes', edition.total_audio_minutes
    );
end
$$;
comment on function enrichment.current_values(public.works, public.editions) is 'Every field enrichment may fill, as it is now.';

create function enrichment.write_values(offers enrichment.offered_value[], action text, actor uuid)
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

    applied as (
        select o.*, b.work_id, b.edition_id, b.old_values -> o.field as old
        from unnest(write_values.offers) as o
        join before as b on b.id = o.queue_id
        where o.is_applied
    ),

    work_values as (
        select a.work_id, jsonb_object_agg(a.field, a.value) as new
        from applied as a where a.field like 'work.%' group by a.work_id
    ),

    edition_values as (
        select a.edition_id, jsonb_object_agg(a.field, a.value) as new
        from applied as a where a.field like 'edition.%' group by a.edition_id
    ),

    works_written as (
        update public.works as w
        set default_cover_url = coalesce(nullif(w.default_cover_url, ''), v.new ->> 'work.cover_url', w.default_cover_url),
            description = coalesce(nullif(w.description, ''), v.new ->> 'work.description', w.description),
            first_publish_year = coalesce(nullif(w.first_publish_year, 0), (v.new ->> 'work.first_publish_year')::smallint, w.first_publish_year),
            updated_at = now()
        from work_values as v
        where w.id = v.work_id
    ),

    editions_written as (
        update public.editions as e
        set publisher = coalesce(nullif(e.publisher, ''), v.new ->> 'edition.publisher', e.publisher),
            publish_date = coalesce(e.publish_date, (v.new ->> 'edition.publish_date')::date),
            isbn10 = coalesce(nullif(e.isbn10, ''), v.new ->> 'edition.isbn10', e.isbn10),
            isbn13 = coalesce(nullif(e.isbn13, ''), v.new ->> 'edition.isbn13', e.isbn13),
            language = coalesce(nullif(e.language, ''), v.new ->> 'edition.language', e.language),
            format = coalesce(nullif(e.format, ''), v.new ->> 'edition.format', e.format),
            total_pages = coalesce(e.total_pages, (v.new ->> 'edition.total_pages')::integer),
            total_audio_minutes = coalesce(e.total_audio_minutes, (v.new ->> 'edition.total_audio_minutes')::integer),
            updated_at = now()
        from edition_values as v
        where e.id = v.edition_id
    ),

    remembered as (
        insert into enrichment.filled_fields (entity_id, field, provider, candidate_key)
        select case when a.field like 'work.%' then a.work_id else a.edition_id end, a.field, a.provider, a.work_key
        from applied as a
        order by 1, 2, 3, 4
        on conflict do nothing
    )

    insert into public.enrichment_audit_log (
        enrichment_queue_id, work_id, edition_id, import_id, action, provider, source_record, confidence, fields_changed, previous_values,
        match_details, actor
    )
    select
        b.id, b.work_id, b.edition_id, b.import_id, write_values.action, change.provider,
        change.source_record || jsonb_build_object('work_key', change.work_key), change.confidence,
        change.fields, change.previous,
        jsonb_set(b.match_details, '{candidates}', jsonb_path_query_array(
            b.match_details, '$.candidates[*] ? (@.provider == $provider && @.work_key == $work_key)',
            jsonb_build_object('provider', change.provider, 'work_key', change.work_key)
        ), false),
        write_values.actor
    from before as b
    join (
        select
            a.queue_id, a.provider, a.work_key, (array_agg(a.source_record))[1] as source_record, max(a.confidence) as confidence,
            jsonb_object_agg(a.field, jsonb_build_object('old', a.old, 'new', a.value)) as fields,
            jsonb_object_agg(a.field, a.old) as previous
        from applied as a
        group by a.queue_id, a.provider, a.work_key
    ) as change on change.queue_id = b.id
$$;
comment on function enrichment.write_values(enrichment.offered_value[], text, uuid) is
'Writes the applied values where the field is still empty at that moment, remembers them, and logs them. The caller holds the locks under which they were offered.';

create function enrichment.lock_catalogue(queue_ids uuid[])
returns void
language plpgsql set search_path = ''
as $$
begin
    perform 1 from public.works as w
    where w.id in (select q.work_id from public.enrichment_queue as q where q.id = any(lock_catalogue.queue_ids))
    order by w.id for no key update;

    perform 1 from public.editions as e
    where e.id in (select q.edition_id from public.enrichment_queue as q where q.id = any(lock_catalogue.queue_ids))
    order by e.id for no key update;
end
$$;
comment on function enrichment.lock_catalogue(uuid[]) is 'Locks the works, then the editions of these queue rows in key order, so that what is empty stays so until it is written.';
