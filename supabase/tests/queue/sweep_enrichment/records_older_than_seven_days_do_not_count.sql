-- A reply answers for seven days; after that it is asked for anew.
begin;
select plan(3);

select tests.switch_on();
select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.enqueue(:'work') as row \gset
select tests.store_lookup('isbn', '9780439023481', tests.search_reply(isbn13 => '9780439023481'));
update public.source_records set fetched_at = now() - interval '7 days 1 minute';

select is_empty('select * from public.sweep_enrichment()', 'a record of eight days is no answer');
select is((select w.default_cover_url from public.works as w), null, 'nothing is written from it');
update public.source_records set fetched_at = now() - interval '6 days 23 hours';
select is((select status from public.sweep_enrichment()), 'completed', 'one of six days is');

select * from finish();
rollback;
