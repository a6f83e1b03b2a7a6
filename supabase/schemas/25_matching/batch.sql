-- Scoring for many rows at once: every candidate that the cache holds for them, from parsed forms, rejected ones left out.
-- Before: 35_cache parsed the replies. After: rivals chooses among what is scored here.

create type enrichment.scored_book as (
    queue_id uuid, provider text, work_key text, title text, authors text, source_record jsonb,
    title_parts enrichment.title_parts, author_parts enrichment.author_parts,
    title_score integer, author_score integer, isbn_score integer, confidence enrichment.confidence, rejection text,
    place integer, place_at_provider integer, is_contested boolean, is_rival boolean, agreement text [], "values" jsonb
);
comment on type enrichment.scored_book is
'A provider''s book weighed against a queue row''s work: score parts, tier, place, and what it could fill. place_at_provider: its place among those of its provider that are one book with the best. is_contested: the row''s best has rivals, this may be one. agreement: who knows the best. rejection: dismissed, passed_over or null.';

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

create function enrichment.score_candidates(queue_ids uuid[], with_rejected boolean default false)
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
comment on function enrichment.score_candidates(uuid[], boolean) is
'Weighs every candidate that the valid records hold for these queue rows, one line per provider and book, best first by place. Those a reader turned away are left out, or come last where they are asked for.';
