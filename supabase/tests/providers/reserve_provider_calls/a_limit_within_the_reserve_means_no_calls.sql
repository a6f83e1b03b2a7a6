-- A daily limit that leaves nothing to spend grants nothing from the first call on, and says so.
begin;
select plan(3);

select tests.switch_on();
update enrichment.providers set daily_limit = 0 where provider = 'openlibrary';
select results_eq(
    $$ select r.granted, r.reason from public.reserve_provider_calls('openlibrary') as r $$, $$ values (0, 'daily') $$, 'a limit of none'
);

update enrichment.providers set daily_limit = 40, daily_reserve = 50, used_on = null where provider = 'openlibrary';
select results_eq(
    $$ select r.granted, r.reason from public.reserve_provider_calls('openlibrary') as r $$,
    $$ values (0, 'daily') $$, 'a limit below the reserve'
);
select is(
    (select p.tokens from enrichment.providers as p where p.provider = 'openlibrary'), 10::numeric, 'the bucket is as full as before'
);

select * from finish();
rollback;
