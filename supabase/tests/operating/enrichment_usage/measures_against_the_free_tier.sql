-- Database and files in bytes against what is free, our covers against their own budget, calls of today against what may be spent of
-- each provider's day: Google's 1,000 less a reserve of 50.
begin;
select plan(4);

select count(*) from public.configure_enrichment('{"database_budget_bytes": 1000000, "storage_budget_bytes": 2000000, "cover_budget_bytes": 500000, "contact": "a@example.org"}');
update enrichment.cover_storage set bytes = 7000, images = 1;
select granted from public.reserve_provider_calls('openlibrary', 3);
insert into storage.objects (bucket_id, name, metadata) select 'covers', 'host/' || n, jsonb_build_object('size', 10000) from generate_series(1, 3) as n;
insert into storage.objects (bucket_id, name, metadata) values ('covers', 'odd', '{"size": "unknown"}'), ('covers', 'bare', null);
create temp table usage as select * from public.enrichment_usage();

select results_eq(
    $$ select used > 1000000, allowed, unit, until from usage where meter = 'database' $$, $$ values (true, 1000000::bigint, 'bytes', null::timestamptz) $$, 'the database'
);
select results_eq(
    $$ select subject, used, allowed, unit from usage where meter = 'covers' order by subject $$,
    $$ values ('budget', 7000::bigint, 500000::bigint, 'bytes'), ('storage', 30000, 2000000, 'bytes') $$, 'our covers, and all files'
);
select results_eq(
    $$ select subject, used, allowed, unit from usage where meter = 'calls' $$,
    $$ values ('openlibrary', 3::bigint, null::bigint, 'calls'), ('googlebooks', 0, 950, 'calls'), ('openlibrary_covers', 0, null, 'calls') $$, 'calls of today, against what we spend of a day'
);
select is(
    (select until at time zone 'America/Los_Angeles' from usage where subject = 'googlebooks'), (now() at time zone 'America/Los_Angeles')::date + interval '1 day',
    'Google counts from zero at its midnight'
);

select * from finish();
rollback;
