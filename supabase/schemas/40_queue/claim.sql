-- How a worker takes rows: due ones, in order of priority, with a token and the look-ups they need, only for providers that may be called
-- now. Before: enqueue. After: the worker asks the providers, then apply, fail or release.

create type enrichment.claimed_row as (
    queue_id uuid, claim_token uuid, work_id uuid, edition_id uuid, title text, authors text [], attempt_count integer, lookups jsonb
);
comment on type enrichment.claimed_row is 'A queue row that is the worker''s until it is applied, failed, released or grows stale.';
comment on column enrichment.claimed_row.claim_token is 'Goes back with every answer; one that holds no longer changes nothing.';
comment on column enrichment.claimed_row.edition_id is 'Whose empty fields may be filled. Null: none is known.';
comment on column enrichment.claimed_row.attempt_count is 'This one included.';
comment on column enrichment.claimed_row.lookups is
'What is to be asked next, if anything: [{"provider", "kind", "key", "title", "author"}].';

create function enrichment.backoff_delay(attempt_count integer)
returns interval
language sql stable set search_path = ''
as $$
    select make_interval(secs => least(
        s.backoff_base_seconds * 2.0 ^ (greatest(backoff_delay.attempt_count, 1) - 1), s.backoff_max_seconds
    ))
    from enrichment.settings as s
$$;
comment on function enrichment.backoff_delay(integer) is 'Wait after the n-th spent attempt: backoff_base_seconds, doubling, at most backoff_max_seconds.';

create function enrichment.postpone_unservable(queue_ids uuid[])
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
                    make_interval(secs => (
                        (row_number() over (partition by n.provider order by due.priority, due.id) - 1) / p.rate_per_second
                    )::double precision),
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
comment on function enrichment.postpone_unservable(uuid[]) is
'Due rows wait for the switch, or for the provider of their next look-up where that may not be called now, with the reason; behind an empty bucket in a line, of at most an hour. The caller holds their locks.';

create function enrichment.lock_due_rows(most integer)
returns uuid[]
language sql set search_path = ''
as $$
    -- Parsed works come before queue rows in every verb's order of locks, or a renamed work makes two of them wait for each other.
    select enrichment.refresh_parsed_works(array(
        select q.work_id
        from public.enrichment_queue as q
        where q.is_open and q.status = 'pending' and q.next_attempt_after <= now()
        order by q.priority, q.next_attempt_after, q.id
        limit lock_due_rows.most
    ));

    with picked as (
        select q.id, q.priority, q.next_attempt_after
        from public.enrichment_queue as q
        where q.is_open and q.status = 'pending' and q.next_attempt_after <= now()
        order by q.priority, q.next_attempt_after, q.id
        limit lock_due_rows.most
        for update skip locked
    )

    select array_agg(picked.id order by picked.priority, picked.next_attempt_after, picked.id) from picked
$$;
comment on function enrichment.lock_due_rows(integer) is
'Locks up to that many due rows that nobody else holds, first come first, their works freshly parsed. Two claimers never get the same row.';

create function enrichment.claim_enrichment_impl(worker_name text, batch_size integer)
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
            else jsonb_build_array(jsonb_build_object(
                'provider', n.provider, 'kind', n.kind, 'key', n.key, 'title', n.title, 'author', n.author
            ))
        end
    from claimed as c
    join enrichment.parsed_works as w on w.work_id = c.work_id
    left join enrichment.needed_lookups(servable_ids[1:batch]) as n on n.queue_id = c.id
    order by array_position(servable_ids, c.id);
end
$$;
