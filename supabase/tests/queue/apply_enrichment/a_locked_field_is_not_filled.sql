-- A lock keeps a field empty: it is neither filled nor proposed, while the others are filled.
begin;
select plan(3);

select tests.switch_on();
select tests.create_book(isbn13 => '9780439023481') as work \gset
select count(*) from public.lock_fields(:'work', '{work.cover_url,edition.publisher}', tests.edition_of(:'work'));
select tests.enrich(:'work', tests.search_reply(isbn13 => '9780439023481')) as row \gset

select results_eq('select default_cover_url, first_publish_year::integer from public.works', 'values (null::text, 2008)', 'the cover stays empty, the year is filled');
select is((select e.publisher from public.editions as e), null, 'the publisher stays empty');
select is((tests.queue_row(:'row')).status, 'completed', 'and nobody is asked about them');

select * from finish();
rollback;
