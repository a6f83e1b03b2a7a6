-- Readers claim nothing.
begin;
select plan(2);

select tests.act_as(tests.create_reader());
select throws_ok($$ select public.claim_enrichment('worker one') $$, '42501', null, 'a reader is refused');
select tests.act_as_service();
select lives_ok($$ select public.claim_enrichment('worker one') $$, 'the service role is not');

select * from finish();
rollback;
