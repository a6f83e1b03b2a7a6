-- A row that one provider began, another continued, and a person approved, while its cover was stored meanwhile, is taken back as a whole.
begin;
select plan(4);

select tests.store_covers();
select count(*) from public.configure_enrichment('{"provider_keys": ["googlebooks"]}');
select tests.create_reader() as ada \gset
update public.users set enable_google_books = true;
select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.add_to_shelf(:'ada', :'work');
create temp view now_there as
select to_jsonb(w) - '{updated_at,enrichment_status,enrichment_confidence,last_enriched_at}'::text[] as work, to_jsonb(e) - 'updated_at' as edition
from public.works as w join public.editions as e on e.work_id = w.id;
create temp table before as select * from now_there;

select tests.enrich(:'work', tests.search_reply(isbn13 => '9780439023481')) as row \gset
select count(*) from public.apply_covers(jsonb_build_array(tests.stored(tests.claim_cover())));
select is((tests.queue_row(:'row')).status, 'pending', 'Google is still to be asked');
select count(*) from public.apply_enrichment(tests.answer_with(tests.claim_one(), '{"items": [{"id": "aBcD", "volumeInfo": {"title": "The Hunger Games",
    "authors": ["Suzanne Collins"], "description": "Twenty-four are sent in.", "pageCount": 374, "industryIdentifiers": [{"identifier": "9780439023481"}]}}]}'));
select tests.act_as(:'ada');
select count(*) from public.approve_enrichment(:'row');
select tests.act_as_owner();
select is(cardinality((tests.queue_row(:'row')).fields_applied), 8, 'eight fields were filled, in three steps');

select is((select cardinality(fields_restored) + 100 * cardinality(fields_kept) from public.undo_enrichment(:'row')), 8, 'all eight are restored');
select set_eq('select * from now_there', 'select * from before', 'the book is as it was');

select * from finish();
rollback;
