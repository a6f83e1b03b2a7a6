-- A host whose works have no column for a storage path gets its cover back all the same.
begin;
select plan(1);

alter table public.works drop column default_cover_storage_path;
select tests.store_covers();
select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.bring_to_review(:'work') as row \gset
select count(*) from public.apply_covers(jsonb_build_array(tests.stored(tests.claim_cover())));
select is((select fields_restored from public.undo_enrichment(:'row')), '{work.cover_url}', 'the stored copy is taken back');

select * from finish();
rollback;
