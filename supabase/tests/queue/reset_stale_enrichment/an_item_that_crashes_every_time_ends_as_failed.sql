-- A book that kills its worker each time is tried max_attempts times and then given up, with a line in the log.
begin;
select plan(4);

select tests.switch_on();
select tests.create_book() as work \gset
select tests.enqueue(:'work') as row \gset
create temp table ends (round integer, status text, attempt_count integer, wait_reason text);

do $$
begin
    for round in 1..tests.setting('max_attempts') + 2 loop
        update public.enrichment_queue set next_attempt_after = now() where status = 'pending';
        perform tests.claim_one();
        perform tests.grow_stale();
        insert into ends select round, r.status, r.attempt_count, r.wait_reason from public.reset_stale_enrichment() as r;
    end loop;
end
$$;

select results_eq(
    $$ select * from ends order by round $$,
    $$ select n, 'pending', n, 'stale' from generate_series(1, tests.setting('max_attempts')::integer - 1) as n
    union all select last, 'failed', last, null from (select tests.setting('max_attempts')::integer) as m (last) order by 1 $$,
    'that many crashes, then no more'
);
select is((tests.queue_row(:'row')).last_error, 'the worker did not come back', 'the row says what happened');
select is((select w.enrichment_status from public.works as w where w.id = :'work'), 'failed', 'and so does the work''s badge');
select results_eq($$ select a.action::text from public.enrichment_audit_log as a $$, array['failed'], 'once in the log');

select * from finish();
rollback;
