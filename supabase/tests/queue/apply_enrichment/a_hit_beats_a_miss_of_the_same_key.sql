-- Two rows of one call asked for the same ISBN, and only one of the two look-ups found the book. What is remembered is the book,
-- whichever of the two stands first.
begin;
select plan(2);

select tests.switch_on();
select tests.enqueue(tests.create_book(isbn13 => '9780439023481')) from generate_series(1, 4);
select tests.answer_with(tests.claim_one(), null) || tests.answer_with(tests.claim_one(), tests.search_reply(isbn13 => '9780439023481')) as miss_first \gset
select tests.answer_with(tests.claim_one(), tests.search_reply(isbn13 => '9780439023481')) || tests.answer_with(tests.claim_one(), null) as hit_first \gset

select count(*) from public.apply_enrichment(:'miss_first');
select ok((select not s.raw ? 'no_match' from public.source_records as s where s.provider_id = '9780439023481'), 'a miss before the hit');
delete from public.source_records;
select count(*) from public.apply_enrichment(:'hit_first');
select ok((select not s.raw ? 'no_match' from public.source_records as s where s.provider_id = '9780439023481'), 'a miss behind it');

select * from finish();
rollback;
