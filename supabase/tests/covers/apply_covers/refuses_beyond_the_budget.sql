-- Where the budget shrank meanwhile, what does not fit waits without an attempt; an image that is stored already costs nothing.
begin;
select plan(4);

select tests.create_hot_linked('Book ' || n, n) from generate_series(1, 4) as n;
select tests.store_covers();
create temp table claimed as select c, row_number() over () as n from public.claim_covers('worker one') as c;
select public.apply_covers((select jsonb_agg(tests.stored(c, 'a')) from claimed where n = 1));
select count(*) from public.configure_enrichment('{"cover_budget_bytes": 18000}');

select results_eq(
    $$ select outcome, status::text, message from public.apply_covers((select jsonb_agg(tests.stored(c, case n when 2 then 'b' when 3 then 'c' else 'a' end) order by n) from claimed where n > 1)) $$,
    $$ values ('applied', 'completed', null), ('over_budget', 'pending', 'storage_budget'), ('applied', 'completed', null) $$, 'what fits is applied'
);
select results_eq($$ select attempt_count::integer, next_attempt_after from enrichment.cover_queue where is_open $$, $$ values (0, 'infinity'::timestamptz) $$, 'the other waits');
select results_eq('select images, bytes from enrichment.cover_storage', 'values (2::bigint, 18000::bigint)', 'the total keeps to the budget');
select results_eq('select sum(bytes)::bigint, count(*) from enrichment.stored_covers', 'values (18000::bigint, 2::bigint)', 'and is the sum of the images');

select * from finish();
rollback;
