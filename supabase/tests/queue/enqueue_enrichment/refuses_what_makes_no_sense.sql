-- A malformed call is refused with a code that says what kind of mistake it is.
begin;
select plan(5);

select throws_ok(
    $$ select public.enqueue_enrichment(array_fill(gen_random_uuid(), array[1001])) $$, 'PT422', null, 'more than 1,000 works'
);
select throws_ok($$ select public.enqueue_enrichment('{}', 'whim') $$, 'PT422', null, 'an unknown source');
select throws_ok($$ select public.enqueue_enrichment('{}', priority => -1) $$, 'PT422', null, 'a priority out of bounds');
select throws_ok($$ select public.enqueue_enrichment('{}', triggered_by => gen_random_uuid()) $$, 'PT404', null, 'an unknown reader');
select is_empty($$ select public.enqueue_enrichment('{}') $$, 'nothing asked, nothing answered');

select * from finish();
rollback;
