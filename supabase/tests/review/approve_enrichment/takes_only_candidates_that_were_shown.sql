-- A candidate that is no rival, or a field the chosen one does not have, is refused; the row still waits.
begin;
select plan(4);

select tests.switch_on();
select tests.create_book('The Long Walk', 'Anna Berg') as work \gset
select tests.enrich(:'work', jsonb_set(tests.two_long_walks(), '{docs,0,description}', '"Snow."')) as row \gset

select throws_ok(format($$ select * from public.approve_enrichment(%L, null, 'openlibrary:/works/OL9W') $$, :'row'), 'PT422', null, 'it was not shown');
select throws_ok(format($$ select * from public.approve_enrichment(%L, '{work.description}', 'openlibrary:/works/OL2W') $$, :'row'), 'PT422', null, 'the rival has no description');
select is((tests.queue_row(:'row')).status, 'needs_review', 'the question stands');
select is((select fields_applied from public.approve_enrichment(:'row', '{work.description}', 'openlibrary:/works/OL1W')), '{work.description}', 'the best one has one');

select * from finish();
rollback;
