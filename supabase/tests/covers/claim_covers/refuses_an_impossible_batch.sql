-- PT422 for a batch that is too small or too large.
begin;
select plan(2);

select throws_ok($$ select public.claim_covers('worker one', 0) $$, 'PT422', 'batch_size 0 is not between 1 and 100');
select throws_ok($$ select public.claim_covers('worker one', 101) $$, 'PT422', 'batch_size 101 is not between 1 and 100');

select * from finish();
rollback;
