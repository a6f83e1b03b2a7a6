-- How a work gets in line: asked for by an import, by the host or by a reader's button. One outcome per work; a work that has nothing to
-- gain is not queued.

create type enrichment.enqueue_outcome as (work_id uuid, outcome text, queue_id uuid);
comment on type enrichment.enqueue_outcome is 'What became of one work that was to be queued.';
comment on column enrichment.enqueue_outcome.outcome is
'enqueued, already_open (now with the higher priority), in_review, complete (nothing is missing), known_miss (nothing new can be learnt) or unknown.';
comment on column enrichment.enqueue_outcome.queue_id is 'Null: the work has no row in line or in review.';

create function enrichment.add_rows(
    work_ids uuid[], edition_ids uuid[], trigger_source enrichment.trigger_source, triggered_by uuid, priority integer, import_id uuid,
    waits_for_switch boolean
)
returns uuid[]
language plpgsql set search_path = ''
as $$
declare
    -- Lists go by id: rows stand there in the order in which their works were named, whatever order they are written in.
    minted uuid[] := array(select enrichment.uuid_v7() as id from unnest(add_rows.work_ids) order by id);
    new_ids uuid[];
begin
    with asked as (
        select distinct on (a.work_id) a.work_id, coalesce(a.edition_id, c.edition_id) as edition_id, a.place
        from unnest(add_rows.work_ids, add_rows.edition_ids) with ordinality as a (work_id, edition_id, place)
        left join enrichment.choose_editions(add_rows.work_ids, add_rows.triggered_by) as c on c.work_id = a.work_id
        order by a.work_id, a.edition_id
    ),

    inserted as (
        insert into public.enrichment_queue as q (
            id, work_id, edition_id, triggered_by, import_id, trigger_source, priority, max_attempts, next_attempt_after, wait_reason,
            scored_at
        )
        select
            minted[asked.place], w.id, asked.edition_id, add_rows.triggered_by, add_rows.import_id, add_rows.trigger_source,
            add_rows.priority, (select s.max_attempts from enrichment.settings as s),
            case when add_rows.waits_for_switch then 'infinity' else now() end,
            case when add_rows.waits_for_switch then 'auto_disabled' else 'queued' end as wait_reason,
            (select max(earlier.scored_at) from public.enrichment_queue as earlier where earlier.work_id = w.id)
        from asked
        join public.works as w on w.id = asked.work_id
        where not exists (select 1 from public.enrichment_queue as r where r.work_id = w.id and (r.is_open or r.is_in_review))
        order by w.id
        on conflict (work_id) where is_open do nothing
        returning q.id
    )

    select coalesce(array_agg(inserted.id), '{}') into new_ids from inserted;

    -- While the insert waited for somebody else's row, that one may have come to review; a second could never join it there.
    delete from public.enrichment_queue as q
    where q.id = any(new_ids) and exists (select 1 from public.enrichment_queue as r where r.work_id = q.work_id and r.is_in_review);
    if found then
        new_ids := array(select q.id from public.enrichment_queue as q where q.id = any(new_ids));
    end if;
    return new_ids;
end
$$;
comment on function enrichment.add_rows(uuid[], uuid[], enrichment.trigger_source, uuid, integer, uuid, boolean) is
'Makes a row for each of these works that has none open or in review, and answers the ids of the new ones.';

create function enrichment.complete_rows(queue_ids uuid[])
returns uuid[]
language plpgsql stable set search_path = ''
as $$
begin
    return array(
        select id
        from unnest(complete_rows.queue_ids) as id
        where id not in (select gaps.queue_id from enrichment.wanted_fields(complete_rows.queue_ids) as gaps)
    );
end
$$;
comment on function enrichment.complete_rows(uuid[]) is 'Those of these queue rows whose works and editions have no gap.';

create function enrichment.known_misses(queue_ids uuid[])
returns uuid[]
language plpgsql stable set search_path = ''
as $$
begin
    return array(
        select q.id
        from public.enrichment_queue as q
        where q.id = any(known_misses.queue_ids)
            and q.id not in (select n.queue_id from enrichment.needed_lookups(known_misses.queue_ids) as n)
            and q.id not in (
                select r.queue_id
                from enrichment.queue_records(known_misses.queue_ids) as r
                where r.fetched_at > coalesce(r.scored_at, '-infinity') and not r.is_miss
            )
    );
end
$$;
comment on function enrichment.known_misses(uuid[]) is
'Those of these queue rows that nobody is left to be asked about, and about which no reply says anything that was not weighed before.';

create function enrichment.hurry_open_rows(
    work_ids uuid[], new_ids uuid[], trigger_source enrichment.trigger_source, triggered_by uuid, priority integer, waits_for_switch boolean
)
returns void
language plpgsql set search_path = ''
as $$
begin
    with open_rows as (
        select q.id
        from public.enrichment_queue as q
        where q.work_id = any(hurry_open_rows.work_ids) and q.is_open and q.id <> all(hurry_open_rows.new_ids) and (
            q.priority > hurry_open_rows.priority
            or (q.wait_reason = 'auto_disabled' and hurry_open_rows.trigger_source = 'manual_bulk')
        )
        order by q.id
        for update skip locked
    )

    update public.enrichment_queue as q
    set priority = least(q.priority, hurry_open_rows.priority),
        trigger_source = case when hurry_open_rows.trigger_source = 'manual_bulk' then 'manual_bulk' else q.trigger_source end,
        triggered_by = coalesce(q.triggered_by, hurry_open_rows.triggered_by),
        wait_reason = case
            when q.wait_reason = 'auto_disabled' and not hurry_open_rows.waits_for_switch then 'queued' else q.wait_reason
        end,
        next_attempt_after = case
            when q.wait_reason = 'auto_disabled' and not hurry_open_rows.waits_for_switch then now() else q.next_attempt_after
        end,
        updated_at = now()
    from open_rows
    where q.id = open_rows.id;
    if found then
        perform pg_notify('enrichment', 'queued');
    end if;
end
$$;
comment on function enrichment.hurry_open_rows(uuid[], uuid[], enrichment.trigger_source, uuid, integer, boolean) is
'Open rows of these works, but for the new ones, that are asked for again: they become as urgent as the wish, and no longer wait for the switch where a person asks. Never waits for a row somebody works on, whose priority no longer matters.';

create function enrichment.enqueue_works(
    work_ids uuid[], edition_ids uuid[], trigger_source enrichment.trigger_source, triggered_by uuid, priority integer, import_id uuid
)
returns setof enrichment.enqueue_outcome
language plpgsql set search_path = ''
as $$
declare
    waits_for_switch boolean := enqueue_works.trigger_source <> 'manual_bulk'
        and not (select s.auto_enabled from enrichment.settings as s);
    new_ids uuid[];
    complete_ids uuid[];
    known_miss_ids uuid[];
begin
    perform enrichment.refresh_parsed_works(coalesce(enqueue_works.work_ids, '{}'));
    new_ids := enrichment.add_rows(
        enqueue_works.work_ids, enqueue_works.edition_ids, enqueue_works.trigger_source, enqueue_works.triggered_by, enqueue_works.priority,
        enqueue_works.import_id, waits_for_switch
    );
    complete_ids := enrichment.complete_rows(new_ids);
    known_miss_ids := enrichment.known_misses(array(select id from unnest(new_ids) as id where id <> all(complete_ids)));
    perform enrichment.hurry_open_rows(
        enqueue_works.work_ids, new_ids, enqueue_works.trigger_source, enqueue_works.triggered_by, enqueue_works.priority, waits_for_switch
    );

    return query
    select
        a.work_id,
        case
            when w.id is null then 'unknown'
            when q.id = any(complete_ids) then 'complete'
            when q.id = any(known_miss_ids) then 'known_miss'
            when q.id = any(new_ids) then 'enqueued'
            when q.is_in_review then 'in_review'
            else 'already_open'
        end,
        case when q.id = any(complete_ids || known_miss_ids) then null else q.id end
    from unnest(enqueue_works.work_ids) with ordinality as a (work_id, place)
    left join public.works as w on w.id = a.work_id
    left join public.enrichment_queue as q on q.work_id = w.id and (q.is_open or q.is_in_review)
    order by a.place;

    delete from public.enrichment_queue as q where q.id = any(complete_ids || known_miss_ids);
end
$$;
comment on function enrichment.enqueue_works(uuid[], uuid[], enrichment.trigger_source, uuid, integer, uuid) is
'Queues works, with an edition each where the caller knows it. Rows are inserted first and weighed by the same functions as everywhere; those that could learn nothing are taken back before anyone sees them.';

create function enrichment.enqueue_enrichment_impl(work_ids uuid[], trigger_source text, triggered_by uuid, priority integer)
returns setof enrichment.enqueue_outcome
language plpgsql security definer set search_path = '' set jit = off
as $$
begin
    perform enrichment.refuse_long_list(cardinality(enqueue_enrichment_impl.work_ids));
    if enqueue_enrichment_impl.trigger_source is null
        or enqueue_enrichment_impl.trigger_source <> all(enum_range(null::enrichment.trigger_source)::text[]) then
        perform enrichment.refuse(
            'PT422', format('unknown trigger_source %s', enqueue_enrichment_impl.trigger_source),
            'use post_import, manual_bulk or scheduled'
        );
    end if;
    if enqueue_enrichment_impl.priority not between 0 and 1000 then
        perform enrichment.refuse('PT422', 'priority must be between 0 and 1000', 'lower goes first: 50 for a person, 100 for an import');
    end if;
    if enqueue_enrichment_impl.triggered_by is not null
        and not exists (select 1 from public.users as u where u.id = enqueue_enrichment_impl.triggered_by) then
        perform enrichment.refuse(
            'PT404', format('no user %s', enqueue_enrichment_impl.triggered_by), 'triggered_by is an id of public.users, or null'
        );
    end if;
    return query
    select * from enrichment.enqueue_works(
        enqueue_enrichment_impl.work_ids, null, enqueue_enrichment_impl.trigger_source::enrichment.trigger_source,
        enqueue_enrichment_impl.triggered_by,
        coalesce(enqueue_enrichment_impl.priority, case when enqueue_enrichment_impl.trigger_source = 'manual_bulk' then 50 else 100 end),
        null
    );
end
$$;

create function enrichment.trigger_enrichment_impl(work_ids uuid[])
returns setof enrichment.enqueue_outcome
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    reader uuid := enrichment.current_reader();
begin
    perform enrichment.refuse_long_list(cardinality(trigger_enrichment_impl.work_ids));
    return query
    with own as (
        select array_agg(distinct i.work_id) as work_ids
        from public.library_items as i
        where i.user_id = reader and i.work_id = any(trigger_enrichment_impl.work_ids)
    )

    select a.work_id, coalesce(o.outcome, 'unknown'), o.queue_id
    from unnest(trigger_enrichment_impl.work_ids) with ordinality as a (work_id, place)
    left join (
        select enqueued.*
        from own cross join lateral enrichment.enqueue_works(own.work_ids, null, 'manual_bulk', reader, 50, null) as enqueued
    ) as o on o.work_id = a.work_id
    order by a.place;
end
$$;

create function enrichment.trigger_missing_enrichment_impl()
returns setof enrichment.enqueue_outcome
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    reader uuid := enrichment.current_reader();
    missing uuid[];
    outcomes enrichment.enqueue_outcome[] := array[]::enrichment.enqueue_outcome[];
    room integer := 1000;
begin
    missing := array(
        select s.work_id
        from enrichment.shelf_lines(array(select i.id from public.library_items as i where i.user_id = reader)) as s
        where s.missing <> '{}' and not exists (
            select 1 from public.enrichment_queue as q
            where q.work_id = s.work_id and (q.is_open or q.is_in_review) and q.wait_reason is distinct from 'auto_disabled'
        )
        order by s.added_at desc, s.library_item_id desc
    );
    -- Books that can gain nothing now would fill the first thousand each time: go on behind them until a thousand are queued.
    while room > 0 and missing <> '{}' loop
        outcomes := outcomes || array(select o from enrichment.enqueue_works(missing[:room], null, 'manual_bulk', reader, 50, null) as o);
        missing := missing[room + 1:];
        room := 1000 - (select count(*)::integer from unnest(outcomes) as o where o.queue_id is not null);
    end loop;
    return query
    select o.work_id, o.outcome, o.queue_id
    from unnest(outcomes) with ordinality as o (work_id, outcome, queue_id, place)
    order by o.queue_id is null, o.place
    limit 1000;
end
$$;
