-- What is stored and fresh is not looked up again; the row is handed out without look-ups, to be applied at once.
begin;
select plan(2);

select tests.switch_on();
select tests.enqueue(tests.create_book('Cached', isbn13 => '9780439023481'));
select tests.enqueue(tests.create_book('Too old', isbn13 => '9780439023528'));
select tests.store_lookup('isbn', isbn, tests.search_reply(isbn13 => isbn)) from unnest(array['9780439023481', '9780439023528']) as isbn;
update public.source_records set fetched_at = now() - tests.span('record_valid_days') - interval '1 day' where provider_id = '9780439023528';

create temp table claims as select c.title, c.lookups from public.claim_enrichment('worker one') as c;

select is((select c.lookups from claims as c where c.title = 'Cached'), '[]'::jsonb, 'nothing to ask');
select is(
    (select c.lookups #>> '{0,key}' from claims as c where c.title = 'Too old'),
    '9780439023528', 'an answer that is too old is asked for again'
);

select * from finish();
rollback;
