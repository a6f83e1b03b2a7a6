-- What a waiting row still needs: the records that answer it already, the fields it wants, the look-ups that could fill them, and of
-- those the next. Claim, sweep, review and preview ask about the rows of their call and never about all. These are functions, because a
-- view over the host's tables would keep the host from changing them; the one view stands on a function, for the dashboard.

create type enrichment.queue_record as (
    queue_id uuid, is_open boolean, scored_at timestamptz, provider text, entity_type text, provider_id text, fetched_at timestamptz,
    is_miss boolean
);
comment on type enrichment.queue_record is 'A stored reply that speaks about a queue row.';

create type enrichment.row_gaps as (queue_id uuid, fields text []);
comment on type enrichment.row_gaps is 'The fields that a queue row wants filled.';

create type enrichment.possible_lookup as (
    queue_id uuid, provider text, "position" smallint, fills text [], kind text, key text, title text, author text, wait_reason text,
    available_at timestamptz, is_given_up boolean
);
comment on type enrichment.possible_lookup is 'A look-up that could fill gaps of a queue row, and whether its provider may be called.';

create type enrichment.needed_lookup as (
    queue_id uuid, provider text, kind text, key text, title text, author text, wait_reason text, available_at timestamptz
);
comment on type enrichment.needed_lookup is 'The look-up that a queue row needs next.';

create function enrichment.queue_records(queue_ids uuid[])
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
comment on function enrichment.queue_records(uuid[]) is
'The still valid source records that speak of these queue rows'' works: by external id of the work or its edition, by our look-up of its ISBN or of its title.';

create function enrichment.wanted_fields(queue_ids uuid[])
returns setof enrichment.row_gaps
language plpgsql stable set search_path = ''
as $$
begin
    return query
    select q.id, gaps.fields
    from public.enrichment_queue as q
    join public.works as w on w.id = q.work_id
    left join public.editions as e on e.id = q.edition_id
    cross join lateral (select enrichment.missing_fields(w, e) as fields) as gaps
    where q.id = any(wanted_fields.queue_ids) and gaps.fields <> '{}';
end
$$;
comment on function enrichment.wanted_fields(uuid[]) is
'The gaps of these queue rows'' works and editions: empty fields that nobody locked. No row where there is none.';

create function enrichment.possible_lookups(queue_ids uuid[])
returns setof enrichment.possible_lookup
language plpgsql stable set search_path = ''
as $$
declare
    oldest enrichment.oldest_answers := enrichment.oldest_answers();
begin
    return query
    select distinct on (q.id, p."position")
        q.id, p.provider, p."position",
        -- Which edition it is shows by ISBN alone: without one, a look-up can only say something of the work.
        case when isbn is null then array(select field from unnest(p.fills) as field where field like 'work.%') else p.fills end,
        stage.kind, stage.key, w.title, w.author_names[1], s.wait_reason, s.available_at,
        t.finish_without_budget and s.is_out_for_today
        and p."position" > (select min(first."position") from enrichment.provider_states as first where first.is_permitted)
    from public.enrichment_queue as q
    join enrichment.parsed_works as w on w.work_id = q.work_id
    left join public.editions as e on e.id = q.edition_id
    cross join lateral enrichment.isbn_key(coalesce(nullif(e.isbn13, ''), e.isbn10)) as isbn
    cross join enrichment.settings as t
    join enrichment.providers as p on p.fills <> '{}'
    join enrichment.provider_states as s on s.provider = p.provider and s.is_permitted
    left join lateral (
        select known.raw ? 'no_match' as is_miss from public.source_records as known
        where known.provider = p.provider and known.entity_type = 'isbn_lookup' and known.provider_id = isbn
            and enrichment.still_answers(known.fetched_at, known.raw, oldest)
        limit 1
    ) as by_isbn on true
    left join lateral (
        select true as is_known from public.source_records as known
        where known.provider = p.provider and known.entity_type = 'title_lookup' and known.provider_id = w.lookup_key
            and enrichment.still_answers(known.fetched_at, known.raw, oldest)
        limit 1
    ) as by_title on true
    cross join lateral (
        select 1 as rank, 'isbn' as kind, isbn as key
        where isbn is not null and by_isbn.is_miss is null
        union all
        select 2, 'title', w.lookup_key
        where by_title.is_known is null and (isbn is null or by_isbn.is_miss) and w.title_key <> ''
    ) as stage
    where q.id = any(possible_lookups.queue_ids) and (not p.needs_opt_in or exists (
        select 1 from public.users as u
        where coalesce(to_jsonb(u) ->> 'enable_google_books', 'true') = 'true'
            and (u.id = q.triggered_by or (q.triggered_by is null and exists (
                select 1 from public.library_items as i where i.user_id = u.id and i.work_id = q.work_id
            )))
    ))
    order by q.id, p."position", stage.rank;
end
$$;
comment on function enrichment.possible_lookups(uuid[]) is
'The next look-up each permitted provider could make for these queue rows: by ISBN, then by title where there is no ISBN or it is unknown there, and the title has letters. No row where all have a valid answer. is_given_up: a later provider that is out for today, which rows do without unless settings.finish_without_budget is off.';

create function enrichment.needed_lookups(queue_ids uuid[])
returns setof enrichment.needed_lookup
language plpgsql stable set search_path = ''
as $$
begin
    return query
    select distinct on (l.queue_id) l.queue_id, l.provider, l.kind, l.key, l.title, l.author, l.wait_reason, l.available_at
    from enrichment.possible_lookups(needed_lookups.queue_ids) as l
    join enrichment.wanted_fields(needed_lookups.queue_ids) as gaps on gaps.queue_id = l.queue_id and gaps.fields && l.fills
    where not l.is_given_up
    order by l.queue_id, l."position";
end
$$;
comment on function enrichment.needed_lookups(uuid[]) is
'The look-up each of these queue rows needs next: the first provider''s that could fill one of its gaps. wait_reason is null where it may be made now.';

create view enrichment.needed_lookups with (security_invoker = true) as
select n.queue_id, n.provider, n.kind, n.key, n.title, n.author, n.wait_reason, n.available_at
from enrichment.needed_lookups(array(select q.id from public.enrichment_queue as q where q.is_open)) as n;
revoke all on enrichment.needed_lookups from public, anon, authenticated, service_role;
comment on view enrichment.needed_lookups is 'The look-up each open queue row needs next, for the dashboard; wait_reason is null where it may be made now.';

-- One row each, but until somebody says so the planner expects hundreds.
analyze enrichment.settings, enrichment.providers;
