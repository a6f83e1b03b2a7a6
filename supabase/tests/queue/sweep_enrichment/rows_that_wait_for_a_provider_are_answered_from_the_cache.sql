-- A row that waits for Open Library to come back does not need it once somebody else's reply is there.
begin;
select plan(2);

select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.enqueue(:'work') as row \gset
select count(*) from tests.claim_one();
select is((tests.queue_row(:'row')).wait_reason, 'no_contact', 'the row waits for a contact');

select tests.store_host_records(:'work');
select is((select s.queue_id from public.sweep_enrichment() as s where s.wait_reason is null), :'row', 'and is answered without one');

select * from finish();
rollback;
