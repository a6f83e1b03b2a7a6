-- A no_match is remembered as a miss, and a book that is found later takes its place.
begin;
select plan(2);

select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.enqueue(:'work') as row \gset
select tests.store_lookup('isbn', '9780439023481', null);
select enrichment.parse_records(array[:'row'::uuid]);
select is((select count(*) from enrichment.candidates), 0::bigint, 'nothing is read from a miss');
select tests.let_pass('1 hour');

update public.source_records set raw = tests.search_reply(isbn13 => '9780439023481'), fetched_at = now();
select enrichment.parse_records(array[:'row'::uuid]);
select isnt_empty('select * from enrichment.candidates', 'the later reply is read');

select * from finish();
rollback;
