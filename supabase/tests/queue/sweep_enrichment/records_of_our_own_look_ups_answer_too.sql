-- What one reader's look-up brought answers for every other work with that ISBN, or with that title and author.
begin;
select plan(3);

select tests.switch_on();
select tests.create_book(isbn13 => '9780439023481') as by_isbn, tests.create_book('Battle Royale', 'Koushun Takami') as by_title \gset
select tests.enqueue(:'by_isbn') as isbn_row, tests.enqueue(:'by_title') as title_row \gset
select tests.store_lookup('isbn', '9780439023481', tests.search_reply(isbn13 => '9780439023481'));
select tests.store_lookup('title', 'battle royale | koushun takami', tests.search_reply('Battle Royale', 'Koushun Takami', work_key => '/works/OL9W', cover_id => 9));

select is((select count(*) from public.sweep_enrichment()), 2::bigint, 'both rows are answered');
select is((tests.queue_row(:'isbn_row')).confidence, 'high', 'by its ISBN: high');
select results_eq(
    format($$ select q.confidence, w.default_cover_url from public.enrichment_queue as q join public.works as w on w.id = q.work_id where q.id = %L $$, :'title_row'),
    $$ values ('medium'::enrichment.confidence, 'https://covers.openlibrary.org/b/id/9-M.jpg') $$, 'by its title: medium, with its cover'
);

select * from finish();
rollback;
