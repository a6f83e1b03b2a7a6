-- The worker's way back: raw replies come in, are stored for all readers, and decide the rows that asked for them. A bad element fails
-- alone.

create type enrichment.apply_outcome as (
    "position" integer, queue_id uuid, outcome text, status enrichment.queue_status, confidence enrichment.confidence,
    fields_applied text [], message text
);
comment on type enrichment.apply_outcome is 'What became of one element of an apply_enrichment call.';
comment on column enrichment.apply_outcome."position" is 'In the array that was sent, from 0.';
comment on column enrichment.apply_outcome.queue_id is 'Null: the element named none.';
comment on column enrichment.apply_outcome.outcome is
'applied, stale_claim (the claim is no longer the sender''s) or rejected (the element is malformed).';
comment on column enrichment.apply_outcome.status is 'Of the queue row. Null: nothing was applied.';
comment on column enrichment.apply_outcome.confidence is 'Of the best candidate. Null: nothing was applied.';
comment on column enrichment.apply_outcome.fields_applied is 'Fields that were filled.';
comment on column enrichment.apply_outcome.message is 'What is wrong, or why the row waits. Null: neither.';

create type enrichment.answered_element as ("position" integer, queue_id uuid, claim_token uuid, lookups jsonb, problem text);
comment on type enrichment.answered_element is 'An element of an apply_enrichment call, and what is wrong with it, if anything.';

create function enrichment.read_results(results jsonb)
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
comment on function enrichment.read_results(jsonb) is 'The elements of an apply call, each with what is wrong with it, if anything.';

create function enrichment.store_lookups(elements enrichment.answered_element[])
returns void
language sql set search_path = ''
as $$
    insert into public.source_records as s (provider, entity_type, provider_id, raw, fetched_at)
    select distinct on (l.value ->> 'provider', l.value ->> 'kind', l.value ->> 'key')
        l.value ->> 'provider', (l.value ->> 'kind') || '_lookup', l.value ->> 'key',
        case when l.value -> 'no_match' = 'true' then '{"no_match": true}' else l.value -> 'raw' end, now()
    from unnest(store_lookups.elements) as e
    cross join lateral jsonb_array_elements(e.lookups) as l (value)
    order by l.value ->> 'provider', l.value ->> 'kind', l.value ->> 'key', l.value -> 'no_match' = 'true' nulls first
    on conflict (provider, entity_type, provider_id) do update
    set raw = excluded.raw, fetched_at = excluded.fetched_at
$$;
comment on function enrichment.store_lookups(enrichment.answered_element[]) is
'Keeps each reply once, under its look-up key, as source_records of our own entity types isbn_lookup and title_lookup.';

create function enrichment.apply_enrichment_impl(results jsonb)
returns setof enrichment.apply_outcome
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    elements enrichment.answered_element[];
    fenced enrichment.answered_element[];
    fenced_ids uuid[];
begin
    if jsonb_typeof(apply_enrichment_impl.results) is distinct from 'array' then
        perform enrichment.refuse('PT422', 'results is not a JSON array', 'send [{"queue_id", "claim_token", "lookups"}]');
    end if;
    perform enrichment.refuse_long_list(jsonb_array_length(apply_enrichment_impl.results));
    select array_agg(r) into elements from enrichment.read_results(apply_enrichment_impl.results) as r;

    perform enrichment.refresh_parsed_works(array(
        select q.work_id from public.enrichment_queue as q where q.id in (select e.queue_id from unnest(elements) as e)
    ));

    with held as (
        select q.id, q.claim_token
        from public.enrichment_queue as q
        where q.id in (select e.queue_id from unnest(elements) as e where e.problem is null) and q.status = 'in_progress'
        order by q.id
        for update
    )

    select array_agg(first.e), array_agg((first.e).queue_id) into fenced, fenced_ids
    from (
        select distinct on (e.queue_id) e
        from unnest(elements) as e
        join held on held.id = e.queue_id and held.claim_token = e.claim_token
        where e.problem is null
        order by e.queue_id, e."position"
    ) as first;

    perform enrichment.store_lookups(fenced);

    return query
    with resolved as (select r.* from enrichment.resolve_claimed(fenced_ids) as r where fenced_ids is not null)

    select
        e."position", e.queue_id,
        case when e.problem is not null then 'rejected' when r.queue_id is null then 'stale_claim' else 'applied' end,
        r.status, r.confidence, r.fields_applied,
        case
            when e.problem is not null then e.problem
            when r.queue_id is null then 'the claim is no longer yours; nothing was changed'
            else coalesce(r.last_error, r.wait_reason)
        end
    from unnest(elements) as e
    left join unnest(fenced) as f on f."position" = e."position"
    left join resolved as r on r.queue_id = f.queue_id
    order by e."position";
end
$$;
