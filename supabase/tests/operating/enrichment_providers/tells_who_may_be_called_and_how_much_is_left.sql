-- One line per provider in the order of asking, with what is left of its bucket and of its day.
begin;
select plan(5);

select tests.switch_on();
update enrichment.providers set tokens = 2, rate_per_second = 0.5, refilled_at = clock_timestamp() - interval '10 s' where provider = 'openlibrary';
select count(*) from public.report_provider_calls('openlibrary', failed => 2, last_error => 'HTTP 502');

select results_eq(
    $$ select p.provider, p.is_enabled, p.wait_reason, p.rate_per_second, p.burst_size, p.daily_limit, p.daily_reserve, p.failures, p.last_error
    from public.enrichment_providers() as p $$,
    $$ values ('openlibrary', true, null, 0.5, 10, null::integer, 0, 2, 'HTTP 502'), ('googlebooks', true, 'no_key', 0.01, 5, 1000, 50, 0, null),
        ('openlibrary_covers', true, null, 1, 10, null, 0, 0, null) $$,
    'limits, failures and reasons'
);
select ok(
    (select p.tokens between 7 and 7.1 + 0.5 * extract(epoch from clock_timestamp() - now())
        from public.enrichment_providers() as p where p.provider = 'openlibrary'), 'two calls, and five came back'
);
select is((select p.available_at from public.enrichment_providers() as p where p.provider = 'googlebooks'), null, 'no time is known for a key');

select count(*) from public.reserve_provider_calls('openlibrary', 3);
select is((select p.used_today from public.enrichment_providers() as p where p.provider = 'openlibrary'), 3, 'the calls of today');
update enrichment.providers set used_on = used_on - 1 where provider = 'openlibrary';
select is((select p.used_today from public.enrichment_providers() as p where p.provider = 'openlibrary'), 0, 'and not those of yesterday');

select * from finish();
rollback;
