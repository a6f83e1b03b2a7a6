-- A row whose time has not come is not claimed, even if it is the only one.
begin;
select plan(2);

select tests.switch_on();
select tests.enqueue(tests.create_book()) as row \gset
update public.enrichment_queue set next_attempt_after = now() + interval '1 second', wait_reason = 'backoff';

select is_empty($$ select public.claim_enrichment('worker one') $$, 'nothing is claimed');
select results_eq(
    $$ select q.status::text, q.wait_reason, q.attempt_count::integer
    from public.enrichment_queue as q $$, $$ values ('pending', 'backoff', 0) $$,
    'the row waits as before'
);

select * from finish();
rollback;
