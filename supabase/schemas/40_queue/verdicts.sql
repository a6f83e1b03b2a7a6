-- What becomes of rows whose records are in: filled and completed, proposed for review, skipped, or back in line for the next look-up.
-- The sweep and apply both end here.

create type enrichment.verdict as (
    queue_id uuid, status enrichment.queue_status, confidence enrichment.confidence, fields_applied text [],
    wait_reason text, next_attempt_after timestamptz, match_details jsonb, providers text [], lookup jsonb
);
comment on type enrichment.verdict is 'What becomes of a queue row once its candidates are weighed; lookup is what a pending one would ask next.';

create function enrichment.explain_choice(is_contested boolean, agreement text[])
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return case
        when explain_choice.is_contested then ', but another book fits as well'
        when cardinality(explain_choice.agreement) = 2 then ', two providers agree'
        when cardinality(explain_choice.agreement) > 2 then format(', %s providers agree', cardinality(explain_choice.agreement))
        else ''
    end;
end
$$;
comment on function enrichment.explain_choice(boolean, text[]) is
'How the best candidate''s sentence ends: that a rival fits as well, or that providers agree on it.';

create function enrichment.compact_parts(parts jsonb)
returns jsonb
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return compact_parts.parts
        #- '{title,ours,numbers}' #- '{title,ours,forms}' #- '{title,ours,words}'
        #- '{title,theirs,numbers}' #- '{title,theirs,forms}' #- '{title,theirs,words}';
end
$$;
comment on function enrichment.compact_parts(jsonb) is
'The parts of explain_match as they are kept with a row: without the lists that are derived from the titles.';

create function enrichment.describe_candidates(books enrichment.scored_book[], offers enrichment.offered_value[])
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
comment on function enrichment.describe_candidates(enrichment.scored_book[], enrichment.offered_value[]) is
'What match_details says of each row''s five best candidates and of all rivals: every part of every score, a sentence, where to look at the book, and what a rival would fill.';

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

create function enrichment.reach_verdicts(queue_ids uuid[], books enrichment.scored_book[], offers enrichment.offered_value[])
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
comment on function enrichment.reach_verdicts(uuid[], enrichment.scored_book[], enrichment.offered_value[]) is
'pending while a permitted look-up could still fill a gap nothing is offered for; needs_review where proposals are left or rivals ask for a choice; completed where a candidate was this book; else skipped.';

create function enrichment.resolve_rows(queue_ids uuid[])
returns setof enrichment.resolution
language plpgsql set search_path = ''
as $$
declare
    books enrichment.scored_book[];
    offers enrichment.offered_value[];
    verdicts enrichment.verdict[];
begin
    perform enrichment.parse_records(resolve_rows.queue_ids);
    perform enrichment.lock_catalogue(resolve_rows.queue_ids);

    select array_agg(s) into books from enrichment.score_candidates(resolve_rows.queue_ids) as s;
    select array_agg(b) into books from enrichment.choose_books(books) as b;
    select array_agg(o) into offers from enrichment.offer_values(books) as o;
    select array_agg(v) into verdicts from enrichment.reach_verdicts(resolve_rows.queue_ids, books, offers) as v;

    update public.enrichment_queue as q
    set status = v.status,
        confidence = v.confidence,
        fields_applied = q.fields_applied || v.fields_applied,
        cover_applied = q.cover_applied or 'work.cover_url' = any(v.fields_applied),
        providers_attempted = coalesce(v.providers, '{}'),
        match_details = v.match_details,
        wait_reason = v.wait_reason,
        next_attempt_after = v.next_attempt_after,
        attempt_count = q.attempt_count - (v.status = 'pending')::integer,
        finished_at = case when v.status in ('completed', 'skipped') then now() end,
        scored_at = now(), claim_token = null, last_error = null, updated_at = now()
    from unnest(verdicts) as v
    where q.id = v.queue_id;

    perform enrichment.write_values(offers, 'auto_applied', null);

    update public.works as w
    set enrichment_status = v.status, enrichment_confidence = v.confidence, last_enriched_at = now()
    from unnest(verdicts) as v
    join public.enrichment_queue as q on q.id = v.queue_id
    where w.id = q.work_id and v.status <> 'pending';

    insert into public.enrichment_audit_log (enrichment_queue_id, work_id, edition_id, import_id, action, confidence, match_details)
    select
        q.id, q.work_id, q.edition_id, q.import_id, case v.status when 'skipped' then 'skipped' else 'queued_review' end,
        v.confidence, v.match_details
    from unnest(verdicts) as v
    join public.enrichment_queue as q on q.id = v.queue_id
    where v.status in ('skipped', 'needs_review');

    return query
    select q.id, q.work_id, q.status, q.confidence, v.fields_applied, q.wait_reason, q.last_error
    from unnest(verdicts) as v
    join public.enrichment_queue as q on q.id = v.queue_id
    order by q.priority, q.id;
end
$$;
comment on function enrichment.resolve_rows(uuid[]) is
'Weighs, fills, proposes and closes claimed rows from the records there are; a row that needs another look-up goes back to pending with its attempt.';

create function enrichment.resolve_claimed(queue_ids uuid[])
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
comment on function enrichment.resolve_claimed(uuid[]) is
'resolve_rows, one row at a time once the batch as a whole has raised; a row that raises alone spends an attempt, unless it only met a deadlock or a lock.';
