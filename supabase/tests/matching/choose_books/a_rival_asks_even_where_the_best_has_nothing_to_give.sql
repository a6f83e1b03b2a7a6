-- The first of two books knows nothing we lack, the second does: which of them it is remains a question.
begin;
select plan(3);

select tests.switch_on();
select tests.create_book('The Long Walk', 'Anna Berg') as work \gset
select tests.enrich(:'work', tests.replies(
    tests.search_reply('The Long Walk: A Winter in Lapland', 'Anna Berg', work_key => '/works/OL1W', cover_id => null, first_publish_year => null),
    tests.search_reply('The Long Walk: Across the Andes', 'Anna Berg', work_key => '/works/OL2W', cover_id => null, first_publish_year => 2004),
    tests.search_reply('The Long Walk: Over the Moon', 'Anna Berg', work_key => '/works/OL3W', cover_id => null, first_publish_year => null)
)) as row \gset

select is((tests.queue_row(:'row')).match_details -> 'proposals', null, 'nothing is proposed');
select is((tests.queue_row(:'row')).status, 'needs_review', 'a person is asked');
select is(
    (select fields_applied from public.approve_enrichment(:'row', null, 'openlibrary:/works/OL2W')), '{work.first_publish_year}', 'and may take the second'
);

select * from finish();
rollback;
