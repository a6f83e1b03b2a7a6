-- A full bucket grants its burst and no more; after that the answer says how long one call takes to come.
begin;
select plan(4);

select tests.switch_on();

select results_eq(
    $$ select * from public.reserve_provider_calls('openlibrary', 25) $$, $$ values (10, 0::numeric, null::text) $$, 'ten of twenty-five'
);
select granted, retry_after, reason from public.reserve_provider_calls('openlibrary') \gset
select is(:granted, 0, 'then none');
select is(:'reason'::text, 'rate', 'because of the rate');
select ok(:retry_after between 2.9 - extract(epoch from clock_timestamp() - now()) and 3.04, 'at 0.33 a second one call is three seconds away');

select * from finish();
rollback;
