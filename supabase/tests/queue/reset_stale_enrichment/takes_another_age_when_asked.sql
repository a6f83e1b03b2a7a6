-- Whoever knows that the workers are gone may say so, instead of waiting five minutes.
begin;
select plan(2);

select tests.switch_on();
select tests.enqueue(tests.create_book());
select count(*) from tests.claim_one();
update public.enrichment_queue set started_at = now() - interval '10 seconds';

select is_empty($$ select public.reset_stale_enrichment() $$, 'ten seconds are not old');
select is((select count(*) from public.reset_stale_enrichment('5 seconds')), 1::bigint, 'unless one says so');

select * from finish();
rollback;
