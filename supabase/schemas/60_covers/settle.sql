-- How a cover's claim ends without an image: an attempt spent, given back, or taken back from a worker that is gone.

create type enrichment.cover_state as (
    cover_id uuid, status enrichment.queue_status, attempt_count integer, next_attempt_after timestamptz, wait_reason text, last_error text
);
comment on type enrichment.cover_state is 'Where a cover stands whose claim ended without an image.';
comment on column enrichment.cover_state.attempt_count is 'Attempts that are spent.';
comment on column enrichment.cover_state.next_attempt_after is
'When it may be claimed again. Null, in SQL infinity: once a setting changes.';
comment on column enrichment.cover_state.wait_reason is 'Why it waits. Null: it has ended.';
comment on column enrichment.cover_state.last_error is 'Null: it met none.';

create function enrichment.end_cover_attempts(cover_ids uuid[], error text, wait_reason text, is_lasting boolean)
returns setof enrichment.cover_state
language plpgsql set search_path = ''
as $$
begin
    return query
    update enrichment.cover_queue as c
    set status = ending.status,
        finished_at = case when ending.status <> 'pending' then now() end,
        wait_reason = case when ending.status = 'pending' then end_cover_attempts.wait_reason end,
        next_attempt_after = now() + enrichment.backoff_delay(c.attempt_count),
        last_error = left(end_cover_attempts.error, 2000), claim_token = null, updated_at = now()
    from enrichment.cover_queue as held
    cross join lateral (
        select case
            when end_cover_attempts.is_lasting then 'skipped' when held.attempt_count >= held.max_attempts then 'failed' else 'pending'
        end::enrichment.queue_status
    ) as ending (status)
    where held.id = any(end_cover_attempts.cover_ids) and held.status = 'in_progress' and c.id = held.id
    returning c.id, c.status, c.attempt_count::integer, c.next_attempt_after, c.wait_reason, c.last_error;

    -- A cover that changed while its old image was fetched is the one to store now.
    perform enrichment.queue_covers(array_agg(c.work_id), null)
    from enrichment.cover_queue as c
    where c.id = any(end_cover_attempts.cover_ids);
end
$$;
comment on function enrichment.end_cover_attempts(uuid[], text, text, boolean) is
'Ends attempts at covers: skipped for a lasting error, else back to pending with backoff, or failed when the last one is spent. A work that shows another cover by now gets in line with that one.';

create function enrichment.refuse_lost_cover(cover_id uuid)
returns void
language plpgsql stable set search_path = ''
as $$
begin
    if not exists (select 1 from enrichment.cover_queue as c where c.id = refuse_lost_cover.cover_id) then
        perform enrichment.refuse('PT404', format('no cover row %s', refuse_lost_cover.cover_id), 'it may have been pruned');
    end if;
    perform enrichment.refuse(
        'PT409', format('the claim on cover row %s is no longer yours', refuse_lost_cover.cover_id), 'drop the answer and claim again'
    );
end
$$;
comment on function enrichment.refuse_lost_cover(uuid) is 'Raises PT404 or PT409 for a finish whose token does not hold.';

create function enrichment.fail_cover_impl(cover_id uuid, claim_token uuid, error text, is_lasting boolean)
returns setof enrichment.cover_state
language plpgsql security definer set search_path = ''
as $$
begin
    perform 1 from enrichment.cover_queue as c
    where c.id = fail_cover_impl.cover_id and c.status = 'in_progress' and c.claim_token = fail_cover_impl.claim_token
    for update;
    if not found then
        perform enrichment.refuse_lost_cover(fail_cover_impl.cover_id);
    end if;
    return query select * from enrichment.end_cover_attempts(
        array[fail_cover_impl.cover_id], fail_cover_impl.error, 'backoff', coalesce(fail_cover_impl.is_lasting, false)
    );
end
$$;

create function enrichment.release_cover_impl(cover_id uuid, claim_token uuid, reason text, retry_at timestamptz)
returns setof enrichment.cover_state
language plpgsql security definer set search_path = ''
as $$
begin
    if coalesce(release_cover_impl.reason, '') = '' then
        perform enrichment.refuse(
            'PT422', 'a released row needs a reason', 'say why it waits: rate, breaker, unreachable, storage, stopped …'
        );
    end if;
    return query
    update enrichment.cover_queue as c
    set status = 'pending', attempt_count = c.attempt_count - 1, wait_reason = left(release_cover_impl.reason, 200),
        next_attempt_after = coalesce(release_cover_impl.retry_at, now()), claim_token = null, updated_at = now()
    where c.id = release_cover_impl.cover_id and c.status = 'in_progress' and c.claim_token = release_cover_impl.claim_token
    returning c.id, c.status, c.attempt_count::integer, c.next_attempt_after, c.wait_reason, c.last_error;
    if not found then
        perform enrichment.refuse_lost_cover(release_cover_impl.cover_id);
    end if;
end
$$;

create function enrichment.reset_stale_covers(older_than interval)
returns void
language sql set search_path = ''
as $$
    select enrichment.end_cover_attempts(array(
        select c.id
        from enrichment.cover_queue as c
        cross join enrichment.settings as s
        where c.is_open and c.status = 'in_progress'
            and c.started_at < now() - coalesce(reset_stale_covers.older_than, make_interval(secs => s.stale_after_seconds))
        order by c.id
        limit 1000
        for update of c skip locked
    ), 'the worker did not come back', 'stale', false)
$$;
comment on function enrichment.reset_stale_covers(interval) is 'What reset_stale_enrichment() does for claims on covers.';
