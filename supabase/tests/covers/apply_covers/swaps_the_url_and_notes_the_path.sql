-- A stored image takes its works cover, and the row is done.
begin;
select plan(4);

select tests.create_hot_linked() as work \gset
select tests.store_covers();
select tests.claim_cover() as claim \gset

select results_eq(
    format($$ select "position", work_id, outcome, status::text from public.apply_covers(jsonb_build_array(tests.stored(%L))) $$, :'claim'),
    format($$ values (0, %L::uuid, 'applied', 'completed') $$, :'work'), 'it is applied'
);
select results_eq(
    format('select default_cover_url, default_cover_storage_path from public.works where id = %L', :'work'),
    format('values (%L, %L::text)', 'https://project.supabase.co/storage/v1/object/public/covers/openlibrary/' || repeat('a', 32) || '.webp', 'openlibrary/' || repeat('a', 32) || '.webp'),
    'the work shows our copy'
);
select results_eq('select images, bytes from enrichment.cover_storage', 'values (1::bigint, 9000::bigint)', 'it is counted');
select results_eq('select status::text, sha256 from enrichment.cover_queue', format($$ values ('completed', repeat('a', 64)) $$), 'the row names the image, and no new one was made');

select * from finish();
rollback;
