-- A reply answers for record_valid_days; after that it is asked for anew.
begin;
select plan(3);

select tests.switch_on();
select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.enqueue(:'work') as row \gset
select tests.store_lookup('isbn', '9780439023481', tests.search_reply(isbn13 => '9780439023481'));
update public.source_records set fetched_at = now() - tests.span('record_valid_days') - interval '1 minute';

select is_empty('select * from public.sweep_enrichment()', 'a record that is too old is no answer');
select is((select w.default_cover_url from public.works as w), null, 'nothing is written from it');
update public.source_records set fetched_at = now() - tests.span('record_valid_days') + interval '1 hour';
select is((select status from public.sweep_enrichment()), 'completed', 'a younger one is');

select * from finish();
rollback;
