-- The catalogue holds the second book twice: the question is still between two.
begin;
select plan(1);

select tests.switch_on();
select tests.create_book('The Long Walk', 'Anna Berg') as work \gset
select tests.enrich(:'work', tests.replies(
    tests.two_long_walks(), tests.search_reply('The Long Walk: Across the Andes', 'Anna Berg', work_key => '/works/OL3W', first_publish_year => 2010)
)) as row \gset

select is((tests.queue_row(:'row')).match_details -> 'rivals', '["openlibrary:/works/OL1W", "openlibrary:/works/OL2W"]', 'one of each');

select * from finish();
rollback;
