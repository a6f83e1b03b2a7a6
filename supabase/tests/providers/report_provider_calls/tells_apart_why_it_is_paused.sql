-- A bad key, no quota and a refused User-Agent pause the provider for an hour, under their own names.
begin;
select plan(4);

select tests.switch_on();
select count(*) from public.configure_enrichment('{"provider_keys": ["googlebooks"]}');

select results_eq(
    format($$ select r.paused_reason, r.retry_at between clock_timestamp() + interval '59 minutes' and clock_timestamp() + interval '61 minutes'
        from public.report_provider_calls('googlebooks', failed => 1, reason => %L) as r $$, reason),
    format($$ values (%L, true) $$, reason), reason
)
from unnest(array['quota_zero', 'identify', 'bad_key']) as reason;
select is((select r.reason from public.reserve_provider_calls('googlebooks') as r), 'bad_key', 'whoever asks is told the last');

select * from finish();
rollback;
