-- Its own rows that wrote something or are in review, not those of an earlier import that brought the same book.
begin;
select plan(2);

select tests.switch_on();
select tests.create_reader() as ada \gset
select gen_random_uuid() as first, gen_random_uuid() as second \gset
select count(*) from public.import_library(:'ada', 'goodreads', jsonb_build_array(tests.csv_row(2, more => '{"isbn": "9780439023481"}')), :'first', 1);
select tests.store_lookup('isbn', '9780439023481', tests.search_reply(isbn13 => '9780439023481'));
select count(*) from public.sweep_enrichment();
select count(*) from public.import_library(:'ada', 'goodreads', jsonb_build_array(tests.csv_row(2, more => '{"isbn": "9780439023481"}')), :'second', 1);
select tests.act_as(:'ada');
select is((select undoable from public.enrichment_import(:'first')), 1, 'the import whose row filled the book');
select is((select undoable from public.enrichment_import(:'second')), 0, 'the same file again filled nothing');

select * from finish();
rollback;
