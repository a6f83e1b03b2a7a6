-- "???" folds to nothing: no candidate could ever be it, and its look-up would have no key to be stored under.
begin;
select plan(2);

select tests.switch_on();
select tests.create_book('???', null) as work, tests.create_book('???', null, '9780439023481') as known \gset

select is((select outcome from public.enqueue_enrichment(array[:'work'::uuid])), 'known_miss', 'without an ISBN nothing can be learnt');
select tests.enqueue(:'known') as row \gset
select is((tests.claim_one()).lookups #>> '{0,kind}', 'isbn', 'by its ISBN it can be looked up');

select * from finish();
rollback;
