-- Open Library left gaps and Google Books' calls of today are used up: the row closes with what there is, and says who was not asked.
begin;
select plan(7);

select tests.switch_on();
select count(*) from public.configure_enrichment('{"provider_keys": ["googlebooks"]}');
select tests.create_reader() as ada \gset
update public.users set enable_google_books = true;
update enrichment.providers set used_today = 950, used_on = (clock_timestamp() at time zone reset_time_zone)::date where provider = 'googlebooks';

select tests.create_book(isbn13 => '9780439023481') as known, tests.create_book('Nobody''s Book', 'Nobody') as unknown \gset
select tests.enqueue(:'known', triggered_by => :'ada') as known_row, tests.enqueue(:'unknown', triggered_by => :'ada') as unknown_row \gset
select tests.store_lookup('isbn', '9780439023481', tests.search_reply(isbn13 => '9780439023481'));
select tests.store_lookup('title', n.key, null) from enrichment.needed_lookups as n where n.queue_id = :'unknown_row';
select count(*) from public.sweep_enrichment();

select is((tests.queue_row(:'known_row')).status, 'completed', 'what Open Library knew is applied');
select is((select w.description from public.works as w where w.id = :'known'), null, 'a gap that only Google could fill stays');
select is((tests.queue_row(:'known_row')).match_details -> 'not_asked', '{"googlebooks": "daily"}', 'and the row says so');
select is((tests.queue_row(:'unknown_row')).status, 'skipped', 'a book Open Library does not know is skipped');
select is((tests.queue_row(:'unknown_row')).match_details -> 'not_asked', '{"googlebooks": "daily"}', 'and says that somebody was not asked');
select is_empty('select 1 from public.enrichment_queue as q where q.attempt_count > 1', 'no attempt is spent on it');

update enrichment.providers set used_today = 0 where provider = 'googlebooks';
select is(
    (select o.outcome from public.enqueue_enrichment(array[:'unknown'::uuid], triggered_by => :'ada') as o), 'enqueued',
    'tomorrow it may be asked for again'
);

select * from finish();
rollback;
