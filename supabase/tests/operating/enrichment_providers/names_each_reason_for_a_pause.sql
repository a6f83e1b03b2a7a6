-- Why a provider is not called is told apart: what only a setting cures, what time cures, and until when.
begin;
select plan(9);

create function pg_temp.state(provider text) returns text language sql as $$
    select concat_ws(
        ' ', p.wait_reason, case when p.available_at is not null then round(extract(epoch from p.available_at - clock_timestamp()) / 60) || ' min' end
    )
    from public.enrichment_providers() as p where p.provider = state.provider
$$;

select is(pg_temp.state('openlibrary'), 'no_contact', 'nobody to write to');
select is(pg_temp.state('googlebooks'), 'no_key', 'no key');
select tests.switch_on();
select count(*) from public.configure_enrichment('{"provider_keys": ["googlebooks"]}');
select matches(pg_temp.state('googlebooks'), '^0 min$', 'with a key it may be called now');

select count(*) from public.report_provider_calls('googlebooks', last_error => 'quota 0', reason => 'quota_zero');
select is(pg_temp.state('googlebooks'), 'quota_zero 60 min', 'a project without quota');
select count(*) from public.report_provider_calls('googlebooks', last_error => 'bad', reason => 'bad_key');
select is(pg_temp.state('googlebooks'), 'bad_key 60 min', 'a key that is refused');
select count(*) from public.report_provider_calls('openlibrary', last_error => 'who are you', reason => 'identify');
select is(pg_temp.state('openlibrary'), 'identify 60 min', 'a contact that is refused');

update enrichment.providers set retry_at = null, paused_reason = null;
select count(*) from public.report_provider_calls('openlibrary', failed => 1, retry_after => 600);
select is(pg_temp.state('openlibrary'), 'retry_after 10 min', 'a time the provider named');
update enrichment.providers set retry_at = null, paused_reason = null;
select count(*) from public.report_provider_calls('openlibrary', failed => 4);
select is(pg_temp.state('openlibrary'), 'breaker 1 min', 'five failures in a row');

select count(*) from public.report_provider_calls('googlebooks', last_error => 'spent', reason => 'daily');
select is(
    (select p.available_at at time zone 'America/Los_Angeles' from public.enrichment_providers() as p where p.provider = 'googlebooks'),
    date_trunc('day', clock_timestamp() at time zone 'America/Los_Angeles') + interval '1 day',
    'a budget that is spent there is spent until midnight there'
);

select * from finish();
rollback;
