-- Closed cover rows go with age, images and open rows stay; and the night looks for new hot-links.
begin;
select plan(3);

select tests.create_hot_linked('Book ' || n, n) from generate_series(1, 2) as n;
select tests.store_covers();
select tests.claim_cover() as claim \gset
select public.apply_covers(jsonb_build_array(tests.stored(:'claim')));
update enrichment.cover_queue set finished_at = now() - tests.span('keep_queue_days') - interval '1 day' where not is_open;
select is((select removed from public.prune_enrichment() where subject = 'cover_queue'), 1::bigint, 'the old row is gone');
select results_eq('select (select count(*) from enrichment.cover_queue), (select count(*) from enrichment.stored_covers)', 'values (1::bigint, 1::bigint)', 'the rest is there');
select isnt((select next_work_id from enrichment.cover_backfill), null, 'the search starts anew');

select * from finish();
rollback;
