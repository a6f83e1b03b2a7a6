-- An answer without the running claim, or the second one for a cover, is ignored.
begin;
select plan(4);

select tests.create_hot_linked() as work \gset
select tests.store_covers();
select tests.claim_cover() as claim \gset
select public.release_cover((c).cover_id, (c).claim_token, 'stopped') from (select :'claim'::enrichment.claimed_cover as c) as held;
select tests.claim_cover('worker two') as second \gset

select results_eq(format($$ select outcome, status::text from public.apply_covers(jsonb_build_array(tests.stored(%L))) $$, :'claim'), $$ values ('stale_claim', null) $$, 'the old claim is void');
select is((select default_cover_url from public.works where id = :'work'), 'https://covers.openlibrary.org/b/id/12646537-M.jpg', 'nothing is swapped');
select results_eq(
    format($$ select outcome from public.apply_covers(jsonb_build_array(tests.stored(%L), tests.stored(%L, 'b'))) $$, :'second', :'second'),
    $$ values ('applied'), ('stale_claim') $$, 'the first of two answers counts'
);
select results_eq('select images from enrichment.cover_storage', array[1::bigint], 'one image is counted');

select * from finish();
rollback;
