-- Open Library and Google name the same book: the details and the sentence say that two agree, and the tier stays what it was.
begin;
select plan(4);

select tests.switch_on();
select tests.create_book() as work \gset
select tests.store_lookup('title', enrichment.lookup_key('hunger games', 'Suzanne Collins'), tests.google_reply('The Hunger Games', 'Suzanne Collins'), 'googlebooks');
select tests.enrich(:'work', tests.search_reply()) as row \gset

select is((tests.queue_row(:'row')).match_details -> 'agreement', '["googlebooks", "openlibrary"]', 'both are named');
select is((tests.queue_row(:'row')).match_details ->> 'sentence', 'title equal, author equal, two providers agree', 'and the reader is told');
select is((tests.queue_row(:'row')).confidence, 'medium', 'it is no surer for that');
select is((select e.sentence from public.explain_enrichment(:'work') as e where e.place = 1), 'title equal, author equal, two providers agree', 'explained, it reads the same');

select * from finish();
rollback;
