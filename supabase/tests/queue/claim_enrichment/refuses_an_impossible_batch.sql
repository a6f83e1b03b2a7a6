-- A batch of none or of more than 1,000 is refused.
begin;
select plan(2);

select throws_ok($$ select public.claim_enrichment('worker one', 0) $$, 'PT422', null, 'none');
select throws_ok($$ select public.claim_enrichment('worker one', 1001) $$, 'PT422', null, 'more than 1,000');

select * from finish();
rollback;
