-- Two books of one author under the same main title: neither is taken, and one question shows both with what each would fill.
begin;
select plan(7);

select tests.switch_on();
select tests.create_book('The Long Walk', 'Anna Berg') as work \gset
select tests.enrich(:'work', tests.two_long_walks()) as row \gset

select is((tests.queue_row(:'row')).confidence, 'medium', 'each of them would do');
select is((tests.queue_row(:'row')).status, 'needs_review', 'so a person is asked');
select results_eq('select default_cover_url, first_publish_year from public.works', 'values (null::text, null::smallint)', 'nothing is written');
select is((tests.queue_row(:'row')).match_details -> 'rivals', '["openlibrary:/works/OL1W", "openlibrary:/works/OL2W"]', 'both are rivals');
select results_eq(
    format($$ select c ->> 'candidate', c -> 'values' from jsonb_array_elements((tests.queue_row(%L)).match_details -> 'candidates') as c $$, :'row'),
    $$ values
    ('openlibrary:/works/OL1W', '{"work.cover_url": "https://covers.openlibrary.org/b/id/1-M.jpg", "work.first_publish_year": "1990"}'::jsonb),
    ('openlibrary:/works/OL2W', '{"work.cover_url": "https://covers.openlibrary.org/b/id/2-M.jpg", "work.first_publish_year": "2004"}') $$, 'each with its values'
);
select is((tests.queue_row(:'row')).match_details #>> '{proposals,work.cover_url,candidate}', 'openlibrary:/works/OL1W', 'the first is proposed');
select matches((tests.queue_row(:'row')).match_details ->> 'sentence', ', but another book fits as well$', 'the sentence says what the question is');

select * from finish();
rollback;
