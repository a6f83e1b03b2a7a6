-- A released row says why it waits and until when; without a time it is due at once.
begin;
select plan(4);

select tests.switch_on();
select tests.enqueue(tests.create_book()) as row \gset

select results_eq(
    $$ select r.status::text, r.attempt_count, r.next_attempt_after, r.wait_reason
   
        from tests.claim_one() as c cross join public.release_enrichment(c.queue_id, c.claim_token, 'rate', now() + interval '90 seconds') as r $$,
    $$ values ('pending', 0, now() + interval '90 seconds', 'rate') $$, 'it waits for the rate'
);
select is_empty($$ select public.claim_enrichment('worker two') $$, 'nobody gets it before');
update public.enrichment_queue set next_attempt_after = now();
select count(*) from tests.claim_one() as c cross join public.release_enrichment(c.queue_id, c.claim_token, 'stopped');
select is((tests.queue_row(:'row')).wait_reason, 'stopped', 'a worker that stops says so');
select is((tests.claim_one()).queue_id, :'row'::uuid, 'and the next may have it');

select * from finish();
rollback;
