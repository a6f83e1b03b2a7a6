-- A call for nothing, or to nobody, is refused.
begin;
select plan(3);

select throws_ok($$ select public.reserve_provider_calls('openlibrary', 0) $$, 'PT422', null, 'no calls');
select throws_ok($$ select public.reserve_provider_calls('openlibrary', null) $$, 'PT422', null, 'no number of calls');
select throws_ok(
    $$ select public.reserve_provider_calls('library of babel') $$, 'PT404', 'no provider library of babel', 'an unknown provider'
);

select * from finish();
rollback;
