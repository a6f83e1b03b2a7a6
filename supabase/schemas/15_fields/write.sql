-- How what a provider offers enters the catalogue: emptiness is checked by the statement that writes (fill_fields), under the lock that
-- guards locks of fields, and each change leaves its row in the audit log. What a reader's file knows is written in 55_imports/create.

create type enrichment.offered_value as (
    queue_id uuid, field text, value text, provider text, work_key text, source_record jsonb, confidence enrichment.confidence,
    is_applied boolean, is_alternative boolean
);
comment on type enrichment.offered_value is
'A value for one gap, where it comes from, and whether its confidence and the settings let it be written unasked. is_alternative: a rival''s, for who chooses it instead of the best.';

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
