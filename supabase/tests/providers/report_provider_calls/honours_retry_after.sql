-- A provider that asks for a pause gets it, a day at the longest, and the pause says why.
begin;
select plan(3);

select tests.switch_on();
select count(*) from public.report_provider_calls('openlibrary', failed => 1, retry_after => 120);
select results_eq(
    $$ select r.granted, r.reason, r.retry_after between 119 - extract(epoch from clock_timestamp() - now()) and 120
    from public.reserve_provider_calls('openlibrary') as r $$,
    $$ values (0, 'retry_after', true) $$, 'for as long as asked'
);
select ok(
    (select r.retry_at < clock_timestamp() + interval '1 day 1 second'
        from public.report_provider_calls('openlibrary', failed => 1, retry_after => 1e9) as r),
    'not for thirty years'
);
update enrichment.providers set retry_at = clock_timestamp() - interval '1 second' where provider = 'openlibrary';
select is((select r.granted from public.reserve_provider_calls('openlibrary') as r), 1, 'and no longer');

select * from finish();
rollback;
