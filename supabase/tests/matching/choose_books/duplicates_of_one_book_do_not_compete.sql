-- Catalogues hold a book twice, with other years and longer titles: that is no question.
begin;
select plan(4);

select tests.switch_on();
select tests.create_book() as work \gset
select tests.enrich(:'work', tests.replies(
    tests.search_reply(work_key => '/works/OL1W', cover_id => null), tests.search_reply(work_key => '/works/OL2W', cover_id => 2, first_publish_year => 2014),
    tests.search_reply('The Hunger Games: A Story', work_key => '/works/OL3W', cover_id => 3)
)) as row \gset

select is((tests.queue_row(:'row')).confidence, 'medium', 'the book is found');
select is((tests.queue_row(:'row')).match_details -> 'rivals', null, 'nobody competes');
select is((select w.default_cover_url from public.works as w), 'https://covers.openlibrary.org/b/id/2-M.jpg', 'the record with a cover is taken');
select is((tests.queue_row(:'row')).match_details -> 'agreement', null, 'one provider agreeing with itself is no agreement');

select * from finish();
rollback;
