-- The last attempt that fails closes the row, marks the work and leaves a line in the log.
begin;
select plan(5);

select tests.switch_on();
select tests.create_book() as work \gset
select tests.enqueue(:'work') as row \gset
update public.enrichment_queue set attempt_count = max_attempts - 1;

select results_eq(
    $$ select f.status::text, f.attempt_count, f.wait_reason, f.last_error
    from tests.claim_one() as c cross join public.fail_enrichment(c.queue_id, c.claim_token, 'HTTP 400') as f $$,
    $$ values ('failed', tests.setting('max_attempts')::integer, null::text, 'HTTP 400') $$, 'it failed, and waits for nothing'
);
select is((tests.queue_row(:'row')).finished_at, now(), 'it is closed');
select is((select w.enrichment_status from public.works as w where w.id = :'work'), 'failed', 'the work''s badge says so');
select results_eq(
    $$ select a.enrichment_queue_id, a.action::text, a.match_details ->> 'error' from public.enrichment_audit_log as a $$,
    format($$ values (%L::uuid, 'failed', 'HTTP 400') $$, :'row'), 'the log says why'
);
select is_empty($$ select public.claim_enrichment('worker two') $$, 'nobody claims it again');

select * from finish();
rollback;
