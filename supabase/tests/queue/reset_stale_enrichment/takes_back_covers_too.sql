-- A cover whose worker is gone is in line again, its attempt spent; the old claim is void.
begin;
select plan(3);

select tests.create_hot_linked();
select tests.store_covers();
select tests.claim_cover() as claim \gset
select tests.grow_stale('-1 second');
select public.reset_stale_enrichment();
select is((select status::text from enrichment.cover_queue), 'in_progress', 'a young claim is left alone');
select tests.grow_stale();
select public.reset_stale_enrichment();
select results_eq(
    'select status::text, wait_reason, attempt_count::integer, last_error from enrichment.cover_queue', $$ values ('pending', 'stale', 1, 'the worker did not come back') $$, 'an old one is taken back'
);
select is((select outcome from public.apply_covers(jsonb_build_array(tests.stored(:'claim')))), 'stale_claim', 'the old worker changes nothing');

select * from finish();
rollback;
