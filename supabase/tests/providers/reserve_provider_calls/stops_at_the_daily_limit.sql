-- The calls of a day end at the limit less the reserve, and begin again when the provider's day does.
begin;
select plan(5);

select count(*) from public.configure_enrichment('{"provider_keys": ["googlebooks"]}');
update enrichment.providers set used_on = (now() at time zone 'America/Los_Angeles')::date, used_today = 948 where provider = 'googlebooks';

select is((select r.granted from public.reserve_provider_calls('googlebooks', 5) as r), 2, 'of a thousand fifty stay unspent');
select granted, reason, retry_after from public.reserve_provider_calls('googlebooks', 5) \gset
select is(:granted, 0, 'then none');
select is(:'reason'::text, 'daily', 'because of the day');
select ok(
    abs(extract(epoch from clock_timestamp() + make_interval(secs => :retry_after)
        - (date_trunc('day', now() at time zone 'America/Los_Angeles') + interval '1 day') at time zone 'America/Los_Angeles')) < 5,
    'until midnight Pacific'
);
update enrichment.providers set used_on = used_on - 1 where provider = 'googlebooks';
select is((select r.granted from public.reserve_provider_calls('googlebooks', 2) as r), 2, 'the next day has its own calls');

select * from finish();
rollback;
