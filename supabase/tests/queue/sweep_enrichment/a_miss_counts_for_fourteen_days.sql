-- A provider that does not know a book is not asked again for fourteen days.
begin;
select plan(3);

select tests.switch_on();
select tests.create_book() as work \gset
select tests.enqueue(:'work') as row \gset
select tests.store_lookup('title', 'hunger games | suzanne collins', null);
update public.source_records set fetched_at = now() - interval '14 days 1 minute';

select is_empty('select * from public.sweep_enrichment()', 'a miss of fifteen days says nothing');
update public.source_records set fetched_at = now() - interval '13 days 23 hours';
select is((select status from public.sweep_enrichment()), 'skipped', 'one of thirteen days closes the row: nobody knows the book');
select is((select w.enrichment_status from public.works as w), 'skipped', 'which the work shows');

select * from finish();
rollback;
