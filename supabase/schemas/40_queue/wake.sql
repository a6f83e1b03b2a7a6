-- Nobody waits longer than the thing waited for: rows that come in wake the workers, and a changed setting wakes the rows it held up.

create function enrichment.wake_workers()
returns trigger
language plpgsql set search_path = ''
as $$
begin
    perform pg_notify('enrichment', 'queued');
    return null;
end
$$;
comment on function enrichment.wake_workers() is
'Rows came in: workers that listen on channel enrichment look now. Once per statement, and Postgres sends equal words of one transaction once.';

create trigger queue_rows_wake_workers after insert on public.enrichment_queue
for each statement execute function enrichment.wake_workers();

create function enrichment.wake_waiting_rows()
returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    with waiting as (
        select q.id
        from public.enrichment_queue as q
        where q.is_open and q.status = 'pending' and (
            (new.auto_enabled <> old.auto_enabled and q.trigger_source <> 'manual_bulk')
            or (
                (new.contact is distinct from old.contact or new.provider_keys <> old.provider_keys)
                and q.wait_reason in ('no_contact', 'no_key', 'bad_key', 'quota_zero', 'identify')
            )
            or (
                new.finish_without_budget and not old.finish_without_budget
                and q.wait_reason in ('daily', 'quota_zero', 'bad_key', 'no_key', 'unknown_location', 'retry_after')
            )
        )
        order by q.id
        for update
    )

    update public.enrichment_queue as q
    set next_attempt_after = case when new.auto_enabled or q.trigger_source = 'manual_bulk' then now() else 'infinity' end,
        wait_reason = case when new.auto_enabled or q.trigger_source = 'manual_bulk' then 'queued' else 'auto_disabled' end,
        updated_at = now()
    from waiting
    where q.id = waiting.id;
    if found then
        perform pg_notify('enrichment', 'woken');
    end if;
    return null;
end
$$;
comment on function enrichment.wake_waiting_rows() is
'Rows that wait for a switch, a contact, a key or tomorrow''s budget are due, or wait, from the moment the setting changes.';

create trigger settings_wake_waiting_rows after update on enrichment.settings
for each row execute function enrichment.wake_waiting_rows();
