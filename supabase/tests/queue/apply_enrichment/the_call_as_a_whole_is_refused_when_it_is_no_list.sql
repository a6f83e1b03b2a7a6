-- What is no list, or too long a list, is refused with a hint before anything happens; an empty list is nothing to do.
begin;
select plan(4);

select throws_ok($$ select * from public.apply_enrichment('{}') $$, 'PT422', null, 'an object is refused');
select throws_ok('select * from public.apply_enrichment(null)', 'PT422', null, 'null is refused');
select throws_ok(
    $$ select * from public.apply_enrichment((select jsonb_agg(n) from generate_series(1, 1001) as n)) $$, 'PT422', null, '1,001 elements are refused'
);
select is_empty($$ select * from public.apply_enrichment('[]') $$, 'an empty list has no outcome');

select * from finish();
rollback;
