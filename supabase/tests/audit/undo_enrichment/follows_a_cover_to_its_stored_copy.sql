-- A cover that was swapped for its stored copy is taken back with its path, whether the swap knew the row or found the cover later by itself.
begin;
select plan(6);

select tests.store_covers();
select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.bring_to_review(:'work') as row \gset
select count(*) from public.apply_covers(jsonb_build_array(tests.stored(tests.claim_cover())));
select matches((select default_cover_url from public.works), '/storage/v1/object/public/covers/', 'the work shows the stored copy');
select is((select fields_restored from public.undo_enrichment(:'row')), '{work.cover_url}', 'which is taken back');
select results_eq('select default_cover_url, default_cover_storage_path from public.works', 'values (null::text, null::text)', 'with its path');

select count(*) from public.configure_enrichment('{"cover_mode": "hotlink"}');
delete from enrichment.filled_fields;
update public.source_records set fetched_at = now() + interval '1 second';
select tests.enqueue(:'work') as second \gset
select count(*) from public.sweep_enrichment();
select count(*) from public.configure_enrichment('{"cover_mode": "thumbnail"}');
select count(*) from public.apply_covers(jsonb_build_array(tests.stored(tests.claim_cover())));
select is(
    (select enrichment_queue_id from public.enrichment_audit_log where match_details ? 'storage_path' order by id desc limit 1), null,
    'a swap that names no row'
);
select is((select fields_restored from public.undo_enrichment(:'second')), '{work.cover_url}', 'is followed as well');
select results_eq('select default_cover_url, default_cover_storage_path from public.works', 'values (null::text, null::text)', 'to the value before');

select * from finish();
rollback;
