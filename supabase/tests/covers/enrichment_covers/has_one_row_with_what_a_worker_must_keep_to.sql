-- Whatever the state, one row: limits, hosts, placeholders, totals.
begin;
select plan(2);

select results_eq(
    'select cover_mode, pending, in_progress, images, bytes, budget_bytes, download_bytes, image_bytes, hosts, cardinality(placeholders) from public.enrichment_covers()',
    $$ select 'hotlink', 0, 0, 0::bigint, 0::bigint, cover_budget_bytes, cover_download_bytes, cover_image_bytes, cover_hosts, 2 from enrichment.settings $$, 'the defaults'
);
select tests.create_hot_linked();
select tests.store_covers();
select tests.claim_cover();
select results_eq('select cover_mode, wait_reason, pending, in_progress from public.enrichment_covers()', $$ values ('thumbnail', null::text, 0, 1) $$, 'one under way');

select * from finish();
rollback;
