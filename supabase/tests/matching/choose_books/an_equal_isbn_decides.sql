-- Of two works that fit equally well, the one that has our ISBN is the book.
begin;
select plan(3);

select tests.switch_on();
select tests.create_book('The Long Walk', 'Anna Berg', '9780439023481') as work \gset
select tests.enrich(:'work', tests.replies(
    tests.search_reply('The Long Walk: A Winter in Lapland', 'Anna Berg', work_key => '/works/OL1W', cover_id => 1),
    tests.search_reply('The Long Walk: Across the Andes', 'Anna Berg', '9780439023481', '/works/OL2W', 2)
)) as row \gset

select is((tests.queue_row(:'row')).confidence, 'high', 'it is certain');
select is((tests.queue_row(:'row')).match_details -> 'rivals', null, 'nobody is asked');
select is((select w.default_cover_url from public.works as w), 'https://covers.openlibrary.org/b/id/2-M.jpg', 'its cover is taken');

select * from finish();
rollback;
