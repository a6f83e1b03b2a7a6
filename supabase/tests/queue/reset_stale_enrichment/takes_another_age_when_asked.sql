-- Whoever knows that the workers are gone may say so, instead of waiting five minutes.
begin;
select plan(2);

select tests.switch_on();
select tests.enqueue(tests.create_book());
select count(*) from tests.claim_one();
update public.enrichment_queue set started_at = now() - tests.span('stale_after_seconds') / 2;

select is_empty($$ select public.reset_stale_enrichment() $$, 'half the age is not old');
select is((select count(*) from public.reset_stale_enrichment(tests.span('stale_after_seconds') / 4)), 1::bigint, 'unless one says so');

select * from finish();
rollback;
