-- Looking without touching: every candidate of a work with its scores, and what would happen to works that were queued now. Both run the
-- real functions on borrowed rows and take everything back.

create type enrichment.explained_candidate as (
    place integer, candidate text, provider text, work_key text, title text, authors text, source_url text, cover_url text,
    title_score integer, author_score integer, isbn_score integer, confidence enrichment.confidence, sentence text, parts jsonb,
    "values" jsonb, is_dismissed boolean
);
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

create type enrichment.preview as (
    work_id uuid, status enrichment.queue_status, confidence enrichment.confidence, sentence text, wait_reason text, "values" jsonb,
    lookups jsonb
);
comment on type enrichment.preview is 'What would become of a work if it were queued now; nothing is written.';
comment on column enrichment.preview.status is 'Of its row; pending where a provider would be asked first. Null: it would not be queued.';
comment on column enrichment.preview.confidence is 'Of the best candidate. Null: it would not be queued.';
comment on column enrichment.preview.sentence is 'The score in words, or why it would not be queued. Null: no reply is known yet.';
comment on column enrichment.preview.wait_reason is 'What it would wait for. Null: nothing.';
comment on column enrichment.preview."values" is '{field: {"value", "provider", "candidate", "confidence", "current", "is_applied"}}.';
comment on column enrichment.preview.lookups is 'What would be asked next, if anything: [{"provider", "kind", "key", "title", "author"}].';

create function enrichment.refuse_busy_works()
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
comment on function enrichment.refuse_busy_works() is 'PT409 where a look was kept waiting ten times in a row.';

create function enrichment.borrow_row(work_id uuid, reader uuid)
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
comment on function enrichment.borrow_row(uuid, uuid) is
'A queue row for looking at a work: the one that is open or in review, or a new one, which the caller takes back.';

create function enrichment.explain_candidates(queue_id uuid)
returns setof enrichment.explained_candidate
language sql stable set search_path = ''
as $$
    with explained as materialized (
        select
            b as book,
            enrichment.explain_match(w.title_parts, b.title_parts, w.author_parts, b.author_parts, b.isbn_score) as match
        from enrichment.choose_books(array(select s from enrichment.score_candidates(array[explain_candidates.queue_id], true) as s)) as b
        join public.enrichment_queue as q on q.id = b.queue_id
        join enrichment.parsed_works as w on w.work_id = q.work_id
    )

    select
        (e.book).place, (e.book).provider || ':' || (e.book).work_key, (e.book).provider, (e.book).work_key, (e.book).title,
        nullif((e.book).authors, ''), enrichment.source_url((e.book).provider, (e.book).work_key), (e.book)."values" ->> 'work.cover_url',
        (e.book).title_score, (e.book).author_score, (e.book).isbn_score, (e.book).confidence,
        (e.match ->> 'sentence') || case
            when (e.book).rejection = 'passed_over' then ', another was chosen instead'
            when (e.book).is_rival or (e.book).place = 1 then enrichment.explain_choice((e.book).is_contested, (e.book).agreement)
            else ''
        end,
        e.match -> 'parts', jsonb_strip_nulls((e.book)."values"), coalesce((e.book).rejection = 'dismissed', false)
    from explained as e
    order by (e.book).place
$$;
comment on function enrichment.explain_candidates(uuid) is 'Every candidate of a queue row with its score parts, the best first, those a reader turned away last.';

create function enrichment.explain_enrichment_impl(work_id uuid)
returns setof enrichment.explained_candidate
language plpgsql security definer set search_path = '' set jit = off set lock_timeout = '300ms'
as $$
declare
    borrowed_id uuid;
    answer enrichment.explained_candidate[];
begin
    perform enrichment.refuse_foreign_works(array[explain_enrichment_impl.work_id]);
    for look in 1..10 loop
        begin
            perform enrichment.refresh_parsed_works(array[explain_enrichment_impl.work_id]);
            borrowed_id := enrichment.borrow_row(explain_enrichment_impl.work_id, enrichment.acting_reader());
            perform enrichment.parse_records(array[borrowed_id]);
            select array_agg(c order by c.place) into answer from enrichment.explain_candidates(borrowed_id) as c;
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

create function enrichment.preview_values(offers enrichment.offered_value[])
returns table (queue_id uuid, "values" jsonb)
language sql stable set search_path = ''
as $$
    select
        o.queue_id,
        jsonb_object_agg(o.field, jsonb_build_object(
            'value', o.value, 'provider', o.provider, 'candidate', o.provider || ':' || o.work_key, 'confidence', o.confidence,
            'current', enrichment.current_values(w, e) -> o.field, 'is_applied', o.is_applied
        ))
    from unnest(preview_values.offers) as o
    join public.enrichment_queue as q on q.id = o.queue_id
    join public.works as w on w.id = q.work_id
    left join public.editions as e on e.id = q.edition_id
    where not o.is_alternative
    group by o.queue_id
$$;
comment on function enrichment.preview_values(enrichment.offered_value[]) is 'What is offered for each queue row, beside the value as it is.';

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

create function enrichment.preview_enrichment_impl(work_ids uuid[])
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
