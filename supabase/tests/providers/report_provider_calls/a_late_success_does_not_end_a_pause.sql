-- A call that was under way when the provider asked for a pause may still succeed; the pause holds.
begin;
select plan(1);

select tests.switch_on();
select count(*) from public.report_provider_calls('openlibrary', failed => 1, retry_after => 120);

select count(*) from public.report_provider_calls('openlibrary', succeeded => 1);

select is((select r.reason from public.reserve_provider_calls('openlibrary') as r), 'retry_after', 'nobody calls before the time is up');

select * from finish();
rollback;
