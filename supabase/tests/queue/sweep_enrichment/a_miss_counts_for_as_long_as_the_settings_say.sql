-- A provider that does not know a book is not asked again for miss_valid_days.
begin;
select plan(3);

select tests.switch_on();
select tests.create_book() as work \gset
select tests.enqueue(:'work') as row \gset
select tests.store_lookup('title', 'hunger games | suzanne collins', null);
update public.source_records set fetched_at = now() - tests.span('miss_valid_days') - interval '1 minute';

select is_empty('select * from public.sweep_enrichment()', 'a miss that is too old says nothing');
update public.source_records set fetched_at = now() - tests.span('miss_valid_days') + interval '1 hour';
select is((select status from public.sweep_enrichment()), 'skipped', 'a younger one closes the row: nobody knows the book');
select is((select w.enrichment_status from public.works as w), 'skipped', 'which the work shows');

select * from finish();
rollback;
