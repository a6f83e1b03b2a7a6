-- A cover that could not be asked for waits with its reason and time, and no attempt is spent.
begin;
select plan(4);

select tests.create_hot_linked();
select tests.store_covers();
create temp table claimed as select * from public.claim_covers('worker one');
select results_eq(
    $$ select r.status::text, r.attempt_count, r.wait_reason, r.next_attempt_after from claimed as c, public.release_cover(c.cover_id, c.claim_token, 'storage', now() + interval '5 minutes') as r $$,
    $$ values ('pending', 0, 'storage', now() + interval '5 minutes') $$, 'it waits'
);
select throws_ok($$ select public.release_cover(id, gen_random_uuid(), 'x') from enrichment.cover_queue $$, 'PT409');
select throws_ok($$ select public.release_cover(gen_random_uuid(), gen_random_uuid(), 'x') $$, 'PT404');
select throws_ok($$ select public.release_cover(gen_random_uuid(), gen_random_uuid(), '') $$, 'PT422');

select * from finish();
rollback;
