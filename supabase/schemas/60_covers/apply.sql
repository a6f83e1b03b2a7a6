-- What a worker uploaded is counted, and the URL swapped where it is unchanged since; one outcome per element.

create type enrichment.answered_cover as (
    "position" integer, cover_id uuid, claim_token uuid, sha256 text, storage_path text, cover_url text, bytes integer, width integer,
    height integer, problem text
);
comment on type enrichment.answered_cover is 'An element of an apply_covers call, and what is wrong with it, if anything.';

create type enrichment.cover_verdict as (cover_id uuid, outcome text);
comment on type enrichment.cover_verdict is 'What becomes of a stored image, as cover_outcome.outcome says.';

create type enrichment.cover_outcome as (
    "position" integer, cover_id uuid, work_id uuid, outcome text, status enrichment.queue_status, message text
);
comment on type enrichment.cover_outcome is 'What became of one element of an apply_covers call.';
comment on column enrichment.cover_outcome."position" is 'In the array that was sent, from 0.';
comment on column enrichment.cover_outcome.cover_id is 'Null: the element named none.';
comment on column enrichment.cover_outcome.work_id is 'Null: there is no such cover.';
comment on column enrichment.cover_outcome.outcome is
'applied, url_changed (the work shows another cover by now), locked, over_budget, stale_claim, failed (the work refused it) or rejected (the element is malformed).';
comment on column enrichment.cover_outcome.status is 'Of the cover. Null: nothing was changed.';
comment on column enrichment.cover_outcome.message is 'What is wrong, or why the cover waits. Null: neither.';

create function enrichment.read_covers(results jsonb)
returns setof enrichment.answered_cover
language sql stable set search_path = ''
as $$
    select
        element.place::integer - 1,
        enrichment.uuid_of(element.value ->> 'cover_id'),
        enrichment.uuid_of(element.value ->> 'claim_token'),
        element.value ->> 'sha256', element.value ->> 'storage_path', element.value ->> 'cover_url', bytes, width, height,
        case
            when jsonb_typeof(element.value) <> 'object' then 'the element is not a JSON object'
            when enrichment.uuid_of(element.value ->> 'cover_id') is null then 'cover_id is not a uuid'
            when enrichment.uuid_of(element.value ->> 'claim_token') is null then 'claim_token is not a uuid'
            when coalesce(element.value ->> 'sha256', '') !~ '^[0-9a-f]{64}$' then 'sha256 has not 64 hexadecimal digits'
            when element.value ->> 'storage_path' is distinct from enrichment.cover_path(element.value ->> 'sha256')
                then 'storage_path is not ' || enrichment.cover_path('<32 digits of sha256>')
            when coalesce(element.value ->> 'cover_url', '') !~ '^https?://[^/@\s]+/storage/v1/object/public/covers/[^\s]+$'
                or right(element.value ->> 'cover_url', length(element.value ->> 'storage_path') + 1)
                    <> '/' || (element.value ->> 'storage_path')
                then 'cover_url is not the public URL of storage_path'
            when bytes is null then format('bytes is not between 1 and %s (cover_image_bytes)', s.cover_image_bytes)
            when width is null or height is null then 'width or height is not between 2 and 4,000'
        end
    from jsonb_array_elements(read_covers.results) with ordinality as element (value, place)
    cross join enrichment.settings as s
    cross join lateral enrichment.json_integer(element.value -> 'bytes', 1, s.cover_image_bytes) as bytes
    cross join lateral enrichment.json_integer(element.value -> 'width', 2, 4000) as width
    cross join lateral enrichment.json_integer(element.value -> 'height', 2, 4000) as height
$$;
comment on function enrichment.read_covers(jsonb) is 'The elements of an apply_covers call, each with what is wrong with it, if anything.';

create function enrichment.weigh_covers(elements enrichment.answered_cover[])
returns setof enrichment.cover_verdict
language sql stable set search_path = ''
as $$
    with new_images as (
        select distinct on (e.sha256) e.sha256, e.bytes, e."position"
        from unnest(weigh_covers.elements) as e
        where not exists (select 1 from enrichment.stored_covers as i where i.sha256 = e.sha256)
        order by e.sha256, e."position"
    ),

    totals as (
        select n.sha256, u.bytes + sum(n.bytes) over (order by n."position") > s.cover_budget_bytes as is_too_much
        from new_images as n
        cross join enrichment.cover_storage as u
        cross join enrichment.settings as s
    )

    select
        e.cover_id,
        case
            when t.is_too_much then 'over_budget'
            when w.default_cover_url is distinct from c.source_url then 'url_changed'
            when exists (select 1 from enrichment.field_locks as l where l.entity_id = w.id and l.field = 'work.cover_url') then 'locked'
            else 'applied'
        end
    from unnest(weigh_covers.elements) as e
    join enrichment.cover_queue as c on c.id = e.cover_id
    join public.works as w on w.id = c.work_id
    left join totals as t on t.sha256 = e.sha256
$$;
comment on function enrichment.weigh_covers(enrichment.answered_cover[]) is
'Whether each stored image may take its work''s cover: over_budget where the total would pass cover_budget_bytes, url_changed, locked, or applied. The caller holds the locks.';

create function enrichment.count_images(elements enrichment.answered_cover[], verdicts enrichment.cover_verdict[])
returns void
language plpgsql set search_path = ''
as $$
begin
    with stored as (
        insert into enrichment.stored_covers (sha256, storage_path, bytes, width, height)
        select distinct on (e.sha256) e.sha256, e.storage_path, e.bytes, e.width, e.height
        from unnest(count_images.elements) as e
        join unnest(count_images.verdicts) as v on v.cover_id = e.cover_id and v.outcome <> 'over_budget'
        order by e.sha256
        on conflict do nothing
        returning bytes
    )

    update enrichment.cover_storage as u
    set images = u.images + added.images, bytes = u.bytes + added.bytes
    from (select count(*) as images, coalesce(sum(stored.bytes), 0) as bytes from stored) as added
    where added.images > 0;
end
$$;
comment on function enrichment.count_images(enrichment.answered_cover[], enrichment.cover_verdict[]) is
'Notes the images that are new, whatever became of their covers, unless they are over budget. The caller holds the lock of cover_storage.';

create function enrichment.close_covers(elements enrichment.answered_cover[], verdicts enrichment.cover_verdict[])
returns void
language plpgsql set search_path = ''
as $$
begin
    update enrichment.cover_queue as c
    set status = case
            when v.outcome = 'applied' then 'completed' when v.outcome = 'over_budget' then 'pending' else 'skipped'
        end::enrichment.queue_status,
        sha256 = case when v.outcome = 'applied' then e.sha256 end,
        last_error = case
            when v.outcome = 'url_changed' then 'the work shows another cover now' when v.outcome = 'locked' then 'the cover was locked'
        end,
        attempt_count = c.attempt_count - (v.outcome = 'over_budget')::integer,
        wait_reason = case when v.outcome = 'over_budget' then 'storage_budget' end,
        next_attempt_after = case when v.outcome = 'over_budget' then 'infinity' else c.next_attempt_after end,
        finished_at = case when v.outcome <> 'over_budget' then now() end,
        claim_token = null, updated_at = now()
    from unnest(close_covers.elements) as e
    join unnest(close_covers.verdicts) as v on v.cover_id = e.cover_id
    where c.id = e.cover_id;

    -- A cover that changed meanwhile may be one to store as well.
    perform enrichment.queue_covers(array_agg(c.work_id), null)
    from unnest(close_covers.verdicts) as v
    join enrichment.cover_queue as c on c.id = v.cover_id
    where v.outcome = 'url_changed';
end
$$;
comment on function enrichment.close_covers(enrichment.answered_cover[], enrichment.cover_verdict[]) is
'Ends the rows as their verdicts say; those over budget wait, and a work that shows another cover by now gets in line with that one.';

create function enrichment.swap_covers(elements enrichment.answered_cover[], verdicts enrichment.cover_verdict[])
returns void
language plpgsql set search_path = ''
as $$
declare
    host_keeps_paths boolean := exists (
        select 1 from pg_catalog.pg_attribute as a
        where a.attrelid = 'public.works'::regclass and a.attname = 'default_cover_storage_path' and not a.attisdropped
    );
begin
    -- A host without the column has nowhere to note the path, and static SQL would not compile there.
    execute
        'update public.works as w set default_cover_url = e.cover_url, updated_at = now()'
        || case when host_keeps_paths then ', default_cover_storage_path = e.storage_path' else '' end
        || ' from unnest($1) as e join unnest($2) as v on v.cover_id = e.cover_id and v.outcome = ''applied'''
        || ' join enrichment.cover_queue as c on c.id = e.cover_id where w.id = c.work_id'
    using swap_covers.elements, swap_covers.verdicts;

    insert into public.enrichment_audit_log (
        enrichment_queue_id, work_id, edition_id, import_id, action, provider, fields_changed, previous_values, match_details
    )
    select
        c.queue_id, c.work_id, q.edition_id, q.import_id, 'auto_applied', c.provider,
        jsonb_build_object('work.cover_url', jsonb_build_object('old', c.source_url, 'new', e.cover_url)),
        jsonb_build_object('work.cover_url', c.source_url),
        jsonb_build_object('sentence', 'the cover was stored', 'storage_path', e.storage_path, 'sha256', e.sha256, 'bytes', e.bytes)
    from unnest(swap_covers.elements) as e
    join unnest(swap_covers.verdicts) as v on v.cover_id = e.cover_id and v.outcome = 'applied'
    join enrichment.cover_queue as c on c.id = e.cover_id
    left join public.enrichment_queue as q on q.id = c.queue_id;
end
$$;
comment on function enrichment.swap_covers(enrichment.answered_cover[], enrichment.cover_verdict[]) is
'Swaps and logs the URLs of the covers that are applied. The caller holds the locks.';

create function enrichment.settle_covers(elements enrichment.answered_cover[])
returns setof enrichment.cover_verdict
language plpgsql set search_path = ''
as $$
declare
    fenced enrichment.answered_cover[];
    verdicts enrichment.cover_verdict[];
    this_one enrichment.answered_cover;
begin
    perform 1 from public.works as w
    where w.id in (select c.work_id from enrichment.cover_queue as c join unnest(settle_covers.elements) as e on e.cover_id = c.id)
    order by w.id for no key update;

    with held as (
        select c.id, c.claim_token
        from enrichment.cover_queue as c
        where c.id in (select e.cover_id from unnest(settle_covers.elements) as e) and c.status = 'in_progress'
        order by c.id
        for update
    )

    select array_agg(first.e) into fenced
    from (
        select distinct on (e.cover_id) e
        from unnest(settle_covers.elements) as e
        join held on held.id = e.cover_id and held.claim_token = e.claim_token
        order by e.cover_id, e."position"
    ) as first;

    perform 1 from enrichment.cover_storage for update;
    select array_agg(v) into verdicts from enrichment.weigh_covers(fenced) as v;
    perform enrichment.count_images(fenced, verdicts);
    perform enrichment.swap_covers(fenced, verdicts);
    perform enrichment.close_covers(fenced, verdicts);
    return query select v.* from unnest(verdicts) as v;
exception
    when others then
        -- Say, a trigger of the host's on works: the one cover it refuses must not take the batch with it.
        if cardinality(settle_covers.elements) = 1 then
            this_one := settle_covers.elements[1];
            return query
            select s.cover_id, 'failed'
            from enrichment.end_cover_attempts(array(
                select c.id
                from enrichment.cover_queue as c
                where c.id = this_one.cover_id and c.claim_token = this_one.claim_token
                for update
            ), sqlstate || ': ' || sqlerrm, 'backoff', false) as s;
        else
            foreach this_one in array settle_covers.elements loop
                return query select * from enrichment.settle_covers(array[this_one]);
            end loop;
        end if;
end
$$;
comment on function enrichment.settle_covers(enrichment.answered_cover[]) is
'Applies stored images whose claims hold, all at once; one at a time where that raises. No line for a claim that is not held.';

create function enrichment.apply_covers_impl(results jsonb)
returns setof enrichment.cover_outcome
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    elements enrichment.answered_cover[];
    verdicts enrichment.cover_verdict[];
begin
    if jsonb_typeof(apply_covers_impl.results) is distinct from 'array' then
        perform enrichment.refuse(
            'PT422', 'results is not a JSON array',
            'send [{"cover_id", "claim_token", "sha256", "storage_path", "cover_url", "bytes", "width", "height"}]'
        );
    end if;
    perform enrichment.refuse_long_list(jsonb_array_length(apply_covers_impl.results));
    select array_agg(r) into elements from enrichment.read_covers(apply_covers_impl.results) as r;

    select array_agg(v) into verdicts
    from enrichment.settle_covers(array(select e from unnest(elements) as e where e.problem is null)) as v;

    return query
    select
        e."position", e.cover_id, c.work_id,
        case when e.problem is not null then 'rejected' else coalesce(v.outcome, 'stale_claim') end,
        case when v.cover_id is not null then c.status end,
        case
            when e.problem is not null then e.problem
            when v.cover_id is null then 'the claim is no longer yours; nothing was changed'
            else coalesce(c.last_error, c.wait_reason)
        end
    from unnest(elements) as e
    left join unnest(verdicts) as v
        on e.problem is null and v.cover_id = e.cover_id and e."position" = (
            select min(same."position") from unnest(elements) as same where same.cover_id = e.cover_id and same.problem is null
        )
    left join enrichment.cover_queue as c on c.id = e.cover_id
    order by e."position";
end
$$;
