-- A spent attempt makes the row wait, each time twice as long, up to a longest time, and always with its reason.
begin;
select plan(3);

select tests.switch_on();
select count(*) from public.configure_enrichment('{"max_attempts": 20, "backoff_base_seconds": 60, "backoff_max_seconds": 3600}');
select tests.enqueue(tests.create_book()) as row \gset
create temp table waits (attempt integer, wait interval, reason text, error text);

do $$
begin
    for attempt in 1..8 loop
        insert into waits
        select f.attempt_count, f.next_attempt_after - now(), f.wait_reason, f.last_error
        from tests.claim_one() as c
        cross join public.fail_enrichment(c.queue_id, c.claim_token, 'HTTP 400 for this very book') as f;
        update public.enrichment_queue set next_attempt_after = now();
    end loop;
end
$$;

select results_eq(
    $$ select extract(epoch from w.wait)::integer / 60
    from waits as w order by w.attempt $$, array[1, 2, 4, 8, 16, 32, 60, 60], 'it doubles up to an hour'
);
select is_empty(
    $$ select 1 from waits as w where w.reason <> 'backoff' or w.error <> 'HTTP 400 for this very book' $$,
    'every wait has its reason and the error'
);
select is_empty(
    $$ select 1 from public.enrichment_queue as q where q.status <> 'pending' or q.claim_token is not null $$,
    'the row is pending, the claim is over'
);

select * from finish();
rollback;
