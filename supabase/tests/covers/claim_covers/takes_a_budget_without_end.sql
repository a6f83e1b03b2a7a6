-- Whoever has room enough says so with the largest number there is.
begin;
select plan(1);

select tests.create_hot_linked('Dune', 1);
select tests.store_covers();
select count(*) from public.configure_enrichment('{"cover_budget_bytes": 9223372036854775807}');
select is((select count(*) from public.claim_covers('worker')), 1::bigint, 'the cover is taken');

select * from finish();
rollback;
