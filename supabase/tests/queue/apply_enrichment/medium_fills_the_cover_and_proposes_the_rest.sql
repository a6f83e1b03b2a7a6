-- Title and author agree but no ISBN proves it: the cover is filled, everything else goes to review.
begin;
select plan(4);

select tests.switch_on();
select tests.create_book() as work \gset
select tests.enrich(:'work', tests.search_reply()) as row \gset

select is((tests.queue_row(:'row')).confidence, 'medium', 'the row is medium');
select is((tests.queue_row(:'row')).status, 'needs_review', 'and waits for a person');
select results_eq(
    'select default_cover_url, first_publish_year::integer from public.works',
    $$ values ('https://covers.openlibrary.org/b/id/12646537-M.jpg', null::integer) $$, 'the cover is there, the year is not'
);
select is((tests.queue_row(:'row')).match_details #>> '{proposals,work.first_publish_year,value}', '2008', 'the year is proposed');

select * from finish();
rollback;
