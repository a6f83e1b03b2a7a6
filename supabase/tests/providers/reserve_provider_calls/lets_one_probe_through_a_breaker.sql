-- When an open breaker's time is up, one call is let through to try; a probe that never reports lapses.
begin;
select plan(4);

select tests.switch_on();
select count(*) from public.report_provider_calls('openlibrary', failed => 5);
select results_eq(
    $$ select r.granted, r.reason, r.retry_after between 59 - extract(epoch from clock_timestamp() - now()) and 60
    from public.reserve_provider_calls('openlibrary') as r $$,
    $$ values (0, 'breaker', true) $$, 'closed to all for a minute'
);
update enrichment.providers set open_until = clock_timestamp() - interval '1 second' where provider = 'openlibrary';

select is((select r.granted from public.reserve_provider_calls('openlibrary', 10) as r), 1, 'then one probe');
select results_eq(
    $$ select r.granted, r.reason from public.reserve_provider_calls('openlibrary') as r $$,
    $$ values (0, 'breaker') $$, 'and nobody beside it'
);
update enrichment.providers set probe_until = clock_timestamp() - interval '1 second' where provider = 'openlibrary';
select is((select r.granted from public.reserve_provider_calls('openlibrary', 10) as r), 1, 'another once the first has lapsed');

select * from finish();
rollback;
