-- A book whose author nobody noted: other authors make other books, and so do other years where one side names no author.
begin;
select plan(3);

select tests.switch_on();
select tests.create_book('Home', null) as by_author, tests.create_book('Emma', null) as by_year, tests.create_book('Dune', null) as same_year \gset

select is(
    (tests.queue_row(tests.enrich(:'by_author', tests.replies(
        tests.search_reply('Home', 'Toni Morrison', work_key => '/works/OL1W'), tests.search_reply('Home', 'Marilynne Robinson', work_key => '/works/OL2W')
    )))).match_details -> 'rivals', '["openlibrary:/works/OL1W", "openlibrary:/works/OL2W"]', 'two authors, two books'
);
select is(
    (tests.queue_row(tests.enrich(:'by_year', tests.replies(
        tests.search_reply('Emma', 'Jane Austen', work_key => '/works/OL3W', first_publish_year => 1815), tests.search_reply('Emma', null, work_key => '/works/OL4W', first_publish_year => 2014)
    )))).match_details -> 'rivals', '["openlibrary:/works/OL3W", "openlibrary:/works/OL4W"]', 'two centuries, two books'
);
select is(
    (tests.queue_row(tests.enrich(:'same_year', tests.replies(
        tests.search_reply('Dune', 'Frank Herbert', work_key => '/works/OL5W', first_publish_year => 1965), tests.search_reply('Dune', null, work_key => '/works/OL6W', first_publish_year => 1966)
    )))).match_details -> 'rivals', null, 'a year apart is one book'
);

select * from finish();
rollback;
