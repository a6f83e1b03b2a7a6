-- Seven books in one reply: the five best stand in the details, those that may be ours with their parts, each with a sentence and its page.
begin;
select plan(3);

select tests.switch_on();
select tests.create_book() as work \gset
select tests.enrich(:'work', tests.replies(
    tests.search_reply(), tests.search_reply(author => 'Some Body', work_key => '/works/OL2W'), tests.search_reply('A', work_key => '/works/OL3W'), tests.search_reply('B', work_key => '/works/OL4W'),
    tests.search_reply('C', work_key => '/works/OL5W'), tests.search_reply('D', work_key => '/works/OL6W'), tests.search_reply('E', work_key => '/works/OL7W')
)) as row \gset
create temp table shown as
select c, place from jsonb_array_elements((tests.queue_row(:'row')).match_details -> 'candidates') with ordinality as shown (c, place);

select is((select count(*) from shown), 5::bigint, 'five are shown');
select is((select array_agg(place) from shown where c ? 'parts'), '{1,2}', 'parts belong to those that may be ours');
select is((select count(*) from shown where c ? 'sentence' and c ->> 'source_url' like 'https://openlibrary.org/works/OL%W'), 5::bigint, 'each says why, and where to look');

select * from finish();
rollback;
