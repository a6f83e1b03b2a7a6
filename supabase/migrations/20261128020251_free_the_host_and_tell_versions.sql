-- Book enrichment, version 2. No view and no policy of ours looks into the host's tables any more, so the host may change them; the
-- database says which version it is; doctor sees what was changed, renamed or switched off; due rows are found in their whole order.

do $$
begin
    if to_regclass('enrichment.schema_versions') is null then
        raise exception 'book enrichment is not at version 1 here. `book-enrichment migrate` brings it there; run that first';
    elsif exists (select from enrichment.schema_versions as v where v.version = 2) then
        raise exception using message = (
            select 'this step is applied here already, by `book-enrichment migrate`. Tell the CLI so: '
                || 'supabase migration repair --status applied ' || string_agg(split_part(v.name, '_', 1), ' ' order by v.version)
            from enrichment.schema_versions as v
        );
    elsif not exists (select from enrichment.schema_versions as v where v.version = 1) then
        raise exception 'book enrichment is not at version 1 here: apply the steps in their order';
    end if;
end
$$;

set check_function_bodies = off;

drop view if exists enrichment.needed_lookups;

drop view if exists enrichment.queue_records;

drop view if exists enrichment.shelf_lines;

drop policy if exists enrichment_audit_log_of_own_library on public.enrichment_audit_log;

drop policy if exists enrichment_queue_of_own_library on public.enrichment_queue;

drop index if exists public.queue_due;

drop function if exists enrichment.enrichment_health_impl(jsonb);

drop function if exists public.enrichment_health(jsonb);

drop view if exists enrichment.possible_lookups;

drop view if exists enrichment.wanted_fields;

drop view if exists enrichment.valid_records;

create function enrichment.is_on_own_shelf(work_id uuid)
returns boolean
language plpgsql stable security definer set search_path = ''
as $$
begin
    return exists (select 1 from public.library_items as i where i.work_id = is_on_own_shelf.work_id and i.user_id = auth.uid());
end
$$;

comment on function enrichment.is_on_own_shelf(uuid) is
'Whether a work is in the signed-in reader''s library. Policies ask it, so it looks with its owner''s eyes: a host may let readers see library_items or not.';

create type enrichment.installed_version as (version integer, name text, works_with integer);

comment on type enrichment.installed_version is 'What the database is at, and the oldest version whose package still works with it.';

create function enrichment.enrichment_version_impl()
returns setof enrichment.installed_version
language sql stable security definer set search_path = ''
as $$
    select v.version, v.name, v.works_with from enrichment.schema_versions as v order by v.version desc limit 1
$$;

create or replace function enrichment.lock_fields_impl(work_id uuid, fields text[], edition_id uuid)
returns setof enrichment.field_lock
language plpgsql security definer set search_path = ''
as $$
begin
    perform enrichment.refuse_unknown_fields(lock_fields_impl.work_id, lock_fields_impl.fields, lock_fields_impl.edition_id);
    -- A batch that is about to fill the field goes first, so that nothing fills it once the lock is confirmed.
    perform 1 from public.works as w where w.id = lock_fields_impl.work_id for no key update;
    perform 1 from public.editions as e where e.id = lock_fields_impl.edition_id for no key update;
    insert into enrichment.field_locks (entity_id, field, locked_by)
    select case when f like 'work.%' then lock_fields_impl.work_id else lock_fields_impl.edition_id end, f, enrichment.acting_reader()
    from unnest(lock_fields_impl.fields) as f
    order by 1, 2
    on conflict do nothing;
    return query select * from enrichment.list_locks(lock_fields_impl.work_id, lock_fields_impl.edition_id);
end
$$;

create or replace function enrichment.score_candidates(queue_ids uuid[], with_rejected boolean default false)
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
        join enrichment.queue_records(score_candidates.queue_ids) as x on x.queue_id = r.id
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

create or replace function enrichment.offer_values(books enrichment.scored_book[])
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
    join enrichment.wanted_fields(array(select scored.queue_id from unnest(offer_values.books) as scored)) as gaps on gaps.queue_id = b.queue_id
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

create type enrichment.oldest_answers as (reply_fetched_at timestamptz, miss_fetched_at timestamptz);

comment on type enrichment.oldest_answers is 'When a reply and a miss must have been fetched at least to answer still.';

create function enrichment.oldest_answers()
returns enrichment.oldest_answers
language sql stable set search_path = ''
as $$
    select now() - make_interval(days => s.record_valid_days), now() - make_interval(days => s.miss_valid_days) from enrichment.settings as s
$$;

comment on function enrichment.oldest_answers() is 'Replies answer without a call for record_valid_days, misses for miss_valid_days.';

create function enrichment.still_answers(fetched_at timestamptz, raw jsonb, oldest enrichment.oldest_answers)
returns boolean
language plpgsql immutable set search_path = ''
as $$
begin
    -- The first comparison is for speed: to look into a large reply means to unpack it.
    return fetched_at > greatest((oldest).reply_fetched_at, (oldest).miss_fetched_at)
        or fetched_at > case when raw ? 'no_match' then (oldest).miss_fetched_at else (oldest).reply_fetched_at end;
end
$$;

comment on function enrichment.still_answers(timestamptz, jsonb, enrichment.oldest_answers) is
'Whether a source record answers without a call; oldest is what oldest_answers() says, asked once a statement.';

create or replace function enrichment.parse_records(queue_ids uuid[])
returns void
language plpgsql set search_path = ''
as $$
declare
    unread enrichment.parsed_records[];
begin
    with outdated as (
        select distinct r.provider, r.entity_type, r.provider_id, r.fetched_at
        from enrichment.queue_records(parse_records.queue_ids) as r
        left join enrichment.parsed_records as p using (provider, entity_type, provider_id)
        where p.fetched_at is distinct from r.fetched_at
    ),

    marked as (
        insert into enrichment.parsed_records as p (provider, entity_type, provider_id, fetched_at, is_miss)
        select s.provider, s.entity_type, s.provider_id, s.fetched_at, s.raw ? 'no_match'
        from outdated as o
        join public.source_records as s
            on s.provider = o.provider and s.entity_type = o.entity_type and s.provider_id = o.provider_id
        order by s.provider, s.entity_type, s.provider_id
        on conflict (provider, entity_type, provider_id) do update
        set fetched_at = excluded.fetched_at, is_miss = excluded.is_miss
        where p.fetched_at <> excluded.fetched_at
        returning p.*
    )

    select array_agg(row(marked.*)::enrichment.parsed_records) into unread from marked;

    delete from enrichment.candidates as c
    using unnest(unread) as u
    where c.provider = u.provider and c.entity_type = u.entity_type and c.provider_id = u.provider_id;

    insert into enrichment.candidates (
        provider, entity_type, provider_id, work_key, title, author_names, title_parts, author_parts, author_ids, isbns,
        work_values, edition_values
    )
    select
        s.provider, s.entity_type, s.provider_id, f.work_key, f.title, f.author_names, enrichment.parse_title(f.title, f.subtitle),
        enrichment.parse_authors(f.author_names),
        (select array_agg(split_part(author_id, '/', -1)) from unnest(f.author_ids) as author_id), f.isbns,
        jsonb_strip_nulls(jsonb_build_object(
            'work.cover_url', f.cover_url, 'work.description', f.description, 'work.first_publish_year', f.first_publish_year
        )),
        jsonb_strip_nulls(jsonb_build_object(
            'edition.publisher', f.publisher, 'edition.publish_date', f.publish_date, 'edition.language', f.language,
            'edition.format', f.format, 'edition.total_pages', f.total_pages, 'edition.total_audio_minutes', f.total_audio_minutes
        ))
    from unnest(unread) as u
    join public.source_records as s on s.provider = u.provider and s.entity_type = u.entity_type and s.provider_id = u.provider_id
    cross join lateral enrichment.read_record(s.provider, s.entity_type, s.raw) as f
    where not u.is_miss and f.work_key is not null;
end
$$;

create index queue_due on public.enrichment_queue (priority, next_attempt_after, id) where is_open;

create policy enrichment_queue_of_own_library on public.enrichment_queue for select to authenticated
using (enrichment.is_on_own_shelf(work_id));

comment on function enrichment.publish_queue() is
'Adds enrichment_queue to Supabase Realtime''s publication, where there is one; run it again once there is. Each reader hears of the rows and columns that the table''s policy and grants let through.';

create or replace function enrichment.postpone_unservable(queue_ids uuid[])
returns void
language sql set search_path = ''
as $$
    update public.enrichment_queue as q
    set next_attempt_after = waiting.until, wait_reason = waiting.reason, updated_at = now()
    from (
        select
            due.id,
            case
                when is_switched_off then 'infinity'
                -- One after the other, as the calls come back, or a thousand rows would be put off again for each call.
                when n.wait_reason = 'rate' then n.available_at + least(
                    make_interval(secs => ((row_number() over (partition by n.provider order by due.priority, due.id) - 1) / p.rate_per_second)::double precision),
                    interval '1 hour'
                )
                else n.available_at
            end as until,
            case when is_switched_off then 'auto_disabled' else n.wait_reason end as reason
        from public.enrichment_queue as due
        cross join enrichment.settings as s
        cross join lateral (select not s.auto_enabled and due.trigger_source <> 'manual_bulk') as switch (is_switched_off)
        left join enrichment.needed_lookups(postpone_unservable.queue_ids) as n on n.queue_id = due.id
        left join enrichment.providers as p on p.provider = n.provider
        where due.id = any(postpone_unservable.queue_ids)
    ) as waiting
    where q.id = waiting.id and waiting.reason is not null
$$;

create or replace function enrichment.claim_enrichment_impl(worker_name text, batch_size integer)
returns setof enrichment.claimed_row
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    batch integer := coalesce(claim_enrichment_impl.batch_size, (select s.batch_size from enrichment.settings as s));
    due_ids uuid[];
    servable_ids uuid[];
begin
    if batch not between 1 and 1000 then
        perform enrichment.refuse('PT422', format('batch_size %s is not between 1 and 1,000', batch), 'ten is the default');
    end if;

    -- Rows that must wait are put off by the thousand, so that one claim finds what can be served behind them.
    loop
        due_ids := enrichment.lock_due_rows(case when due_ids is null then batch else 1000 end);
        exit when due_ids is null;
        perform enrichment.postpone_unservable(due_ids);
        select array_agg(q.id order by array_position(due_ids, q.id)) into servable_ids
        from public.enrichment_queue as q
        where q.id = any(due_ids) and q.next_attempt_after <= now();
        exit when servable_ids is not null;
    end loop;

    return query
    with claimed as (
        update public.enrichment_queue as q
        set status = 'in_progress', started_at = now(), attempt_count = q.attempt_count + 1, wait_reason = null,
            claim_token = gen_random_uuid(), claimed_by = left(claim_enrichment_impl.worker_name, 200), updated_at = now()
        where q.id = any(servable_ids[1:batch])
        returning q.*
    )

    select
        c.id, c.claim_token, c.work_id, c.edition_id, w.title, w.author_names, c.attempt_count::integer,
        case
            when n.queue_id is null then '[]'
            else jsonb_build_array(jsonb_build_object('provider', n.provider, 'kind', n.kind, 'key', n.key, 'title', n.title, 'author', n.author))
        end
    from claimed as c
    join enrichment.parsed_works as w on w.work_id = c.work_id
    left join enrichment.needed_lookups(servable_ids[1:batch]) as n on n.queue_id = c.id
    order by array_position(servable_ids, c.id);
end
$$;

create or replace function enrichment.enqueue_works(
    work_ids uuid[], edition_ids uuid[], trigger_source enrichment.trigger_source, triggered_by uuid, priority integer, import_id uuid
)
returns setof enrichment.enqueue_outcome
language plpgsql set search_path = ''
as $$
declare
    waits_for_switch boolean := enqueue_works.trigger_source <> 'manual_bulk'
        and not (select s.auto_enabled from enrichment.settings as s);
    -- Lists go by id: rows stand there in the order in which their works were named, whatever order they are written in.
    minted uuid[] := array(select enrichment.uuid_v7() as id from unnest(enqueue_works.work_ids) order by id);
    new_ids uuid[];
    complete_ids uuid[];
    known_miss_ids uuid[];
begin
    perform enrichment.refresh_parsed_works(coalesce(enqueue_works.work_ids, '{}'));

    with asked as (
        select distinct on (a.work_id) a.work_id, coalesce(a.edition_id, c.edition_id) as edition_id, a.place
        from unnest(enqueue_works.work_ids, enqueue_works.edition_ids) with ordinality as a (work_id, edition_id, place)
        left join enrichment.choose_editions(enqueue_works.work_ids, enqueue_works.triggered_by) as c on c.work_id = a.work_id
        order by a.work_id, a.edition_id
    ),

    inserted as (
        insert into public.enrichment_queue as q (
            id, work_id, edition_id, triggered_by, import_id, trigger_source, priority, max_attempts, next_attempt_after, wait_reason, scored_at
        )
        select
            minted[asked.place], w.id, asked.edition_id, enqueue_works.triggered_by, enqueue_works.import_id, enqueue_works.trigger_source,
            enqueue_works.priority, (select s.max_attempts from enrichment.settings as s),
            case when waits_for_switch then 'infinity' else now() end,
            case when waits_for_switch then 'auto_disabled' else 'queued' end,
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

    select coalesce(array_agg(new_id), '{}') into complete_ids
    from unnest(new_ids) as new_id
    where new_id not in (select gaps.queue_id from enrichment.wanted_fields(new_ids) as gaps);

    select coalesce(array_agg(q.id), '{}') into known_miss_ids
    from public.enrichment_queue as q
    where q.id = any(new_ids) and q.id <> all(complete_ids)
        and q.id not in (select n.queue_id from enrichment.needed_lookups(new_ids) as n)
        and q.id not in (
            select r.queue_id from enrichment.queue_records(new_ids) as r where r.fetched_at > coalesce(r.scored_at, '-infinity') and not r.is_miss
        );

    with open_rows as (
        select q.id
        from public.enrichment_queue as q
        where q.work_id = any(enqueue_works.work_ids) and q.is_open and q.id <> all(new_ids) and (
            q.priority > enqueue_works.priority
            or (q.wait_reason = 'auto_disabled' and enqueue_works.trigger_source = 'manual_bulk')
        )
        order by q.id
        for update skip locked
    )

    update public.enrichment_queue as q
    set priority = least(q.priority, enqueue_works.priority),
        trigger_source = case when enqueue_works.trigger_source = 'manual_bulk' then 'manual_bulk' else q.trigger_source end,
        triggered_by = coalesce(q.triggered_by, enqueue_works.triggered_by),
        wait_reason = case when q.wait_reason = 'auto_disabled' and not waits_for_switch then 'queued' else q.wait_reason end,
        next_attempt_after = case
            when q.wait_reason = 'auto_disabled' and not waits_for_switch then now() else q.next_attempt_after
        end,
        updated_at = now()
    from open_rows
    where q.id = open_rows.id;
    if found then
        perform pg_notify('enrichment', 'queued');
    end if;

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
'Queues works, with an edition each where the caller knows it. Rows are inserted first and weighed by the same functions as everywhere; those that could learn nothing are taken back before anyone sees them. Never waits for a row somebody works on: those are open already, and their priority no longer matters.';

create or replace function enrichment.trigger_missing_enrichment_impl()
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

create type enrichment.queue_record as (
    queue_id uuid, is_open boolean, scored_at timestamptz, provider text, entity_type text, provider_id text, fetched_at timestamptz,
    is_miss boolean
);

create type enrichment.row_gaps as (queue_id uuid, fields text []);

create type enrichment.possible_lookup as (
    queue_id uuid, provider text, "position" smallint, fills text [], kind text, key text, title text, author text, wait_reason text,
    available_at timestamptz, is_given_up boolean
);

create type enrichment.needed_lookup as (
    queue_id uuid, provider text, kind text, key text, title text, author text, wait_reason text, available_at timestamptz
);

create function enrichment.queue_records(queue_ids uuid[])
returns setof enrichment.queue_record
language plpgsql stable set search_path = ''
as $$
declare
    oldest enrichment.oldest_answers := enrichment.oldest_answers();
begin
    return query
    select
        path.queue_id, path.is_open, path.scored_at, s.provider::text, s.entity_type::text, s.provider_id::text, s.fetched_at, s.raw ? 'no_match'
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

comment on view enrichment.needed_lookups is 'The look-up each open queue row needs next, for the dashboard; wait_reason is null where it may be made now.';

create or replace function enrichment.sweep_enrichment_impl(batch_size integer)
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
    from enrichment.queue_records(array(select q.id from public.enrichment_queue as q where q.is_open)) as r
    where r.fetched_at > coalesce(r.scored_at, '-infinity');

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

create or replace function enrichment.reach_verdicts(queue_ids uuid[], books enrichment.scored_book[], offers enrichment.offered_value[])
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
        select * from enrichment.possible_lookups(reach_verdicts.queue_ids)
    ),

    wanted_lookups as (
        select l.*
        from lookups as l
        join enrichment.wanted_fields(reach_verdicts.queue_ids) as gaps on gaps.queue_id = l.queue_id
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
        from enrichment.queue_records(reach_verdicts.queue_ids) as r
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

create or replace function enrichment.counted_fields(queue_ids uuid[], fields text[])
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

create or replace function enrichment.approve_enrichment_impl(queue_id uuid, fields text[], candidate text)
returns setof enrichment.review_outcome
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    reviewed public.enrichment_queue := enrichment.lock_review(approve_enrichment_impl.queue_id);
    proposals jsonb := enrichment.proposals_of(reviewed.match_details, approve_enrichment_impl.candidate);
    ticked text[] := coalesce(approve_enrichment_impl.fields, (select array_agg(name) from jsonb_object_keys(proposals) as name), '{}');
    rivals text[] := array(select jsonb_array_elements_text(reviewed.match_details -> 'rivals'));
    offers enrichment.offered_value[];
    applied text[];
begin
    if proposals is null then
        perform enrichment.refuse(
            'PT422', format('queue row %s shows no candidate %s to choose', reviewed.id, approve_enrichment_impl.candidate),
            'name one of match_details.rivals, or send null for the best'
        );
    end if;
    if exists (select 1 from unnest(ticked) as t where (proposals ? t) is not true) then
        perform enrichment.refuse(
            'PT422', format('queue row %s proposes no %s', reviewed.id, (select coalesce(t, 'null') from unnest(ticked) as t where (proposals ? t) is not true limit 1)),
            'name fields of match_details.proposals, or of the candidate''s values; null for all'
        );
    end if;

    select
        array_agg(row(
            reviewed.id, p.key, p.value ->> 'value', p.value ->> 'provider', p.value ->> 'work_key', p.value -> 'source_record',
            (p.value ->> 'confidence')::enrichment.confidence, p.key = any(ticked) and p.key = any(gaps.fields), false
        )::enrichment.offered_value),
        coalesce(array_agg(p.key order by p.key) filter (where p.key = any(ticked) and p.key = any(gaps.fields)), '{}')
    into offers, applied
    from jsonb_each(proposals) as p
    left join enrichment.wanted_fields(array[reviewed.id]) as gaps on true;

    perform enrichment.write_values(offers, 'approved', enrichment.acting_reader());
    insert into enrichment.filled_fields (entity_id, field, provider, candidate_key)
    select case when o.field like 'work.%' then reviewed.work_id else reviewed.edition_id end, o.field, o.provider, o.work_key
    from unnest(offers) as o
    where not o.field = any(ticked) and (o.field like 'work.%' or reviewed.edition_id is not null)
    on conflict do nothing;
    perform enrichment.turn_away(reviewed, array_remove(rivals, coalesce(approve_enrichment_impl.candidate, rivals[1])), false);

    update public.enrichment_queue as q
    set status = 'completed', finished_at = now(), updated_at = now(), fields_applied = q.fields_applied || applied,
        cover_applied = q.cover_applied or 'work.cover_url' = any(applied)
    where q.id = reviewed.id;
    update public.works as w set enrichment_status = 'completed', last_enriched_at = now() where w.id = reviewed.work_id;

    return query
    select reviewed.id, 'completed'::enrichment.queue_status, applied, array(select unnest(ticked) except select unnest(applied) order by 1);
end
$$;

create policy enrichment_audit_log_of_own_library on public.enrichment_audit_log for select to authenticated
using (enrichment.is_on_own_shelf(work_id));

create or replace function enrichment.import_library_impl(user_id uuid, import_source text, "rows" jsonb, import_id uuid, expected_rows integer)
returns setof enrichment.import_outcome
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    this_import uuid := coalesce(import_library_impl.import_id, gen_random_uuid());
    new_rows integer[];
    enqueued_ids uuid[];
begin
    if jsonb_typeof(import_library_impl."rows") is distinct from 'array' or jsonb_array_length(import_library_impl."rows") > 500 then
        perform enrichment.refuse('PT422', 'rows is not an array of at most 500 elements', 'send a file in chunks, with the same import_id');
    end if;
    if import_library_impl.import_source is null or import_library_impl.import_source not in ('goodreads', 'storygraph') then
        perform enrichment.refuse('PT422', format('unknown import_source %s', import_library_impl.import_source), 'use goodreads or storygraph');
    end if;
    if import_library_impl.expected_rows < 0 then
        perform enrichment.refuse('PT422', 'expected_rows is negative', 'say how many rows the file has, or leave it out');
    end if;
    if not exists (select 1 from public.users as u where u.id = import_library_impl.user_id) then
        perform enrichment.refuse('PT404', format('no user %s', import_library_impl.user_id), 'user_id is an id of public.users');
    end if;

    if (select count(*) > count(distinct line -> 'row_number') from jsonb_path_query(import_library_impl."rows", '$[*] ? (exists(@.row_number))') as line) then
        perform enrichment.refuse('PT422', 'a row_number comes twice', 'number the rows of a file from its first line on');
    end if;

    perform pg_advisory_xact_lock(hashtextextended('enrichment.import_library', 0));
    insert into enrichment.imports as i (id, user_id, import_source, expected_rows)
    values (this_import, import_library_impl.user_id, import_library_impl.import_source, import_library_impl.expected_rows)
    on conflict (id) do update set expected_rows = coalesce(excluded.expected_rows, i.expected_rows) where i.user_id = excluded.user_id;
    if not exists (select 1 from enrichment.imports as i where i.id = this_import and i.user_id = import_library_impl.user_id) then
        perform enrichment.refuse('PT403', format('import %s is another reader''s', this_import), 'choose a new import_id');
    end if;

    with added as (
        insert into enrichment.import_rows as r
        select * from enrichment.read_import_rows(this_import, import_library_impl."rows")
        on conflict do nothing
        returning r.row_number, r.outcome
    )

    select array_agg(added.row_number) into new_rows from added where added.outcome is null;

    perform enrichment.parse_new_works();
    perform enrichment.match_import_rows(this_import);
    perform enrichment.create_import_works(this_import);
    perform enrichment.create_import_editions(this_import);
    -- Queue rows before works, as everywhere: filled first and queued then, imports and sweeps waited for each other in a circle.
    with books as (
        select distinct on (r.work_id) r.work_id, r.edition_id, r.row_number
        from enrichment.import_rows as r
        where r.import_id = this_import and r.row_number = any(new_rows)
        order by r.work_id, r.row_number
    ),

    queued as (
        select o.*
        from (
            select array_agg(b.work_id order by b.row_number) as work_ids, array_agg(b.edition_id order by b.row_number) as edition_ids from books as b
        ) as batch
        cross join lateral enrichment.enqueue_works(
            batch.work_ids, batch.edition_ids, 'post_import', import_library_impl.user_id, 100, this_import
        ) as o
    )

    update enrichment.import_rows as r
    set enrichment = queued.outcome, queue_id = queued.queue_id
    from queued
    where r.import_id = this_import and r.row_number = any(new_rows) and r.work_id = queued.work_id;

    perform enrichment.fill_from_import(this_import, import_library_impl.user_id);
    perform enrichment.shelve_import(this_import, import_library_impl.user_id);

    enqueued_ids := array(
        select r.queue_id from enrichment.import_rows as r
        where r.import_id = this_import and r.row_number = any(new_rows) and r.enrichment = 'enqueued'
    );

    with completed as (
        delete from public.enrichment_queue as q
        where q.id = any(enqueued_ids) and q.id not in (select gaps.queue_id from enrichment.wanted_fields(enqueued_ids) as gaps)
        returning q.id
    )

    update enrichment.import_rows as r
    set enrichment = 'complete', queue_id = null
    from completed
    where r.import_id = this_import and r.queue_id = completed.id;

    return query
    select r.row_number, r.outcome, r.reason, r.work_id, r.edition_id, r.library_item_id, r.enrichment, r.queue_id
    from enrichment.import_rows as r
    where r.import_id = this_import and r.row_number in (
        select read.row_number from enrichment.read_import_rows(this_import, import_library_impl."rows") as read
    )
    order by r.row_number;
end
$$;

create type enrichment.shelf_line as (
    library_item_id uuid, added_at timestamptz, work_id uuid, edition_id uuid, title text, cover_url text, first_publish_year integer,
    status enrichment.queue_status, queue_id uuid, confidence enrichment.confidence, wait_reason text, next_attempt_after timestamptz,
    last_error text, undone_at timestamptz, missing text []
);

create function enrichment.cover_overrides(library_item_ids uuid[])
returns jsonb
language plpgsql stable set search_path = ''
as $$
declare
    overrides jsonb := jsonb '{}';
begin
    -- Some hosts have no such column, so it is named in a text; turning each row into JSON instead took a quarter of a shelf's time.
    if exists (
        select 1 from pg_catalog.pg_attribute as a
        where a.attrelid = 'public.library_items'::regclass and a.attname = 'cover_override_url' and not a.attisdropped
    ) then
        execute
            'select coalesce(jsonb_object_agg(i.id, i.cover_override_url), ''{}'')'
            || ' from unnest($1) as asked (id) join public.library_items as i on i.id = asked.id where i.cover_override_url <> '''''
        into overrides using cover_overrides.library_item_ids;
    end if;
    return overrides;
end
$$;

comment on function enrichment.cover_overrides(uuid[]) is 'The covers that readers chose themselves for these books on a shelf: {"library item": "https://…"}.';

create function enrichment.shelf_lines(library_item_ids uuid[])
returns setof enrichment.shelf_line
language plpgsql stable set search_path = '' set random_page_cost = 1.1
as $$
declare
    overrides jsonb := enrichment.cover_overrides(shelf_lines.library_item_ids);
begin
    return query
    select
        i.id, i.created_at, w.id, (e.edition).id, w.title::text,
        coalesce(
            overrides ->> i.id::text,
            case when (e.edition).id = i.preferred_edition_id then nullif((e.edition).cover_url, '') end, nullif(w.default_cover_url, '')
        ),
        w.first_publish_year::integer, q.status, q.id, q.confidence, q.wait_reason,
        case when q.status = 'pending' then nullif(q.next_attempt_after, 'infinity') end, q.last_error, q.undone_at,
        enrichment.missing_fields(w, e.edition)
    from unnest(shelf_lines.library_item_ids) as asked (id)
    join public.library_items as i on i.id = asked.id
    join public.works as w on w.id = i.work_id
    -- All editions in one pass: a host may have no index by work, and a look for each book took 3 s for 1,000.
    left join (
        select distinct on (shelved.id) shelved.id as item_id, own as edition
        from unnest(shelf_lines.library_item_ids) as named (id)
        join public.library_items as shelved on shelved.id = named.id
        join public.editions as own on own.work_id = shelved.work_id
        order by
            shelved.id, own.id <> shelved.preferred_edition_id, coalesce(own.isbn13, '') = '', coalesce(own.isbn10, '') = '', own.created_at,
            own.id
    ) as e on e.item_id = i.id
    left join lateral (
        select newest.*
        from public.enrichment_queue as newest
        where newest.work_id = w.id
        order by newest.created_at desc, newest.id desc
        limit 1
    ) as q on true;
end
$$;

comment on function enrichment.shelf_lines(uuid[]) is
'Books on a shelf as their reader sees them: the cover that is shown (override, preferred edition, work), what is missing, and the newest queue row.';

create or replace function enrichment.shelf_page(reader uuid, filter text, page_size integer, before_moment timestamptz, before_item uuid)
returns uuid[]
language plpgsql stable set search_path = '' set random_page_cost = 1.1
as $$
begin
    if shelf_page.filter is null then
        return array(
            select i.id from public.library_items as i
            where i.user_id = shelf_page.reader and (i.created_at, i.id) < (shelf_page.before_moment, shelf_page.before_item)
            order by i.created_at desc, i.id desc limit shelf_page.page_size
        );
    elsif shelf_page.filter = 'missing' then
        return array(
            select s.library_item_id
            from enrichment.shelf_lines(array(
                select i.id from public.library_items as i
                where i.user_id = shelf_page.reader and (i.created_at, i.id) < (shelf_page.before_moment, shelf_page.before_item)
            )) as s
            where s.missing <> '{}'
            order by s.added_at desc, s.library_item_id desc limit shelf_page.page_size
        );
    end if;
    return array(
        select i.id
        from public.library_items as i
        cross join lateral (
            select newest.status
            from public.enrichment_queue as newest
            where newest.work_id = i.work_id
            order by newest.created_at desc, newest.id desc
            limit 1
        ) as q
        where i.user_id = shelf_page.reader and (i.created_at, i.id) < (shelf_page.before_moment, shelf_page.before_item)
            and q.status = shelf_page.filter::enrichment.queue_status
        order by i.created_at desc, i.id desc limit shelf_page.page_size
    );
end
$$;

create or replace function enrichment.enrichment_library_impl(filter text, page_size integer, cursor text)
returns setof enrichment.library_line
language plpgsql stable security definer set search_path = '' set jit = off set random_page_cost = 1.1
as $$
declare
    reader uuid := enrichment.current_reader();
    -- Moments as whole microseconds: exact, and without a character that a URL would change.
    before text[] := regexp_match(enrichment_library_impl.cursor, '^([0-9]{1,17})_([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$');
    page uuid[];
begin
    perform enrichment.refuse_bad_page(enrichment_library_impl.page_size);
    if enrichment_library_impl.filter <> 'missing' and enrichment_library_impl.filter <> all(enum_range(null::enrichment.queue_status)::text[]) then
        perform enrichment.refuse('PT422', format('unknown filter %s', enrichment_library_impl.filter), 'use missing, or a status: pending, needs_review …');
    end if;
    if enrichment_library_impl.cursor is not null and before is null then
        perform enrichment.refuse('PT422', 'cursor is not one that a page ended with', 'send the cursor of the last row, or null for the first page');
    end if;
    page := enrichment.shelf_page(
        reader, enrichment_library_impl.filter, enrichment_library_impl.page_size,
        coalesce(timestamptz 'epoch' + before[1]::bigint * interval '1 microsecond', 'infinity'),
        coalesce(before[2], 'ffffffff-ffff-ffff-ffff-ffffffffffff')::uuid
    );

    return query
    select
        s.work_id, s.library_item_id, s.edition_id, s.title, enrichment.author_names(s.work_id), s.cover_url, s.first_publish_year,
        s.status, s.queue_id, s.confidence, s.wait_reason, s.next_attempt_after, s.last_error, s.undone_at, s.missing,
        (extract(epoch from s.added_at) * 1000000)::bigint || '_' || s.library_item_id
    from enrichment.shelf_lines(page) as s
    order by s.added_at desc, s.library_item_id desc;
end
$$;

create or replace function enrichment.enrichment_summary_impl()
returns setof enrichment.library_summary
language plpgsql stable security definer set search_path = '' set jit = off set random_page_cost = 1.1
as $$
declare
    reader uuid := enrichment.current_reader();
begin
    return query
    with books as materialized (
        select
            s.cover_url is null as is_bare, s.missing <> '{}' as is_missing, s.status, s.wait_reason, s.next_attempt_after,
            exists (
                select 1 from public.enrichment_queue as q where q.work_id = s.work_id and q.cover_applied and q.undone_at is null
            ) as has_our_cover
        from enrichment.shelf_lines(array(select i.id from public.library_items as i where i.user_id = reader)) as s
    )

    select
        count(*)::integer, count(*) filter (where b.is_bare)::integer, count(*) filter (where b.is_missing)::integer,
        count(*) filter (where b.status = 'pending')::integer, count(*) filter (where b.status = 'in_progress')::integer,
        count(*) filter (where b.status = 'completed')::integer, count(*) filter (where b.status = 'needs_review')::integer,
        count(*) filter (where b.status = 'failed')::integer, count(*) filter (where b.status = 'skipped')::integer,
        count(*) filter (where b.has_our_cover)::integer, min(b.next_attempt_after),
        (array_agg(b.wait_reason order by b.next_attempt_after nulls last) filter (where b.status = 'pending'))[1]
    from books as b;
end
$$;

create or replace function enrichment.health_of_settings()
returns setof enrichment.health_check
language sql stable set search_path = ''
as $$
    select
        'contact',
        case when s.contact is null then 'fail' when s.contact ~* '@example\.(com|net|org)$' then 'warn' else 'ok' end,
        case
            when s.contact is null then 'nobody is named in the User-Agent, so Open Library is not asked (no_contact)'
            when s.contact ~* '@example\.(com|net|org)$' then s.contact || ' is an example that nobody reads'
            else 'the User-Agent names ' || s.contact
        end,
        case
            when s.contact is null or s.contact ~* '@example\.(com|net|org)$'
                then 'set ENRICHMENT_CONTACT where the worker runs to an address or page of yours: it names you to Open Library, and tells the database'
        end
    from enrichment.settings as s
    union all
    select
        'automatic',
        case when s.auto_enabled then 'ok' else 'warn' end,
        case
            when s.auto_enabled then 'imports are worked on by themselves'
            else format('auto_enabled is off: what imports bring waits (rows by now: %s), what a person asks for runs', waiting."rows")
        end,
        case when not s.auto_enabled then 'set ENRICHMENT_AUTO_ENABLED=true where the worker runs, or: book-enrichment settings set auto_enabled=true' end
    from enrichment.settings as s
    cross join lateral (
        select count(*) as "rows" from public.enrichment_queue as q where q.is_open and q.wait_reason = 'auto_disabled'
    ) as waiting
$$;

create function enrichment.enrichment_health_impl(verbs jsonb, objects jsonb)
returns setof enrichment.health_check
language plpgsql stable security definer set search_path = ''
as $$
begin
    if jsonb_typeof(enrichment_health_impl.verbs) is distinct from 'object' then
        perform enrichment.refuse('PT422', 'verbs is not a JSON object', 'send {"verb": ["parameter", …], …}, or nothing');
    end if;
    if jsonb_typeof(enrichment_health_impl.objects) is distinct from 'object' then
        perform enrichment.refuse('PT422', 'objects is not a JSON object', 'send {"schema.function": "md5 of its body", …}, or nothing');
    end if;
    return query
    select * from enrichment.health_of_verbs(enrichment_health_impl.verbs)
    union all select * from enrichment.health_of_objects(enrichment_health_impl.objects)
    union all select * from enrichment.health_of_host()
    union all select * from enrichment.health_of_tables()
    union all select * from enrichment.health_of_rights()
    union all select * from enrichment.health_of_jobs()
    union all select * from enrichment.health_of_settings()
    union all select * from enrichment.health_of_realtime();

    -- What reads the library cannot look where the library is not whole.
    if not exists (select from enrichment.health_of_host() as h where h.state = 'fail') then
        return query
        select * from enrichment.health_of_providers()
        union all select * from enrichment.health_of_queue()
        union all select * from enrichment.health_of_storage();
    end if;
end
$$;

create or replace function enrichment.health_of_verbs(verbs jsonb)
returns setof enrichment.health_check
language sql stable set search_path = ''
as $$
    with missing as (
        select string_agg(wanted.key, ', ' order by wanted.key) as names
        from jsonb_each(health_of_verbs.verbs) as wanted
        where not exists (
            select 1 from pg_catalog.pg_proc as p
            where p.pronamespace = 'public'::regnamespace and p.proname = wanted.key
                and to_jsonb(coalesce(p.proargnames, '{}')) @> wanted.value
        )
    )

    select
        'migrations',
        case when m.names is null and to_regprocedure('enrichment.schedule_jobs()') is not null then 'ok' else 'fail' end,
        case
            when m.names is not null then 'these verbs are missing or of another version: ' || m.names
            when to_regprocedure('enrichment.schedule_jobs()') is null then 'the last migration is missing: nothing is scheduled'
            else 'every verb the client calls is there'
        end,
        case
            when m.names is not null or to_regprocedure('enrichment.schedule_jobs()') is null
                then 'book-enrichment migrate --restore makes them as released'
        end
    from missing as m
$$;

create function enrichment.health_of_objects(objects jsonb)
returns setof enrichment.health_check
language sql stable set search_path = ''
as $$
    with existing (name, digest) as (
        select format('%s.%s', p.pronamespace::regnamespace, p.proname), md5(p.prosrc || case when p.prosecdef then ' security definer' else '' end)
        from pg_catalog.pg_proc as p
        where p.pronamespace in ('enrichment'::regnamespace, 'public'::regnamespace)
        union all
        select format('%s %s.%s', case c.relkind when 'v' then 'view' else 'index' end, c.relnamespace::regnamespace, c.relname), ''
        from pg_catalog.pg_class as c
        where c.relnamespace in ('enrichment'::regnamespace, 'public'::regnamespace) and c.relkind in ('v', 'i')
        union all
        select 'trigger ' || t.tgname, '' from pg_catalog.pg_trigger as t where t.tgenabled <> 'D'
        union all
        select 'policy ' || p.polname, '' from pg_catalog.pg_policy as p
    ),

    changed as (
        select string_agg(wanted.key, ', ' order by wanted.key) as names
        from jsonb_each_text(health_of_objects.objects) as wanted
        where not exists (select 1 from existing as e where e.name = wanted.key and e.digest = wanted.value)
    )

    select
        'functions', case when c.names is null then 'ok' else 'warn' end,
        case when c.names is null then 'as released' else 'changed by hand, or missing: ' || c.names end,
        case when c.names is not null then 'book-enrichment migrate --restore makes them as released; what you changed is lost then' end
    from changed as c
    where health_of_objects.objects <> '{}'
$$;

comment on function enrichment.health_of_objects(jsonb) is
'Whether each function reads as the client''s version has it, and its views, indexes, triggers and policies are there: objects is {"schema.function": "md5 of its body and, where it is one, of \" security definer\"", "view schema.name": "", "trigger name": "", …}. No line where none is named.';

create function enrichment.host_columns()
returns table (table_name text, column_name text)
language sql immutable set search_path = ''
as $$
    select expected.table_name, column_name
    from (values
        ('users', 'id handle'),
        ('works', 'id title description first_publish_year default_cover_url created_at updated_at'),
        ('works', 'enrichment_status enrichment_confidence last_enriched_at'),
        ('editions', 'id work_id isbn10 isbn13 publisher publish_date language format cover_url total_pages total_audio_minutes'),
        ('editions', 'created_at updated_at'),
        ('authors', 'id name created_at'),
        ('work_authors', 'work_id author_id'),
        ('external_ids', 'entity_type entity_id provider provider_id'),
        ('source_records', 'provider entity_type provider_id raw fetched_at'),
        ('library_items', 'id user_id work_id preferred_edition_id status visibility rating tags created_at')
    ) as expected (table_name, column_names)
    cross join lateral unnest(string_to_array(expected.column_names, ' ')) as column_name
$$;

comment on function enrichment.host_columns() is 'The columns of the library in public that we read or write; others are the host''s own business.';

create function enrichment.health_of_host()
returns setof enrichment.health_check
language sql stable set search_path = ''
as $$
    with missing as (
        select string_agg(format('%s.%s', wanted.table_name, wanted.column_name), ', ' order by wanted.table_name, wanted.column_name) as names
        from enrichment.host_columns() as wanted
        where not exists (
            select 1 from pg_catalog.pg_attribute as a
            where a.attrelid = to_regclass('public.' || wanted.table_name) and a.attname = wanted.column_name and not a.attisdropped
        )
    )

    select
        'library', case when m.names is null then 'ok' else 'fail' end,
        case when m.names is null then 'every column we read or write is there' else 'not there any more: ' || m.names end,
        case when m.names is not null then 'imports, sweep and worker fail without: bring them back, under these names' end
    from missing as m
$$;

comment on function enrichment.health_of_host() is 'Whether the columns of the host''s tables that we rely on are there.';

create function enrichment.health_of_tables()
returns setof enrichment.health_check
language sql stable set search_path = ''
as $$
    with open_tables as (
        select string_agg(c.oid::regclass::text, ', ' order by c.oid::regclass::text) as names
        from pg_catalog.pg_class as c
        where c.relkind = 'r' and not c.relrowsecurity and (
            c.relnamespace = 'enrichment'::regnamespace
            or c.oid in (to_regclass('public.enrichment_queue'), to_regclass('public.enrichment_audit_log'))
        )
    )

    select
        'row security', case when t.names is null then 'ok' else 'fail' end,
        case when t.names is null then 'is on for every table of ours' else 'is off for: ' || t.names end,
        case when t.names is not null then format('alter table %s enable row level security, for each', split_part(t.names, ', ', 1)) end
    from open_tables as t
$$;

comment on function enrichment.health_of_tables() is 'Whether row level security is on for our tables.';

create function enrichment.health_of_rights()
returns setof enrichment.health_check
language sql stable set search_path = ''
as $$
    with functions as (
        select p.oid, p.oid::regprocedure::text as name, p.pronamespace = 'public'::regnamespace as is_verb, p.proconfig
        from pg_catalog.pg_proc as p
        where p.pronamespace = 'enrichment'::regnamespace or (
            p.pronamespace = 'public'::regnamespace and exists (
                select from pg_catalog.pg_proc as twin
                where twin.pronamespace = 'enrichment'::regnamespace and twin.proname = p.proname || '_impl' and twin.proargtypes = p.proargtypes
            )
        )
    ),

    tables as (
        select c.oid, c.oid::regclass::text as name
        from pg_catalog.pg_class as c
        where c.relkind in ('r', 'v') and (
            c.relnamespace = 'enrichment'::regnamespace
            or c.oid in (to_regclass('public.enrichment_queue'), to_regclass('public.enrichment_audit_log'))
        )
    ),

    wrong (what, name) as (
        select 'open to visitors', f.name from functions as f where has_function_privilege('anon', f.oid, 'execute')
        union all
        select 'open to visitors', t.name from tables as t where has_any_column_privilege('anon', t.oid, 'select, insert, update')
        union all
        select 'opened by a policy', p.polname::text from pg_catalog.pg_policy as p join tables as t on t.oid = p.polrelid
        where p.polname not in ('enrichment_queue_of_own_library', 'enrichment_audit_log_of_own_library')
        union all
        select 'closed to everybody', f.name from functions as f
        where f.is_verb and not has_function_privilege('service_role', f.oid, 'execute') and not has_function_privilege('authenticated', f.oid, 'execute')
        union all
        select 'closed to readers', 'schema enrichment' where not has_schema_privilege('authenticated', 'enrichment', 'usage')
        union all
        select 'without search_path', f.name from functions as f where not coalesce(f.proconfig @> array['search_path=""'], false)
    ),

    told as (
        select string_agg(w.what || ': ' || w.names, '; ' order by w.what) as message
        from (select wrong.what, string_agg(wrong.name, ', ' order by wrong.name) as names from wrong group by wrong.what) as w
    )

    select
        'rights', case when told.message is null then 'ok' else 'fail' end,
        coalesce(told.message, 'visitors may do nothing, every verb is somebody''s'),
        case when told.message is not null then 'book-enrichment migrate --restore; a policy of your own: drop it' end
    from told
$$;

comment on function enrichment.health_of_rights() is
'Whether something of ours was opened to visitors or by a policy, a verb closed to everybody, or a function freed of its search_path.';

create function enrichment.reader_obstacle()
returns text
language sql stable set search_path = ''
as $$
    select case
        when not has_function_privilege('authenticated', 'enrichment.is_on_own_shelf(uuid)', 'execute')
            then 'permission denied for function is_on_own_shelf'
        else (
            select case
                when not has_column_privilege('authenticated', wanted.relation, 'id', 'select') then 'permission denied for table ' || wanted.name
                else format('the policy %s_of_own_library on %s is gone, or another', wanted.name, wanted.name)
            end
            from unnest(array['enrichment_queue', 'enrichment_audit_log']) as named (name)
            cross join lateral (select named.name, to_regclass('public.' || named.name) as relation) as wanted
            where not has_column_privilege('authenticated', wanted.relation, 'id', 'select') or not exists (
                select from pg_catalog.pg_policy as p
                where p.polrelid = wanted.relation and p.polname = wanted.name || '_of_own_library' and p.polcmd = 'r'
                    and p.polroles = array['authenticated'::regrole::oid]
                    and pg_get_expr(p.polqual, p.polrelid) = 'enrichment.is_on_own_shelf(work_id)'
            )
            limit 1
        )
    end
$$;

comment on function enrichment.reader_obstacle() is
'What keeps a reader from seeing the own rows of queue and audit log: a right, or a policy that is not ours any more; null where nothing does.';

create or replace function enrichment.health_of_realtime()
returns setof enrichment.health_check
language plpgsql stable set search_path = ''
as $$
declare
    is_there boolean := exists (select 1 from pg_catalog.pg_publication as p where p.pubname = 'supabase_realtime');
    is_published boolean := exists (
        select 1 from pg_catalog.pg_publication_tables as t
        where t.pubname = 'supabase_realtime' and t.schemaname = 'public' and t.tablename = 'enrichment_queue'
    );
    obstacle text := enrichment.reader_obstacle();
begin
    return query
    select
        'realtime', case when obstacle is not null or (is_there and not is_published) then 'warn' else 'ok' end,
        case
            when obstacle is not null then 'readers cannot look into the queue, so Realtime tells nobody: ' || obstacle
            when not is_there then 'no Realtime here: pages ask again every few seconds'
            when is_published then 'pages see changes at once'
            else 'pages ask again every few seconds, because enrichment_queue is not published'
        end,
        case
            when obstacle is not null then 'book-enrichment migrate --restore grants it again'
            when is_there and not is_published then 'select enrichment.publish_queue()'
        end;
end
$$;

comment on function enrichment.health_of_realtime() is 'Whether Realtime publishes the queue, and whether a reader may see what it publishes.';

create function enrichment.analyze_small_tables()
returns void
language plpgsql set search_path = ''
as $$
declare
    small regclass;
begin
    for small in
        select c.oid::regclass
        from pg_catalog.pg_class as c
        where c.oid in (to_regclass('public.users'), 'enrichment.settings'::regclass, 'enrichment.providers'::regclass)
            and (c.reltuples < 0 or (c.reltuples = 0 and pg_catalog.pg_relation_size(c.oid) > 0)) and pg_catalog.pg_has_role(c.relowner, 'usage')
    loop
        execute format('analyze %s', small);
    end loop;
end
$$;

comment on function enrichment.analyze_small_tables() is
'Tells the planner once, as soon as they have rows, how small users, settings and providers are: below fifty changes autoanalyze never comes, and it expects hundreds.';

create or replace function enrichment.prune_enrichment_impl()
returns setof enrichment.pruned
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    kept enrichment.settings := (select s from enrichment.settings as s);
    cron_runs bigint;
begin
    perform enrichment.analyze_small_tables();

    return query
    with gone as (
        delete from public.enrichment_queue as q
        where q.id in (
            select old.id from public.enrichment_queue as old
            where old.finished_at < now() - make_interval(days => kept.keep_queue_days) limit 10000
        )
        returning 1
    )

    select 'enrichment_queue', count(*) from gone;

    return query
    with gone as (
        delete from public.enrichment_audit_log as a
        where a.id in (
            select old.id from public.enrichment_audit_log as old
            where old.created_at < now() - make_interval(days => kept.keep_audit_days) limit 10000
        )
        returning 1
    )

    select 'enrichment_audit_log', count(*) from gone;

    return query
    with gone as (
        delete from enrichment.imports as i where i.created_at < now() - make_interval(days => kept.keep_queue_days) returning 1
    )

    select 'imports', count(*) from gone;

    return query
    with gone as (
        delete from enrichment.cover_queue as c
        where c.id in (
            select old.id from enrichment.cover_queue as old
            where old.finished_at < now() - make_interval(days => kept.keep_queue_days) limit 10000
        )
        returning 1
    )

    select 'cover_queue', count(*) from gone;

    -- Once a night, covers that the host has hot-linked since are looked for.
    update enrichment.cover_backfill as b
    set next_work_id = '00000000-0000-0000-0000-000000000000'
    where kept.cover_mode = 'thumbnail' and b.next_work_id is null;

    return query
    with gone as (
        delete from public.source_records as s
        where s.entity_type in ('isbn_lookup', 'title_lookup')
            and s.fetched_at < now() - make_interval(days => case when s.raw ? 'no_match' then kept.miss_valid_days else kept.record_valid_days end)
        returning 1
    )

    select 'source_records', count(*) from gone;

    return query
    with gone as (
        delete from enrichment.parsed_records as p
        where p.fetched_at < now() - make_interval(days => case when p.is_miss then kept.miss_valid_days else kept.record_valid_days end)
            or not exists (
                select 1 from public.source_records as s
                where s.provider = p.provider and s.entity_type = p.entity_type and s.provider_id = p.provider_id
            )
        returning 1
    )

    select 'parsed_records', count(*) from gone;

    if to_regclass('cron.job_run_details') is not null then
        execute 'delete from cron.job_run_details where end_time < now() - make_interval(days => $1)' using kept.keep_cron_runs_days;
        get diagnostics cron_runs = row_count;
        return query select 'cron.job_run_details', cron_runs;
    end if;
end
$$;

create function public.enrichment_version()
returns setof enrichment.installed_version
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_version_impl()
$$;

comment on function public.enrichment_version() is
'What version of book enrichment is installed, and the oldest version whose Python package still works with it.';

create function public.enrichment_health(verbs jsonb default '{}', objects jsonb default '{}')
returns setof enrichment.health_check
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_health_impl(enrichment_health.verbs, enrichment_health.objects)
$$;

comment on function public.enrichment_health(jsonb, jsonb) is
'One check a line: name, state (ok, warn, fail), message, hint (what to do; null where all is well). verbs names what the client is going to call, with its parameters; objects is what the client''s version has: the md5 of each function''s body by its name with its schema, and an empty text for "view schema.name", "index schema.name", "trigger name" and "policy name". So a database of another version is noticed, and what was changed by hand.';

comment on function public.trigger_missing_enrichment() is
'The reader''s "Enrich missing": queues works of the own library that lack something nobody locked and are not queued, the newest first and up to 1,000 a call, and starts those that wait for the switch (auto_disabled). Call again until nothing is enqueued; what is left then can gain nothing now (known_miss), and no row says that nothing is missing at all.';

revoke all on function
    enrichment.analyze_small_tables(),
    enrichment.cover_overrides(uuid[]),
    enrichment.enrichment_health_impl(jsonb, jsonb),
    enrichment.enrichment_version_impl(),
    enrichment.health_of_host(),
    enrichment.health_of_objects(jsonb),
    enrichment.health_of_rights(),
    enrichment.health_of_tables(),
    enrichment.host_columns(),
    enrichment.is_on_own_shelf(uuid),
    enrichment.needed_lookups(uuid[]),
    enrichment.oldest_answers(),
    enrichment.possible_lookups(uuid[]),
    enrichment.queue_records(uuid[]),
    enrichment.reader_obstacle(),
    enrichment.shelf_lines(uuid[]),
    enrichment.still_answers(timestamp with time zone, jsonb, enrichment.oldest_answers),
    enrichment.wanted_fields(uuid[]),
    public.enrichment_health(jsonb, jsonb),
    public.enrichment_version()
from public, anon, authenticated, service_role;

grant execute on function enrichment.enrichment_health_impl(jsonb, jsonb) to service_role;
grant execute on function enrichment.enrichment_version_impl() to service_role;
grant execute on function enrichment.is_on_own_shelf(uuid) to authenticated;
grant execute on function public.enrichment_health(jsonb, jsonb) to service_role;
grant execute on function public.enrichment_version() to service_role;

reset check_function_bodies;

select enrichment.analyze_small_tables();

insert into enrichment.schema_versions (version, name, checksum, works_with, brought) values
(2, '20261128020251_free_the_host_and_tell_versions', 'a8696f9c56d7f109f04d1cd75cc2f20b162b9f2b3e4cdd28401b4d6d53143c17', 1, '{}');
