-- The best book has no cover; the next provider's best is another work, further off but medium too. Its cover is not taken for ours.
begin;
select plan(2);

select tests.switch_on();
select tests.create_book('The Long Walk', 'Anna Berg', '9780439023481') as work \gset
select tests.store_lookup(
    'isbn', '9780439023481', tests.google_reply('The Long Walk: Over the Moon', 'Anna Berg', more => '{"imageLinks": {"thumbnail": "http://books.google.com/books/content?id=aBcD&zoom=1"}}'), 'googlebooks'
);
select tests.enrich(:'work', tests.search_reply('The Long Walk: Across the Andes', 'Anna Berg', '9780439023481', cover_id => null)) as row \gset

select is((tests.queue_row(:'row')).confidence, 'high', 'the book is found');
select is((select w.default_cover_url from public.works as w), null, 'the other one''s cover stays there');

select * from finish();
rollback;
