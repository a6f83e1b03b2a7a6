-- The same image is stored and counted once, in one call or in two.
begin;
select plan(4);

select tests.create_hot_linked('Book ' || n, n) from generate_series(1, 3) as n;
select tests.store_covers();
create temp table claimed as select c, row_number() over () as n from public.claim_covers('worker one') as c;

select is((select count(*) from public.apply_covers((select jsonb_agg(tests.stored(c)) from claimed where n < 3)) where outcome = 'applied'), 2::bigint, 'both are applied');
select is((select outcome from public.apply_covers((select jsonb_agg(tests.stored(c)) from claimed where n = 3))), 'applied', 'a third later');
select results_eq('select images, bytes from enrichment.cover_storage', 'values (1::bigint, 9000::bigint)', 'one image');
select results_eq('select count(distinct default_cover_url) from public.works where default_cover_url like $$%/covers/openlibrary/%$$', array[1::bigint], 'one URL');

select * from finish();
rollback;
