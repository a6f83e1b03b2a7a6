-- Five failures in a row, reported together or one by one, open the breaker; four do not.
begin;
select plan(3);

select tests.switch_on();
select failures, open_until from public.report_provider_calls('openlibrary', failed => 4, last_error => 'HTTP 502') \gset
select is((select r.granted from public.reserve_provider_calls('openlibrary') as r), 1, 'after four it may still be called');

select count(*) from public.report_provider_calls('openlibrary', failed => 1, last_error => 'HTTP 503');
select is((select r.reason from public.reserve_provider_calls('openlibrary') as r), 'breaker', 'after the fifth it may not');
select is((select p.last_error from enrichment.providers as p where p.provider = 'openlibrary'), 'HTTP 503', 'the last error is kept');

select * from finish();
rollback;
