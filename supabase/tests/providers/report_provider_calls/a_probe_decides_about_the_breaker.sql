-- A probe that fails opens the breaker for another minute; one that succeeds closes it.
begin;
select plan(4);

select tests.switch_on();
select count(*) from public.report_provider_calls('openlibrary', failed => 5);
update enrichment.providers set open_until = clock_timestamp() - interval '1 second' where provider = 'openlibrary';
select count(*) from public.reserve_provider_calls('openlibrary');

select ok(
    (select r.open_until > clock_timestamp() + interval '58 seconds' from public.report_provider_calls('openlibrary', failed => 1) as r),
    'one failure is enough'
);
select is((select r.reason from public.reserve_provider_calls('openlibrary') as r), 'breaker', 'it is open again');

update enrichment.providers set open_until = clock_timestamp() - interval '1 second' where provider = 'openlibrary';
select count(*) from public.reserve_provider_calls('openlibrary');
select results_eq(
    $$ select r.failures, r.open_until
    from public.report_provider_calls('openlibrary', succeeded => 1) as r $$, $$ values (0, null::timestamptz) $$,
    'one success closes it'
);
select is((select r.granted from public.reserve_provider_calls('openlibrary', 5) as r), 5, 'for all callers');

select * from finish();
rollback;
