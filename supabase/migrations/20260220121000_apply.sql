-- From answers to filled fields. Both lanes end here: the sweep, which answers from stored records alone, and apply_enrichment, which
-- first stores what a worker fetched. Candidates are weighed, the best one's values fill what is empty as far as its confidence
-- allows, the rest is proposed for review, and the row closes or goes on to its next look-up. Where two works fit equally well, a person is
-- asked. Everything is done for the whole batch.

create function enrichment.merge_values(objects jsonb[])
returns jsonb
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    -- One, or one and its echo: no need to take them apart.
    if merge_values.objects[1] = all(merge_values.objects) then
        return merge_values.objects[1];
    end if;
    return (
        select jsonb_object_agg(v.key, v.value order by o.place)
        from unnest(merge_values.objects) with ordinality as o (value, place)
        cross join lateral jsonb_each(o.value) as v
    );
end
$$;
comment on function enrichment.merge_values(jsonb[]) is 'Objects laid over each other; where a key comes twice the later one stays. Null for no object.';
revoke all on function enrichment.merge_values(jsonb[]) from public, anon, authenticated, service_role;

create type enrichment.scored_book as (
    queue_id uuid, provider text, work_key text, title text, authors text, source_record jsonb,
    title_parts enrichment.title_parts, author_parts enrichment.author_parts,
    title_score integer, author_score integer, isbn_score integer, confidence enrichment.confidence, rejection text,
    place integer, place_at_provider integer, is_contested boolean, is_rival boolean, agreement text [], "values" jsonb
);
comment on type enrichment.scored_book is
'A provider''s book weighed against a queue row''s work: score parts, tier, place, and what it could fill. place_at_provider: its place among those of its provider that are one book with the best. is_contested: the row''s best has rivals, this may be one. agreement: who knows the best. rejection: dismissed, passed_over or null.';

create function enrichment.score_candidates(queue_ids uuid[], with_rejected boolean default false)
returns setof enrichment.scored_book
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
        where q.id = any(score_candidates.queue_ids)
    ),

    -- Materialized: each score is computed once per pair, not once per mention. An author whose key is equal is ours, under any name.
    pairs as materialized (
        select
            r.id, c.provider, c.work_key, c.title, c.author_names, c.work_values, c.edition_values, r.isbn, c.title_parts,
            case when r.author_ids && c.author_ids then r.author_parts else c.author_parts end as author_parts,
            jsonb_build_object('entity_type', c.entity_type, 'provider_id', c.provider_id) as source_record,
            case when j.is_dismissed then 'dismissed' when not j.is_dismissed then 'passed_over' end as rejection,
            enrichment.title_score(r.title_parts, c.title_parts) as title_score,
            case when r.author_ids && c.author_ids then 3 else enrichment.author_score(r.author_parts, c.author_parts) end as author_score,
            case when r.isbns && c.isbns then enrichment.isbn_score(r.isbn13, r.isbn10, c.isbns) else 0 end as isbn_score,
            r.isbn = any(c.isbns)
            and coalesce(r.language <> c.edition_values ->> 'edition.language', false) is false
            and coalesce(r.format <> enrichment.format_of(c.edition_values ->> 'edition.format'), false) is false as is_same_edition
        from wanted as r
        join enrichment.queue_records as x on x.queue_id = r.id
        join enrichment.candidates as c
            on c.provider = x.provider and c.entity_type = x.entity_type and c.provider_id = x.provider_id
        left join enrichment.rejected_candidates as j
            on j.work_id = r.work_id and j.provider = c.provider and j.candidate_key = c.work_key
        where j.work_id is null or score_candidates.with_rejected
    ),

    books as (
        select
            p.id, p.provider, p.work_key, p.rejection,
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
        from pairs as p
        group by p.id, p.provider, p.work_key, p.rejection
    ),

    tiers as (
        select b.*, enrichment.confidence_of(b.title_score, b.author_score, b.isbn_score) as confidence, p."position"
        from books as b
        join enrichment.providers as p on p.provider = b.provider
    )

    select
        t.id, t.provider, t.work_key, t.title, t.authors, t.source_record, t.title_parts, t.author_parts, t.title_score, t.author_score,
        t.isbn_score, t.confidence, t.rejection,
        row_number() over (
            partition by t.id
            order by t.rejection nulls first, t.confidence desc, total desc, t."position", t."values" ? 'work.cover_url' desc, t.work_key
        )::integer,
        null::integer, false, false, null::text[], t."values"
    from tiers as t
    cross join lateral (select t.isbn_score + t.title_score + coalesce(t.author_score, 0)) as sum (total)
$$;
comment on function enrichment.score_candidates(uuid[], boolean) is
'Weighs every candidate that the valid records hold for these queue rows, one line per provider and book, best first by place. Those a reader turned away are left out, or come last where they are asked for.';
revoke all on function enrichment.score_candidates(uuid[], boolean) from public, anon, authenticated, service_role;

create function enrichment.is_same_book(
    one_title enrichment.title_parts, other_title enrichment.title_parts, one_authors enrichment.author_parts,
    other_authors enrichment.author_parts, one_year integer, other_year integer
)
returns boolean
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    authors integer;
begin
    if enrichment.title_score(one_title, other_title) < 3 then
        return false;
    end if;
    authors := enrichment.author_score(one_authors, other_authors);
    return coalesce(authors >= 2, false) or (authors is distinct from 0 and coalesce(abs(one_year - other_year) <= 1, true));
end
$$;
comment on function enrichment.is_same_book(
    enrichment.title_parts, enrichment.title_parts, enrichment.author_parts, enrichment.author_parts, integer, integer
) is
'Whether two candidates are one book: titles equal but for a subtitle, and an author in common; where the authors leave it open, years no more than one apart.';
revoke all on function enrichment.is_same_book(
    enrichment.title_parts, enrichment.title_parts, enrichment.author_parts, enrichment.author_parts, integer, integer
) from public, anon, authenticated, service_role;

create function enrichment.choose_books(books enrichment.scored_book[])
returns setof enrichment.scored_book
language sql stable set search_path = '' set enable_nestloop = off
as $$
    -- Nothing here has statistics: joined by nested loops the choice for 1,000 rows took 1.8 s, hashed 0.1 s.
    with weighed as materialized (
        select
            b.*, least(b.confidence, 'medium') as tier, b.isbn_score >= 4 as has_isbn, b.title_score + coalesce(b.author_score, 0) as fit,
            (b."values" ->> 'work.first_publish_year')::integer as year
        from unnest(choose_books.books) as b
    ),

    beside_best as materialized (
        select
            b.queue_id, b.place, b.provider, b.tier, b.title_parts, b.author_parts, b.year,
            b.tier = best.tier and b.has_isbn = best.has_isbn and abs(b.fit - best.fit) <= 1 as is_near,
            b.place = 1 or (b.tier = 'medium' and b.has_isbn and best.has_isbn)
            or enrichment.is_same_book(best.title_parts, b.title_parts, best.author_parts, b.author_parts, best.year, b.year) as is_same
        from weighed as best
        join weighed as b on b.queue_id = best.queue_id
        where best.place = 1 and best.rejection is null and b.rejection is null and b.confidence >= 'low'
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
        select distinct on (c.queue_id) c.queue_id, c.place, c.same_places, c.providers
        from competitors as c
        order by c.queue_id, c.providers desc, c.place
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
        select b.queue_id, coalesce(w.place, 1) as best_place, coalesce(w.same_places, b.same_places) as same_places, r.places as rival_places
        from (
            select s.queue_id, array_agg(s.place) filter (where s.is_same) as same_places from beside_best as s group by s.queue_id
        ) as b
        left join winners as w on w.queue_id = b.queue_id
        left join rivals as r on r.queue_id = b.queue_id
    ),

    agreements as (
        select c.queue_id, array_agg(distinct b.provider) as providers
        from choices as c
        join beside_best as best on best.queue_id = c.queue_id and best.place = c.best_place
        join beside_best as b on b.queue_id = c.queue_id and b.place = any(c.same_places) and b.tier = best.tier
        group by c.queue_id
        having count(distinct b.provider) > 1
    )

    select
        b.queue_id, b.provider, b.work_key, b.title, b.authors, b.source_record, b.title_parts, b.author_parts, b.title_score, b.author_score,
        b.isbn_score, b.confidence, b.rejection,
        case when b.place = c.best_place then 1 when b.place < c.best_place then b.place + 1 else b.place end,
        case when b.place = any(c.same_places) then row_number() over (
            partition by b.queue_id, b.provider, b.place = any(c.same_places) order by b.place = c.best_place desc, b.place
        )::integer end,
        c.rival_places is not null, coalesce(b.place = any(c.rival_places), false), a.providers, b."values"
    from weighed as b
    left join choices as c on c.queue_id = b.queue_id
    left join agreements as a on a.queue_id = b.queue_id
$$;
comment on function enrichment.choose_books(enrichment.scored_book[]) is
'The answer of score_candidates with the choice made: other works whose title and author fit as well (a point apart at most), equal ISBN or none on both sides, are rivals. Where two providers know one of them and the others one does, that one is best and has no rivals.';
revoke all on function enrichment.choose_books(enrichment.scored_book[]) from public, anon, authenticated, service_role;

create type enrichment.offered_value as (
    queue_id uuid, field text, value text, provider text, work_key text, source_record jsonb, confidence enrichment.confidence,
    is_applied boolean, is_alternative boolean
);
comment on type enrichment.offered_value is
'A value for one gap, where it comes from, and whether its confidence and the settings let it be written unasked. is_alternative: a rival''s, for who chooses it instead of the best.';

create function enrichment.offer_values(books enrichment.scored_book[])
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
    join enrichment.wanted_fields as gaps on gaps.queue_id = b.queue_id
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
comment on function enrichment.offer_values(enrichment.scored_book[]) is
'The best value for each gap: from the best book and what other providers know of the same, medium or better, or the one low book there is; beside it what each rival would fill, and then nothing is applied. A candidate that has filled a field before does not offer it again.';
revoke all on function enrichment.offer_values(enrichment.scored_book[]) from public, anon, authenticated, service_role;

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
revoke all on function enrichment.current_values(public.works, public.editions) from public, anon, authenticated, service_role;

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
revoke all on function enrichment.write_values(enrichment.offered_value[], text, uuid) from public, anon, authenticated, service_role;

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
revoke all on function enrichment.lock_catalogue(uuid[]) from public, anon, authenticated, service_role;

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
revoke all on function enrichment.explain_choice(boolean, text[]) from public, anon, authenticated, service_role;

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
revoke all on function enrichment.compact_parts(jsonb) from public, anon, authenticated, service_role;

create function enrichment.describe_candidates(books enrichment.scored_book[], offers enrichment.offered_value[])
returns table (queue_id uuid, details jsonb)
language sql stable set search_path = ''
as $$
    -- Materialized, or explain_match would run once per mention.
    with explained as materialized (
        select
            b.queue_id, b.provider, b.work_key, b.title, b.authors, b.source_record, b.title_score, b.author_score, b.isbn_score, b.confidence,
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
                'sentence', e.match -> 'sentence', 'parts', case when e.place = 1 or e.confidence >= 'low' then enrichment.compact_parts(e.match -> 'parts') end,
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
revoke all on function enrichment.describe_candidates(enrichment.scored_book[], enrichment.offered_value[])
from public, anon, authenticated, service_role;

create function enrichment.reach_verdicts(queue_ids uuid[], books enrichment.scored_book[], offers enrichment.offered_value[])
returns setof enrichment.verdict
language sql stable set search_path = ''
as $$
    with offered as (
        select
            o.queue_id,
            array_agg(o.field order by o.field) filter (where not o.is_alternative) as fields,
            array_agg(o.field order by o.field) filter (where o.is_applied) as applied,
            jsonb_object_agg(o.field, jsonb_build_object(
                'value', o.value, 'provider', o.provider, 'work_key', o.work_key, 'candidate', o.provider || ':' || o.work_key,
                'source_record', o.source_record, 'confidence', o.confidence
            )) filter (where not o.is_applied and not o.is_alternative) as proposals,
            bool_or(o.is_alternative) as has_alternatives
        from unnest(reach_verdicts.offers) as o
        group by o.queue_id
    ),

    best as (
        select b.queue_id, b.confidence from unnest(reach_verdicts.books) as b where b.place = 1
    ),

    lookups as materialized (
        select * from enrichment.possible_lookups as l where l.queue_id = any(reach_verdicts.queue_ids)
    ),

    wanted_lookups as (
        select l.*
        from lookups as l
        join enrichment.wanted_fields as gaps on gaps.queue_id = l.queue_id
        left join offered as o on o.queue_id = l.queue_id
        where exists (
            select 1 from unnest(gaps.fields) as field where field = any(l.fills) and field <> all(coalesce(o.fields, '{}'))
        )
    ),

    next_lookups as (
        select distinct on (l.queue_id) l.*
        from wanted_lookups as l
        where not l.is_given_up
        order by l.queue_id, l."position"
    ),

    given_up as (
        select l.queue_id, jsonb_object_agg(l.provider, l.wait_reason) as reasons
        from wanted_lookups as l
        where l.is_given_up
        group by l.queue_id
    ),

    records as (
        select r.queue_id, array_agg(distinct r.provider) as providers
        from enrichment.queue_records as r
        where r.queue_id = any(reach_verdicts.queue_ids)
        group by r.queue_id
    )

    select
        q.id,
        case
            when next_lookup.provider is not null then 'pending'
            when o.proposals is not null or o.has_alternatives then 'needs_review'
            when coalesce(best.confidence, 'none') >= 'medium' or q.fields_applied <> '{}' then 'completed'
            else 'skipped'
        end::enrichment.queue_status,
        coalesce(best.confidence, 'none'), coalesce(o.applied, '{}'),
        case when next_lookup.provider is not null then coalesce(next_lookup.wait_reason, 'next_lookup') end,
        case when next_lookup.wait_reason is not null then next_lookup.available_at else now() end,
        case
            when d.details is not null then d.details
            when next_lookup.provider is null then '{"sentence": "no provider knows this book"}'
            else '{}'
        end
        || jsonb_strip_nulls(jsonb_build_object(
            'proposals', o.proposals, 'not_asked', case when next_lookup.provider is null then g.reasons end
        )),
        r.providers,
        case when next_lookup.provider is not null then jsonb_build_object(
            'provider', next_lookup.provider, 'kind', next_lookup.kind, 'key', next_lookup.key, 'title', next_lookup.title,
            'author', next_lookup.author
        ) end
    from public.enrichment_queue as q
    left join offered as o on o.queue_id = q.id
    left join best on best.queue_id = q.id
    left join enrichment.describe_candidates(reach_verdicts.books, reach_verdicts.offers) as d on d.queue_id = q.id
    left join next_lookups as next_lookup on next_lookup.queue_id = q.id
    left join given_up as g on g.queue_id = q.id
    left join records as r on r.queue_id = q.id
    where q.id = any(reach_verdicts.queue_ids)
$$;
comment on function enrichment.reach_verdicts(uuid[], enrichment.scored_book[], enrichment.offered_value[]) is
'pending while a permitted look-up could still fill a gap nothing is offered for; needs_review where proposals are left or rivals ask for a choice; completed where a candidate was this book; else skipped.';
revoke all on function enrichment.reach_verdicts(uuid[], enrichment.scored_book[], enrichment.offered_value[])
from public, anon, authenticated, service_role;

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
revoke all on function enrichment.resolve_rows(uuid[]) from public, anon, authenticated, service_role;

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
            set status = 'pending', attempt_count = q.attempt_count - 1, wait_reason = 'backoff', next_attempt_after = now() + interval '5 seconds',
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
revoke all on function enrichment.resolve_claimed(uuid[]) from public, anon, authenticated, service_role;

create function enrichment.sweep_enrichment_impl(batch_size integer)
returns setof enrichment.resolution
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    batch integer := coalesce(sweep_enrichment_impl.batch_size, (select s.sweep_batch_size from enrichment.settings as s));
    answerable_ids uuid[];
    claimed_ids uuid[];
begin
    if batch not between 1 and 1000 then
        perform enrichment.refuse('PT422', format('batch_size %s is not between 1 and 1,000', batch), 'call it again for more');
    end if;

    perform enrichment.parse_new_works();
    -- A statement of its own: as a subquery it was run once per row under stale statistics, 109 s for 1,000 rows.
    select array_agg(distinct r.queue_id) into answerable_ids
    from enrichment.queue_records as r
    where r.is_open and r.fetched_at > coalesce(r.scored_at, '-infinity');

    perform enrichment.refresh_parsed_works(array(
        select q.work_id
        from public.enrichment_queue as q
        where q.id = any(answerable_ids) and q.status = 'pending'
        order by q.priority, q.next_attempt_after, q.id
        limit batch
    ));

    with picked as (
        select q.id
        from public.enrichment_queue as q
        cross join enrichment.settings as s
        where q.id = any(answerable_ids) and q.status = 'pending' and (s.auto_enabled or q.trigger_source = 'manual_bulk')
            and (q.next_attempt_after <= now() or q.wait_reason not in ('backoff', 'stale', 'auto_disabled'))
        order by q.priority, q.next_attempt_after, q.id
        limit batch
        for update of q skip locked
    ),

    claimed as (
        update public.enrichment_queue as q
        set status = 'in_progress', started_at = now(), attempt_count = q.attempt_count + 1, wait_reason = null,
            claim_token = gen_random_uuid(), claimed_by = 'sweep', updated_at = now()
        from picked
        where q.id = picked.id
        returning q.id
    )

    select array_agg(claimed.id) into claimed_ids from claimed;

    if claimed_ids is not null then
        return query select * from enrichment.resolve_claimed(claimed_ids);
    end if;
end
$$;
revoke all on function enrichment.sweep_enrichment_impl(integer) from public, anon, authenticated, service_role;
grant execute on function enrichment.sweep_enrichment_impl(integer) to service_role;

create function public.sweep_enrichment(batch_size integer default null)
returns setof enrichment.resolution
language sql set search_path = ''
as $$
    select * from enrichment.sweep_enrichment_impl(sweep_enrichment.batch_size)
$$;
comment on function public.sweep_enrichment(integer) is
'The cached lane: resolves up to batch_size pending works (default settings.sweep_batch_size, at most 1,000) for which stored records say something new. No HTTP. Zero rows: nothing can be answered from the cache.';
revoke all on function public.sweep_enrichment(integer) from public, anon, authenticated, service_role;
grant execute on function public.sweep_enrichment(integer) to service_role;

create type enrichment.answered_element as ("position" integer, queue_id uuid, claim_token uuid, lookups jsonb, problem text);

create function enrichment.read_results(results jsonb)
returns setof enrichment.answered_element
language sql stable set search_path = ''
as $$
    select
        element.place::integer - 1,
        case when element.value ->> 'queue_id' ~ uuid_shape then (element.value ->> 'queue_id')::uuid end,
        case when element.value ->> 'claim_token' ~ uuid_shape then (element.value ->> 'claim_token')::uuid end,
        lookups,
        case
            when jsonb_typeof(element.value) <> 'object' then 'the element is not a JSON object'
            when coalesce(element.value ->> 'queue_id', '') !~ uuid_shape then 'queue_id is not a uuid'
            when coalesce(element.value ->> 'claim_token', '') !~ uuid_shape then 'claim_token is not a uuid'
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
    cross join (values ('^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$')) as pattern (uuid_shape)
$$;
comment on function enrichment.read_results(jsonb) is 'The elements of an apply call, each with what is wrong with it, if anything.';
revoke all on function enrichment.read_results(jsonb) from public, anon, authenticated, service_role;

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
revoke all on function enrichment.store_lookups(enrichment.answered_element[]) from public, anon, authenticated, service_role;

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
revoke all on function enrichment.apply_enrichment_impl(jsonb) from public, anon, authenticated, service_role;
grant execute on function enrichment.apply_enrichment_impl(jsonb) to service_role;

create function public.apply_enrichment(results jsonb)
returns setof enrichment.apply_outcome
language sql set search_path = ''
as $$
    select * from enrichment.apply_enrichment_impl(apply_enrichment.results)
$$;
comment on function public.apply_enrichment(jsonb) is
'Takes a worker''s answers: [{"queue_id", "claim_token", "lookups": [{"provider", "kind", "key", "raw" or "no_match": true}]}], up to 1,000. Stores them, scores, fills and closes or re-queues. One outcome per element by position (from 0): applied, stale_claim (nothing changed) or rejected with a message; a bad element fails alone.';
revoke all on function public.apply_enrichment(jsonb) from public, anon, authenticated, service_role;
grant execute on function public.apply_enrichment(jsonb) to service_role;
