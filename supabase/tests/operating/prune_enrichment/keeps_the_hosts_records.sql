-- Our own look-ups go when they are too old to answer anything; records of the host stay, whatever their age.
begin;
select plan(3);

select tests.store_lookup('isbn', '9780439023481', tests.search_reply()), tests.store_lookup('isbn', '9780439023528', null);
select tests.store_lookup('title', 'too old', tests.search_reply()), tests.store_lookup('title', 'too old a miss', null);
insert into public.source_records (provider, entity_type, provider_id, raw, fetched_at)
values ('openlibrary', 'work', '/works/OL5735363W', '{}', now() - interval '3 years');
update public.source_records set fetched_at = now() - tests.span('record_valid_days') - interval '1 day' where provider_id in ('too old', '9780439023528');
update public.source_records set fetched_at = now() - tests.span('miss_valid_days') - interval '1 day' where provider_id = 'too old a miss';

select is((select p.removed from public.prune_enrichment() as p where p.subject = 'source_records'), 2::bigint, 'two look-ups are too old');
select bag_eq(
    $$ select s.provider_id::text from public.source_records as s $$, array['9780439023481', '9780439023528', '/works/OL5735363W'],
    'a fresh answer, a miss not yet too old, and the host''s record are kept'
);
select is_empty(
    $$ select 1 from public.prune_enrichment() as p where p.subject = 'source_records' and p.removed > 0 $$, 'a second run finds nothing'
);

select * from finish();
rollback;
