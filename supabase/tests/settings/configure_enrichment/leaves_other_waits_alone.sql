-- Turning a switch does not cut short the backoff of a row a person asked for.
begin;
select plan(1);

select tests.switch_on();
select tests.enqueue(tests.create_book()) as row \gset
select count(*) from tests.claim_one() as c cross join public.fail_enrichment(c.queue_id, c.claim_token, 'HTTP 400');

select count(*) from public.configure_enrichment('{"auto_enabled": false, "contact": "another@example.org"}');

select results_eq(
    format($$ select q.wait_reason, q.next_attempt_after from tests.queue_row(%L) as q $$, :'row'),
    $$ values ('backoff', now() + tests.span('backoff_base_seconds')) $$,
    'it still waits for as long as before'
);

select * from finish();
rollback;
