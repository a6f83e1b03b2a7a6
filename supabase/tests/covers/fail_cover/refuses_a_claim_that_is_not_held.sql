-- PT404 for an unknown row, PT409 for a foreign token.
begin;
select plan(2);

select tests.create_hot_linked();
select tests.store_covers();
select tests.claim_cover() as claim \gset
select throws_ok($$ select public.fail_cover(gen_random_uuid(), gen_random_uuid(), 'x') $$, 'PT404');
select throws_ok($$ select public.fail_cover(id, gen_random_uuid(), 'x') from enrichment.cover_queue $$, 'PT409');

select * from finish();
rollback;
