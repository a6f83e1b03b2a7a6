-- One provider's calls do not cost another's, and every caller draws from the same bucket.
begin;
select plan(2);

select tests.switch_on();
select count(*) from public.configure_enrichment('{"provider_keys": ["googlebooks"]}');

select count(*) from public.reserve_provider_calls('openlibrary', 6);
select is((select r.granted from public.reserve_provider_calls('openlibrary', 6) as r), 4, 'six and four are ten');
select is((select r.granted from public.reserve_provider_calls('googlebooks', 6) as r), 5, 'the other bucket is full');

select * from finish();
rollback;
