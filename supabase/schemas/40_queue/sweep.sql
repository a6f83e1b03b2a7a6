-- The lane without HTTP: whatever stored replies can answer is decided inside the database, each minute, while the app sleeps.

create type enrichment.resolution as (
    queue_id uuid, work_id uuid, status enrichment.queue_status, confidence enrichment.confidence, fields_applied text [],
    wait_reason text, last_error text
);
comment on type enrichment.resolution is 'A queue row that stored replies have decided.';
comment on column enrichment.resolution.confidence is 'Of the best candidate. Null: none was weighed.';
comment on column enrichment.resolution.fields_applied is 'Fields that were filled.';
comment on column enrichment.resolution.wait_reason is 'What it waits for. Null: it has ended or is in review.';
comment on column enrichment.resolution.last_error is 'Null: it met none.';

create function enrichment.sweep_enrichment_impl(batch_size integer)
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
