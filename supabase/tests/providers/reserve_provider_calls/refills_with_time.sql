-- An empty bucket fills at its rate and never beyond its burst.
begin;
select plan(3);

select tests.switch_on();
select count(*) from public.reserve_provider_calls('openlibrary', 10);

update enrichment.providers set refilled_at = refilled_at - interval '1 second';
select is((select r.granted from public.reserve_provider_calls('openlibrary', 10) as r), 0, 'one second is not enough for a call');
update enrichment.providers set refilled_at = refilled_at - interval '9 seconds';
select is((select r.granted from public.reserve_provider_calls('openlibrary', 10) as r), 3, 'ten seconds are enough for three');
update enrichment.providers set refilled_at = refilled_at - interval '1 day';
select is((select r.granted from public.reserve_provider_calls('openlibrary', 100) as r), 10, 'a day is enough for the burst');

select * from finish();
rollback;
