-- The second look at the same record reads nothing again: its candidates are the same rows.
begin;
select plan(3);

select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.enqueue(:'work') as row \gset
select tests.store_lookup('isbn', '9780439023481', tests.search_reply(isbn13 => '9780439023481'));

select enrichment.parse_records(array[:'row'::uuid]);
create temp table first_reading as select c.id, c.title, c.isbns from enrichment.candidates as c;
select isnt_empty('select * from first_reading', 'the record is read into candidates');
select is((select distinct isbns from first_reading), '{9780439023481}', 'with the keys of its ISBNs');

select enrichment.parse_records(array[:'row'::uuid]);
select bag_eq('select id, title, isbns from enrichment.candidates', 'select * from first_reading', 'and left as it is from then on');

select * from finish();
rollback;
