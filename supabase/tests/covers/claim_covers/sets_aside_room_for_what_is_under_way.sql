-- Claims together never go beyond the budget, whatever size their images turn out to have.
begin;
select plan(3);

select tests.create_hot_linked('Book ' || n, n) from generate_series(1, 9) as n;
select tests.store_covers();
select count(*) from public.configure_enrichment(jsonb_build_object('cover_budget_bytes', 5 * tests.setting('cover_image_bytes') + 100));

select is((select count(*) from public.claim_covers('worker one', 3)), 3::bigint, 'three are taken');
select is((select count(*) from public.claim_covers('worker two', 9)), 2::bigint, 'then only two more');
select is_empty($$ select public.claim_covers('worker three') $$, 'until one of them is settled');

select * from finish();
rollback;
