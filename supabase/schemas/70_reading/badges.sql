-- A badge's worth per work: the state of its newest row, for works of the own library.

create type enrichment.work_state as (
    work_id uuid, queue_id uuid, status enrichment.queue_status, confidence enrichment.confidence, wait_reason text,
    next_attempt_after timestamptz, last_error text, cover_applied boolean, fields_applied text [], cover_url text,
    last_enriched_at timestamptz, undone_at timestamptz
);
comment on type enrichment.work_state is 'A badge: the newest queue row of one work.';
comment on column enrichment.work_state.queue_id is 'Null: the work was never queued.';
comment on column enrichment.work_state.status is 'Null: the work was never queued.';
comment on column enrichment.work_state.confidence is 'Of the best candidate. Null: none was weighed.';
comment on column enrichment.work_state.wait_reason is
'Why a pending row waits: rate, daily, breaker, auto_disabled, no_contact … Null: it does not.';
comment on column enrichment.work_state.next_attempt_after is
'Until when a pending row waits. Null: until a setting changes, or the work was never queued.';
comment on column enrichment.work_state.last_error is 'Null: it met none.';
comment on column enrichment.work_state.cover_applied is 'This row filled the cover.';
comment on column enrichment.work_state.fields_applied is 'Fields this row filled.';
comment on column enrichment.work_state.cover_url is 'What the work shows today. Null: no cover.';
comment on column enrichment.work_state.last_enriched_at is 'Null: never.';
comment on column enrichment.work_state.undone_at is 'When what this row wrote was taken back. Null: it was not.';

create function enrichment.enrichment_status_impl(work_ids uuid[])
returns setof enrichment.work_state
language plpgsql stable security definer set search_path = '' set jit = off set random_page_cost = 1.1
as $$
declare
    reader uuid := enrichment.acting_reader();
begin
    perform enrichment.refuse_long_list(cardinality(enrichment_status_impl.work_ids));
    return query
    select
        w.id, q.id, q.status, q.confidence, q.wait_reason, nullif(q.next_attempt_after, 'infinity'), q.last_error,
        coalesce(q.cover_applied, false), coalesce(q.fields_applied, '{}'), w.default_cover_url, w.last_enriched_at, q.undone_at
    from public.works as w
    left join lateral (
        select * from public.enrichment_queue as newest
        where newest.work_id = w.id
        order by newest.created_at desc, newest.id desc
        limit 1
    ) as q on true
    where w.id = any(enrichment_status_impl.work_ids)
        and (reader is null or exists (select 1 from public.library_items as i where i.user_id = reader and i.work_id = w.id))
    order by array_position(enrichment_status_impl.work_ids, w.id);
end
$$;
