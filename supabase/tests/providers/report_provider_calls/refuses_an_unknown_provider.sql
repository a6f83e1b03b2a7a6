-- There is nothing to report about a provider nobody has.
begin;
select plan(1);

select throws_ok(
    $$ select public.report_provider_calls('library of babel', 1) $$, 'PT404', 'no provider library of babel', 'it is unknown'
);

select * from finish();
rollback;
