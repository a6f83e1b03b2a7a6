-- From due to in progress and back. A worker claims rows together with the look-ups they still need; a claim is a token, and whoever
-- finishes without it changes nothing. What cannot be served now is told why and until when. After: the worker asks the providers
-- and calls apply, or gives the row back here.

create function enrichment.backoff_delay(attempt_count integer)
returns interval
language sql stable set search_path = ''
as $$
    select make_interval(secs => least(s.backoff_base_seconds * 2.0 ^ (greatest(backoff_delay.attempt_count, 1) - 1), s.backoff_max_seconds))
    from enrichment.settings as s
$$;
comment on function enrichment.backoff_delay(integer) is 'Wait after the n-th spent attempt: backoff_base_seconds, doubling, at most backoff_max_seconds.';
revoke all on function enrichment.backoff_delay(integer) from public, anon, authenticated, service_role;

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
                    make_interval(secs => ((row_number() over (partition by n.provider order by due.priority, due.id) - 1) / p.rate_per_second)::double precision),
                    interval '1 hour'
                )
                else n.available_at
            end as until,
            case when is_switched_off then 'auto_disabled' else n.wait_reason end as reason
        from public.enrichment_queue as due
        cross join enrichment.settings as s
        cross join lateral (select not s.auto_enabled and due.trigger_source <> 'manual_bulk') as switch (is_switched_off)
        left join enrichment.needed_lookups as n on n.queue_id = due.id
        left join enrichment.providers as p on p.provider = n.provider
        where due.id = any(postpone_unservable.queue_ids)
    ) as waiting
    where q.id = waiting.id and waiting.reason is not null
$$;
comment on function enrichment.postpone_unservable(uuid[]) is
'Due rows wait for the switch, or for the provider of their next look-up where that may not be called now, with the reason; behind an empty bucket in a line, of at most an hour. The caller holds their locks.';
revoke all on function enrichment.postpone_unservable(uuid[]) from public, anon, authenticated, service_role;

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
revoke all on function enrichment.lock_due_rows(integer) from public, anon, authenticated, service_role;

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
        coalesce((
            select jsonb_agg(jsonb_build_object('provider', n.provider, 'kind', n.kind, 'key', n.key, 'title', n.title, 'author', n.author))
            from enrichment.needed_lookups as n
            where n.queue_id = c.id
        ), '[]')
    from claimed as c
    join enrichment.parsed_works as w on w.work_id = c.work_id
    order by array_position(servable_ids, c.id);
end
$$;
revoke all on function enrichment.claim_enrichment_impl(text, integer) from public, anon, authenticated, service_role;
grant execute on function enrichment.claim_enrichment_impl(text, integer) to service_role;

create function public.claim_enrichment(worker_name text, batch_size integer default null)
returns setof enrichment.claimed_row
language sql set search_path = ''
as $$
    select * from enrichment.claim_enrichment_impl(claim_enrichment.worker_name, claim_enrichment.batch_size)
$$;
comment on function public.claim_enrichment(text, integer) is
'Takes up to batch_size due rows (default settings.batch_size), each with a claim_token and the look-ups it still needs: [{provider, kind: isbn or title, key, title, author}];[] where the cache answers all. Only providers that may be called now. Zero rows: nothing to do, ask enrichment_due().';
revoke all on function public.claim_enrichment(text, integer) from public, anon, authenticated, service_role;
grant execute on function public.claim_enrichment(text, integer) to service_role;

create function enrichment.refuse_lost_claim(queue_id uuid)
returns void
language plpgsql stable set search_path = ''
as $$
begin
    if not exists (select 1 from public.enrichment_queue as q where q.id = refuse_lost_claim.queue_id) then
        perform enrichment.refuse('PT404', format('no queue row %s', refuse_lost_claim.queue_id), 'it may have been pruned');
    end if;
    perform enrichment.refuse(
        'PT409', format('the claim on queue row %s is no longer yours', refuse_lost_claim.queue_id), 'drop the answer and claim again'
    );
end
$$;
comment on function enrichment.refuse_lost_claim(uuid) is 'Raises PT404 or PT409 for a finish whose token does not hold.';
revoke all on function enrichment.refuse_lost_claim(uuid) from public, anon, authenticated, service_role;

create function enrichment.spend_attempts(queue_ids uuid[], error text, wait_reason text)
returns setof enrichment.row_state
language sql set search_path = ''
as $$
    with spent as (
        update public.enrichment_queue as q
        set status = case when q.attempt_count >= q.max_attempts then 'failed' else 'pending' end::enrichment.queue_status,
            finished_at = case when q.attempt_count >= q.max_attempts then now() end,
            wait_reason = case when q.attempt_count < q.max_attempts then spend_attempts.wait_reason end,
            next_attempt_after = now() + enrichment.backoff_delay(q.attempt_count),
            last_error = left(spend_attempts.error, 2000), claim_token = null, updated_at = now()
        where q.id = any(spend_attempts.queue_ids)
        returning q.*
    ),

    logged as (
        insert into public.enrichment_audit_log (enrichment_queue_id, work_id, edition_id, import_id, action, confidence, match_details)
        select f.id, f.work_id, f.edition_id, f.import_id, 'failed', f.confidence, jsonb_build_object('error', f.last_error)
        from spent as f
        where f.status = 'failed'
    ),

    failed_works as (
        select w.id from public.works as w where w.id in (select f.work_id from spent as f where f.status = 'failed') order by w.id for no key update
    ),

    marked as (
        update public.works as w set enrichment_status = 'failed', last_enriched_at = now() from failed_works where w.id = failed_works.id
    )

    select s.id, s.status, s.attempt_count::integer, s.next_attempt_after, s.wait_reason, s.last_error from spent as s order by s.id
$$;
comment on function enrichment.spend_attempts(uuid[], text, text) is
'Ends attempts that crashed or met a lasting error: back to pending with backoff, or failed when the last one is spent. The caller holds the rows'' locks.';
revoke all on function enrichment.spend_attempts(uuid[], text, text) from public, anon, authenticated, service_role;

create function enrichment.fail_enrichment_impl(queue_id uuid, claim_token uuid, error text)
returns setof enrichment.row_state
language plpgsql security definer set search_path = ''
as $$
begin
    perform 1 from public.enrichment_queue as q
    where q.id = fail_enrichment_impl.queue_id and q.status = 'in_progress' and q.claim_token = fail_enrichment_impl.claim_token
    for update;
    if not found then
        perform enrichment.refuse_lost_claim(fail_enrichment_impl.queue_id);
    end if;
    return query select * from enrichment.spend_attempts(array[fail_enrichment_impl.queue_id], fail_enrichment_impl.error, 'backoff');
end
$$;
revoke all on function enrichment.fail_enrichment_impl(uuid, uuid, text) from public, anon, authenticated, service_role;
grant execute on function enrichment.fail_enrichment_impl(uuid, uuid, text) to service_role;

create function public.fail_enrichment(queue_id uuid, claim_token uuid, error text)
returns setof enrichment.row_state
language sql set search_path = ''
as $$
    select * from enrichment.fail_enrichment_impl(fail_enrichment.queue_id, fail_enrichment.claim_token, fail_enrichment.error)
$$;
comment on function public.fail_enrichment(uuid, uuid, text) is
'A look-up of this very row met a lasting error: the attempt is spent, the row backs off, or fails after max_attempts. PT409 without the running claim.';
revoke all on function public.fail_enrichment(uuid, uuid, text) from public, anon, authenticated, service_role;
grant execute on function public.fail_enrichment(uuid, uuid, text) to service_role;

create function enrichment.release_enrichment_impl(queue_id uuid, claim_token uuid, reason text, retry_at timestamptz)
returns setof enrichment.row_state
language plpgsql security definer set search_path = ''
as $$
begin
    if coalesce(release_enrichment_impl.reason, '') = '' then
        perform enrichment.refuse('PT422', 'a released row needs a reason', 'say why it waits: rate, daily, breaker, unreachable, stopped …');
    end if;
    return query
    update public.enrichment_queue as q
    set status = 'pending', attempt_count = q.attempt_count - 1, wait_reason = left(release_enrichment_impl.reason, 200),
        next_attempt_after = coalesce(release_enrichment_impl.retry_at, now()), claim_token = null, updated_at = now()
    where q.id = release_enrichment_impl.queue_id and q.status = 'in_progress' and q.claim_token = release_enrichment_impl.claim_token
    returning q.id, q.status, q.attempt_count::integer, q.next_attempt_after, q.wait_reason, q.last_error;
    if not found then
        perform enrichment.refuse_lost_claim(release_enrichment_impl.queue_id);
    end if;
end
$$;
revoke all on function enrichment.release_enrichment_impl(uuid, uuid, text, timestamptz) from public, anon, authenticated, service_role;
grant execute on function enrichment.release_enrichment_impl(uuid, uuid, text, timestamptz) to service_role;

create function public.release_enrichment(queue_id uuid, claim_token uuid, reason text, retry_at timestamptz default null)
returns setof enrichment.row_state
language sql set search_path = ''
as $$
    select * from enrichment.release_enrichment_impl(
        release_enrichment.queue_id, release_enrichment.claim_token, release_enrichment.reason, release_enrichment.retry_at
    )
$$;
comment on function public.release_enrichment(uuid, uuid, text, timestamptz) is
'Gives a claimed row back unanswered: pending, with the reason and from when it is due (default now). No attempt is spent. PT409 without the running claim.';
revoke all on function public.release_enrichment(uuid, uuid, text, timestamptz) from public, anon, authenticated, service_role;
grant execute on function public.release_enrichment(uuid, uuid, text, timestamptz) to service_role;

create function enrichment.reset_stale_enrichment_impl(older_than interval)
returns setof enrichment.row_state
language plpgsql security definer set search_path = ''
as $$
declare
    stale_ids uuid[];
begin
    select array_agg(stale.id) into stale_ids
    from (
        select q.id
        from public.enrichment_queue as q
        cross join enrichment.settings as s
        where q.is_open and q.status = 'in_progress'
            and q.started_at < now() - coalesce(reset_stale_enrichment_impl.older_than, make_interval(secs => s.stale_after_seconds))
        order by q.id
        limit 1000
        for update of q skip locked
    ) as stale;
    perform enrichment.reset_stale_covers(reset_stale_enrichment_impl.older_than);
    return query select * from enrichment.spend_attempts(stale_ids, 'the worker did not come back', 'stale');
end
$$;
revoke all on function enrichment.reset_stale_enrichment_impl(interval) from public, anon, authenticated, service_role;
grant execute on function enrichment.reset_stale_enrichment_impl(interval) to service_role;

create function public.reset_stale_enrichment(older_than interval default null)
returns setof enrichment.row_state
language sql set search_path = ''
as $$
    select * from enrichment.reset_stale_enrichment_impl(reset_stale_enrichment.older_than)
$$;
comment on function public.reset_stale_enrichment(interval) is
'Takes back claims older than that (default settings.stale_after_seconds): the crash spent an attempt, so the row backs off, or fails after max_attempts. One row per claim taken back, up to 1,000; claims on covers are taken back with them.';
revoke all on function public.reset_stale_enrichment(interval) from public, anon, authenticated, service_role;
grant execute on function public.reset_stale_enrichment(interval) to service_role;
