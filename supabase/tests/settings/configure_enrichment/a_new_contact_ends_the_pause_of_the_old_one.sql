-- A provider that refused our old User-Agent or key is tried again with the new one; a pause the provider asked for stays.
begin;
select plan(3);

select tests.switch_on();
select count(*) from public.report_provider_calls('openlibrary', failed => 1, reason => 'identify');
select count(*) from public.report_provider_calls('googlebooks', failed => 1, retry_after => 600);
select is((select r.reason from public.reserve_provider_calls('openlibrary') as r), 'identify', 'paused while the contact is the old one');

select count(*) from public.configure_enrichment('{"contact": "another@example.org", "provider_keys": ["googlebooks"]}');

select is((select r.granted from public.reserve_provider_calls('openlibrary') as r), 1, 'callable with the new one');
select is((select r.reason from public.reserve_provider_calls('googlebooks') as r), 'retry_after', 'Retry-After is still honoured');

select * from finish();
rollback;
