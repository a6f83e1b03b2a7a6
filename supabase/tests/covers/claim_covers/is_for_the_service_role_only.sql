-- A reader may not touch the cover queue.
begin;
select plan(6);

select tests.create_reader() as reader \gset
select tests.act_as(:'reader');
select throws_ok($$ select public.claim_covers('me') $$, '42501');
select throws_ok($$ select public.apply_covers('[]') $$, '42501');
select throws_ok($$ select public.fail_cover(gen_random_uuid(), gen_random_uuid(), 'x') $$, '42501');
select throws_ok($$ select public.release_cover(gen_random_uuid(), gen_random_uuid(), 'x') $$, '42501');
select throws_ok($$ select public.enrichment_covers() $$, '42501');
select tests.act_as_service();
select lives_ok($$ select public.claim_covers('me') $$, 'the service role may');

select * from finish();
rollback;
