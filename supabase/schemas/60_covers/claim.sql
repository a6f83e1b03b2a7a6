-- How a worker takes covers, and what it must keep to: sizes, hosts, budget.

create type enrichment.claimed_cover as (
    cover_id uuid, claim_token uuid, work_id uuid, provider text, source_url text, attempt_count integer
);
comment on type enrichment.claimed_cover is 'A cover that is the worker''s to store until it is applied, failed, released or grows stale.';
comment on column enrichment.claimed_cover.claim_token is 'Goes back with the answer; one that holds no longer changes nothing.';
comment on column enrichment.claimed_cover.provider is 'Whose image it is; its calls count for <provider>_covers.';
comment on column enrichment.claimed_cover.source_url is 'Where it is downloaded from.';
comment on column enrichment.claimed_cover.attempt_count is 'This one included.';

create type enrichment.cover_report as (
    cover_mode text, wait_reason text, due_at timestamptz, due_in numeric, pending integer, in_progress integer, images bigint,
    bytes bigint, budget_bytes bigint, download_bytes integer, image_bytes integer, hosts text [], placeholders text []
);
comment on type enrichment.cover_report is 'How storing covers stands, and what a worker must keep to.';
comment on column enrichment.cover_report.cover_mode is 'hotlink or thumbnail.';
comment on column enrichment.cover_report.wait_reason is
'hotlink_mode, storage_budget, backfill, or that of the provider or the next row. Null: nothing waits.';
comment on column enrichment.cover_report.due_at is 'Null: nothing will be due by itself.';
comment on column enrichment.cover_report.due_in is 'Seconds until then, never negative. Null: as due_at.';
comment on column enrichment.cover_report.images is 'Images that are stored.';
comment on column enrichment.cover_report.bytes is 'Bytes that are stored.';
comment on column enrichment.cover_report.budget_bytes is 'The most that may be stored.';
comment on column enrichment.cover_report.download_bytes is 'The most that is downloaded for one cover.';
comment on column enrichment.cover_report.image_bytes is 'The most that is stored for one.';
comment on column enrichment.cover_report.hosts is 'Where images may come from; *.name is every host below name.';
comment on column enrichment.cover_report.placeholders is 'md5 or sha256 of files that only say "there is no image".';

create function enrichment.postpone_covers(until timestamptz, reason text)
returns void
language plpgsql set search_path = ''
as $$
begin
    with due as (
        select q.id from enrichment.cover_queue as q
        where q.is_open and q.status = 'pending' and q.next_attempt_after <= now()
        limit 1000
        for update skip locked
    )

    update enrichment.cover_queue as q
    set wait_reason = postpone_covers.reason, next_attempt_after = postpone_covers.until, updated_at = now()
    from due
    where q.id = due.id;
end
$$;
comment on function enrichment.postpone_covers(timestamptz, text) is 'Up to 1,000 covers that are due wait until then, for that reason.';

create function enrichment.room_for_covers()
returns bigint
language plpgsql stable set search_path = ''
as $$
begin
    return (
        select (s.cover_budget_bytes - u.bytes) / s.cover_image_bytes - under_way."rows"
        from enrichment.settings as s
        cross join enrichment.cover_storage as u
        cross join lateral (
            select count(*) from enrichment.cover_queue as q where q.is_open and q.status = 'in_progress'
        ) as under_way ("rows")
    );
end
$$;
comment on function enrichment.room_for_covers() is
'How many more covers may be claimed: each row under way sets aside the largest image there may be, so that no upload can go beyond the budget. The caller holds the lock of cover_storage.';

create function enrichment.claim_covers_impl(worker_name text, batch_size integer)
returns setof enrichment.claimed_cover
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    batch integer := coalesce(claim_covers_impl.batch_size, 10);
    gate enrichment.cover_gate;
begin
    if batch not between 1 and 100 then
        perform enrichment.refuse('PT422', format('batch_size %s is not between 1 and 100', batch), 'ten is the default');
    end if;
    if (select s.cover_mode from enrichment.settings as s) <> 'thumbnail' then
        return;
    end if;
    perform 1 from enrichment.cover_queue as q
    where q.is_open and q.status = 'pending' and q.next_attempt_after <= now()
    offset batch - 1
    limit 1;
    if not found then
        -- Fewer than a batch are due.
        perform enrichment.backfill_covers();
    end if;

    -- From here on claims take turns.
    perform 1 from enrichment.cover_storage for update;
    select * into gate from enrichment.cover_gate;
    if gate.wait_reason is not null then
        perform enrichment.postpone_covers(gate.available_at, gate.wait_reason);
        return;
    end if;
    batch := least(batch, enrichment.room_for_covers())::integer;
    if batch < 1 then
        return;
    end if;

    return query
    with picked as (
        select q.id
        from enrichment.cover_queue as q
        where q.is_open and q.status = 'pending' and q.next_attempt_after <= now()
        order by q.next_attempt_after, q.id
        limit batch
        for update skip locked
    ),

    claimed as (
        update enrichment.cover_queue as q
        set status = 'in_progress', started_at = now(), attempt_count = q.attempt_count + 1, wait_reason = null,
            claim_token = gen_random_uuid(), claimed_by = left(claim_covers_impl.worker_name, 200), updated_at = now()
        from picked
        where q.id = picked.id
        returning q.*
    )

    select c.id, c.claim_token, c.work_id, c.provider, c.source_url, c.attempt_count::integer from claimed as c order by c.id;
end
$$;

create function enrichment.enrichment_covers_impl()
returns setof enrichment.cover_report
language sql stable security definer set search_path = '' set jit = off
as $$
    with open_rows as (
        select q.status, q.next_attempt_after, q.wait_reason from enrichment.cover_queue as q where q.is_open
    ),

    -- While works are still to be looked through, a claim may find something at any time.
    next_row as (
        select o.next_attempt_after, o.wait_reason from open_rows as o where o.status = 'pending' and o.next_attempt_after < 'infinity'
        union all
        select now(), 'backfill' as wait_reason from enrichment.cover_backfill as b where b.next_work_id is not null
        order by 1
        limit 1
    )

    select
        s.cover_mode, coalesce(g.wait_reason, n.wait_reason, waiting.reason), due.at,
        case when due.at is not null then round(greatest(extract(epoch from due.at - clock_timestamp()), 0), 3) end,
        (select count(*)::integer from open_rows as o where o.status = 'pending'),
        (select count(*)::integer from open_rows as o where o.status = 'in_progress'),
        g.images, g.bytes, s.cover_budget_bytes, s.cover_download_bytes, s.cover_image_bytes, s.cover_hosts,
        array(select p.digest from enrichment.placeholder_images as p order by p.digest)
    from enrichment.settings as s
    cross join enrichment.cover_gate as g
    left join next_row as n on true
    cross join lateral (select min(o.wait_reason) from open_rows as o where o.status = 'pending') as waiting (reason)
    cross join lateral (
        select nullif(
            case
                when g.wait_reason is null or n.next_attempt_after is null then n.next_attempt_after
                else greatest(n.next_attempt_after, g.available_at)
            end, 'infinity'
        )
    ) as due (at)
$$;
