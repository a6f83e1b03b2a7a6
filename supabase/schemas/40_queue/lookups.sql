-- What a waiting row still needs: the records that answer it already, the fields it wants, the look-ups that could fill them, and of
-- those the next. Claim, sweep, preview and health read these views; so may you, in the dashboard.

create view enrichment.queue_records with (security_invoker = true) as
select
    path.queue_id, path.is_open, path.scored_at, s.provider::text as provider, s.entity_type::text as entity_type,
    s.provider_id::text as provider_id, s.fetched_at, s.is_miss
from (
    select q.id as queue_id, q.is_open, q.scored_at, x.provider, x.entity_type, x.provider_id
    from public.enrichment_queue as q
    join public.external_ids as x on x.entity_type = 'work' and x.entity_id = q.work_id
    union all
    select q.id, q.is_open, q.scored_at, x.provider, x.entity_type, x.provider_id
    from public.enrichment_queue as q
    join public.external_ids as x on x.entity_type = 'edition' and x.entity_id = q.edition_id
    union all
    select q.id, q.is_open, q.scored_at, p.provider, 'isbn_lookup', isbn
    from public.enrichment_queue as q
    join public.editions as e on e.id = q.edition_id
    cross join lateral enrichment.isbn_key(coalesce(nullif(e.isbn13, ''), e.isbn10)) as isbn
    join enrichment.providers as p on p.fills <> '{}'
    where isbn is not null
    union all
    select q.id, q.is_open, q.scored_at, p.provider, 'title_lookup', w.lookup_key
    from public.enrichment_queue as q
    join enrichment.parsed_works as w on w.work_id = q.work_id
    join enrichment.providers as p on p.fills <> '{}'
) as path
join enrichment.valid_records as s
    on s.provider = path.provider and s.entity_type = path.entity_type and s.provider_id = path.provider_id;
revoke all on enrichment.queue_records from public, anon, authenticated, service_role;
comment on view enrichment.queue_records is
'The still valid source records that speak of a queue row''s work: by external id of the work or its edition, by our look-up of its ISBN or of its title.';

create view enrichment.wanted_fields with (security_invoker = true) as
select q.id as queue_id, gaps.fields
from public.enrichment_queue as q
join public.works as w on w.id = q.work_id
left join public.editions as e on e.id = q.edition_id
cross join lateral (
    select array_agg(gap.field) as fields
    from unnest(enrichment.empty_fields(w, e)) as gap (field)
    where not exists (
        select 1 from enrichment.field_locks as l
        where l.field = gap.field and l.entity_id = case when gap.field like 'work.%' then w.id else e.id end
    )
) as gaps
where gaps.fields is not null;
revoke all on enrichment.wanted_fields from public, anon, authenticated, service_role;
comment on view enrichment.wanted_fields is 'The gaps of each queue row''s work and edition: empty fields that nobody locked. No row where there is none.';

create view enrichment.possible_lookups with (security_invoker = true) as
select distinct on (q.id, p."position")
    q.id as queue_id, p.provider, p."position",
    -- Which edition it is shows by ISBN alone: without one, a look-up can only say something of the work.
    case when isbn is null then array(select field from unnest(p.fills) as field where field like 'work.%') else p.fills end as fills,
    stage.kind, stage.key, w.title, w.author_names[1] as author,
    s.wait_reason, s.available_at,
    t.finish_without_budget and s.is_out_for_today
    and p."position" > (select min(first."position") from enrichment.provider_states as first where first.is_permitted) as is_given_up
from public.enrichment_queue as q
join enrichment.parsed_works as w on w.work_id = q.work_id
left join public.editions as e on e.id = q.edition_id
cross join lateral enrichment.isbn_key(coalesce(nullif(e.isbn13, ''), e.isbn10)) as isbn
cross join enrichment.settings as t
join enrichment.providers as p on p.fills <> '{}'
join enrichment.provider_states as s on s.provider = p.provider and s.is_permitted
left join enrichment.valid_records as by_isbn
    on by_isbn.provider = p.provider and by_isbn.entity_type = 'isbn_lookup' and by_isbn.provider_id = isbn
left join enrichment.valid_records as by_title
    on by_title.provider = p.provider and by_title.entity_type = 'title_lookup' and by_title.provider_id = w.lookup_key
cross join lateral (
    select 1 as rank, 'isbn' as kind, isbn as key
    where isbn is not null and by_isbn.provider is null
    union all
    select 2, 'title', w.lookup_key
    where by_title.provider is null and (isbn is null or by_isbn.is_miss) and w.title_key <> ''
) as stage
where not p.needs_opt_in or exists (
    select 1 from public.users as u
    where coalesce(to_jsonb(u) ->> 'enable_google_books', 'true') = 'true'
        and (u.id = q.triggered_by or (q.triggered_by is null and exists (
            select 1 from public.library_items as i where i.user_id = u.id and i.work_id = q.work_id
        )))
)
order by q.id, p."position", stage.rank;
revoke all on enrichment.possible_lookups from public, anon, authenticated, service_role;
comment on view enrichment.possible_lookups is
'The next look-up each permitted provider could make for a queue row: by ISBN, then by title where there is no ISBN or it is unknown there, and the title has letters. No row where all have a valid answer. is_given_up: a later provider that is out for today, which rows do without unless settings.finish_without_budget is off.';

create view enrichment.needed_lookups with (security_invoker = true) as
select distinct on (l.queue_id)
    l.queue_id, l.provider, l.kind, l.key, l.title, l.author, l.wait_reason, l.available_at
from enrichment.possible_lookups as l
join enrichment.wanted_fields as gaps on gaps.queue_id = l.queue_id and gaps.fields && l.fills
where not l.is_given_up
order by l.queue_id, l."position";
revoke all on enrichment.needed_lookups from public, anon, authenticated, service_role;
comment on view enrichment.needed_lookups is
'The look-up a queue row needs next: the first provider''s that could fill one of its gaps. wait_reason is null where it may be made now.';

-- One row each, but until somebody says so the planner expects hundreds.
analyze enrichment.settings, enrichment.providers;
