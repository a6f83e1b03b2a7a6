-- An app whose works have no column for the storage path still gets its covers.
begin;
select plan(2);

alter table public.works drop column default_cover_storage_path;
select tests.create_hot_linked() as work \gset
select tests.store_covers();
select tests.claim_cover() as claim \gset
select is((select outcome from public.apply_covers(jsonb_build_array(tests.stored(:'claim')))), 'applied', 'the image is applied');
select matches((select default_cover_url from public.works where id = :'work'), '/covers/openlibrary/a{32}\.webp$', 'and shown');

select * from finish();
rollback;
