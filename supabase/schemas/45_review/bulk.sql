-- The same decisions for many rows at once: those of a confidence, a provider, a sentence or an import, counted first, then decided.

create type enrichment.matching_outcome as (
    is_dry_run boolean, matched integer, changed integer, skipped integer, fields jsonb, remaining integer
);
comment on type enrichment.matching_outcome is 'What a decision about all rows of a kind did, or would do.';
comment on column enrichment.matching_outcome.matched is 'Rows in review that the filter finds.';
comment on column enrichment.matching_outcome.changed is 'Rows that were decided.';
comment on column enrichment.matching_outcome.skipped is 'Rows that somebody else took meanwhile, or that were refused alone.';
comment on column enrichment.matching_outcome.fields is 'How many values per field: {"work.description": 31}.';
comment on column enrichment.matching_outcome.remaining is
'Left for the next call, after a dry run all of them: call again while changed is more than 0.';

create function enrichment.matching_reviews(
    confidence text, provider text, sentence text, import_id uuid, fields text[], with_rivals boolean
)
returns uuid[]
language plpgsql stable set search_path = '' set random_page_cost = 1.1 set plan_cache_mode = force_custom_plan
as $$
declare
    reader uuid := enrichment.acting_reader();
begin
    if matching_reviews.confidence <> all(enum_range(null::enrichment.confidence)::text[]) then
        perform enrichment.refuse('PT422', format('unknown confidence %s', matching_reviews.confidence), 'use high, medium or low');
    end if;
    if exists (
        select 1 from unnest(matching_reviews.fields) as f
        where f is null or not enrichment.current_values(null::public.works, null::public.editions) ? f
    ) then
        perform enrichment.refuse('PT422', 'a field has no such name', 'use work.cover_url, edition.publisher …');
    end if;
    if matching_reviews.import_id is not null then
        perform enrichment.refuse_foreign_import(matching_reviews.import_id);
    end if;
    return array(
        select q.id
        from public.enrichment_queue as q
        where q.is_in_review
            and (reader is null or q.work_id in (select i.work_id from public.library_items as i where i.user_id = reader))
            and (matching_reviews.confidence is null or q.confidence = matching_reviews.confidence::enrichment.confidence)
            and (matching_reviews.sentence is null or q.match_details ->> 'sentence' = matching_reviews.sentence)
            and (matching_reviews.import_id is null or q.import_id = matching_reviews.import_id)
            and (matching_reviews.with_rivals or (q.match_details ? 'rivals') is not true)
            and (matching_reviews.fields is null or q.match_details -> 'proposals' ?| matching_reviews.fields)
            and (matching_reviews.provider is null or (
                select bool_and(shown.provider = matching_reviews.provider)
                from (
                    select p.value ->> 'provider' as provider from jsonb_each(q.match_details -> 'proposals') as p
                    union all
                    select split_part(r.candidate, ':', 1) from jsonb_array_elements_text(q.match_details -> 'rivals') as r (candidate)
                ) as shown
            ))
        order by q.id
    );
end
$$;
comment on function enrichment.matching_reviews(text, text, text, uuid, text[], boolean) is
'Rows in review, of a reader''s own library, that fit every filter that is not null: the confidence, the sentence, the import, one of the fields proposed, and all that is proposed, or shown as a rival, from one provider; those that show rivals only if asked for.';

create function enrichment.counted_fields(queue_ids uuid[], fields text[])
returns jsonb
language plpgsql stable set search_path = ''
as $$
begin
    return (
        select coalesce(jsonb_object_agg(counted.field, counted.times), '{}')
        from (
            select p.field, count(*) as times
            from public.enrichment_queue as q
            join enrichment.wanted_fields(counted_fields.queue_ids) as gaps on gaps.queue_id = q.id
            cross join lateral jsonb_object_keys(q.match_details -> 'proposals') as p (field)
            where q.id = any(counted_fields.queue_ids) and p.field = any(gaps.fields)
                and (counted_fields.fields is null or p.field = any(counted_fields.fields))
            group by p.field
        ) as counted
    );
end
$$;
comment on function enrichment.counted_fields(uuid[], text[]) is 'How many of these rows would fill each field now: proposed, still empty, not locked.';

create function enrichment.lock_matching(queue_ids uuid[])
returns uuid[]
language plpgsql set search_path = ''
as $$
declare
    held uuid[];
begin
    with locked as (
        select q.id from public.enrichment_queue as q
        where q.id = any(lock_matching.queue_ids) and q.is_in_review
        order by q.id for update skip locked
    )

    select coalesce(array_agg(l.id order by l.id), '{}') into held from locked as l;
    -- All of them before the first is decided: row by row, two calls could wait for each other.
    perform enrichment.lock_catalogue(held);
    return held;
end
$$;
comment on function enrichment.lock_matching(uuid[]) is 'Locks those of these rows that are still in review and that nobody has in hand, with their works and editions.';

create function enrichment.approve_matching_impl(
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

create function enrichment.dismiss_matching_impl(confidence text, provider text, sentence text, import_id uuid, is_dry_run boolean)
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
