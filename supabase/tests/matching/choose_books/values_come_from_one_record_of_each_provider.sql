-- A second record of the same book at the same provider adds nothing: what the best one lacks stays open for the next provider.
begin;
select plan(2);

select tests.switch_on();
select tests.create_book() as work \gset
select tests.enrich(:'work', tests.replies(
    tests.search_reply(work_key => '/works/OL1W', cover_id => 1, first_publish_year => null), tests.search_reply(work_key => '/works/OL2W', cover_id => 2)
)) as row \gset

select is((select w.default_cover_url from public.works as w), 'https://covers.openlibrary.org/b/id/1-M.jpg', 'the first gives its cover');
select is((tests.queue_row(:'row')).match_details -> 'proposals', null, 'the year of the second is not proposed');

select * from finish();
rollback;
