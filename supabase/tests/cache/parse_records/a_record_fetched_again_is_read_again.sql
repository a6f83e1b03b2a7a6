-- When a newer reply takes the place of an older one, its candidates do so too.
begin;
select plan(2);

select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.enqueue(:'work') as row \gset
select tests.store_lookup('isbn', '9780439023481', tests.search_reply('An Old Title', isbn13 => '9780439023481'));
select enrichment.parse_records(array[:'row'::uuid]);
select tests.let_pass('1 hour');

update public.source_records set raw = tests.search_reply('A New Title', isbn13 => '9780439023481'), fetched_at = now();
select enrichment.parse_records(array[:'row'::uuid]);
select is((select array_agg(distinct c.title) from enrichment.candidates as c), '{A New Title}', 'the old title is gone');
select is((select p.fetched_at from enrichment.parsed_records as p), now(), 'the reading is as new as the reply');

select * from finish();
rollback;
