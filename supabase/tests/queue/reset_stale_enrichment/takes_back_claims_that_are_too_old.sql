-- A claim older than stale_after_seconds is taken for a crash: the row backs off and says so; a younger one is left alone.
begin;
select plan(3);

select tests.switch_on();
select tests.enqueue(tests.create_book('Crashed')) as crashed \gset
select count(*) from tests.claim_one();
select tests.grow_stale();
select tests.enqueue(tests.create_book('Under way')) as under_way \gset
select count(*) from tests.claim_one();
update public.enrichment_queue set started_at = now() - tests.span('stale_after_seconds') + interval '1 second' where id = :'under_way';

select results_eq(
    $$ select r.queue_id, r.status::text, r.attempt_count, r.next_attempt_after, r.wait_reason, r.last_error
    from public.reset_stale_enrichment() as r $$,
    format($$ values (%L::uuid, 'pending', 1, now() + tests.span('backoff_base_seconds'), 'stale', 'the worker did not come back') $$, :'crashed'),
    'the crashed one waits, with reason, time and its attempt spent'
);
select is((tests.queue_row(:'under_way')).status, 'in_progress', 'the other is still in progress');
select is_empty($$ select public.reset_stale_enrichment() $$, 'a second run finds nothing');

select * from finish();
rollback;
