-- Replies and misses answer for as long as the settings say, whichever is longer.
begin;
select plan(2);

insert into public.source_records (provider, entity_type, provider_id, raw, fetched_at)
select 'openlibrary', 'isbn_lookup', kind || ' of ' || days || ' days', case kind when 'miss' then '{"no_match": true}' else '{"docs": []}' end::jsonb, now() - make_interval(days => days)
from unnest(array['reply', 'miss']) as kind cross join unnest(array[2, 5, 10, 20]) as days;

select count(*) from public.configure_enrichment('{"record_valid_days": 7, "miss_valid_days": 14}');
select set_eq(
    'select provider_id::text, raw ? ''no_match'' from public.source_records where enrichment.still_answers(fetched_at, raw, enrichment.oldest_answers())',
    $$ values ('reply of 2 days', false), ('reply of 5 days', false), ('miss of 2 days', true), ('miss of 5 days', true), ('miss of 10 days', true) $$, 'seven and fourteen days'
);
select count(*) from public.configure_enrichment('{"record_valid_days": 15, "miss_valid_days": 3}');
select set_eq(
    'select provider_id::text from public.source_records where enrichment.still_answers(fetched_at, raw, enrichment.oldest_answers())', array['reply of 2 days', 'reply of 5 days', 'reply of 10 days', 'miss of 2 days'], 'fifteen and three'
);

select * from finish();
rollback;
