-- How a claim ends without an answer: a lasting error spends an attempt, anything else gives the row back, and a worker that does not
-- come back loses its claim.

create type enrichment.row_state as (
    queue_id uuid, status enrichment.queue_status, attempt_count integer, next_attempt_after timestamptz, wait_reason text, last_error text
);
comment on type enrichment.row_state is 'Where a queue row stands whose claim ended without an answer.';
comment on column enrichment.row_state.attempt_count is 'Attempts that are spent.';
comment on column enrichment.row_state.next_attempt_after is 'When it may be claimed again. Null, in SQL infinity: once a setting changes.';
comment on column enrichment.row_state.wait_reason is 'Why it waits. Null: it has failed.';
comment on column enrichment.row_state.last_error is 'Null: it met none.';

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
        select w.id
        from public.works as w
        where w.id in (select f.work_id from spent as f where f.status = 'failed')
        order by w.id
        for no key update
    ),

    marked as (
        update public.works as w set enrichment_status = 'failed', last_enriched_at = now() from failed_works where w.id = failed_works.id
    )

    select s.id, s.status, s.attempt_count::integer, s.next_attempt_after, s.wait_reason, s.last_error from spent as s order by s.id
$$;
comment on function enrichment.spend_attempts(uuid[], text, text) is
'Ends attempts that crashed or met a lasting error: back to pending with backoff, or failed when the last one is spent. The caller holds the rows'' locks.';

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

create function enrichment.release_enrichment_impl(queue_id uuid, claim_token uuid, reason text, retry_at timestamptz)
returns setof enrichment.row_state
language plpgsql security definer set search_path = ''
as $$
begin
    if coalesce(release_enrichment_impl.reason, '') = '' then
        perform enrichment.refuse(
            'PT422', 'a released row needs a reason', 'say why it waits: rate, daily, breaker, unreachable, stopped …'
        );
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
