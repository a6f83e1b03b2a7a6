-- Another import's rows, and what a person asked for, are not this import's, even for the same books.
begin;
select plan(4);

select tests.switch_on();
select tests.create_reader('ada') as ada, tests.create_reader('bob') as bob, tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.bring_to_review(:'work') as asked \gset
update public.works set first_publish_year = null, description = null;
select count(*) from tests.import(:'bob', tests.csv_row(9, 'Emma', 'Jane Austen'));
select count(*) from tests.import(
    :'ada', tests.csv_row(2, more => '{"isbn": "9780439023481", "first_publish_year": 2010}'), tests.csv_row(3, 'Dune', 'Frank Herbert'),
    tests.csv_row(4, 'Emma', 'Jane Austen', '{"external_id": null}')
);
select id as import from enrichment.imports where user_id = :'ada' \gset
create temp table before as select q.* from public.enrichment_queue as q where q.import_id is distinct from :'import';

select is((select enrichment from enrichment.import_rows where import_id = :'import' and row_number = 4), 'already_open', 'Emma is in line for Bob');
select is((select array_agg(fields_restored order by cardinality(fields_restored)) from public.undo_import(:'import') where fields_restored <> '{}'), array['{work.first_publish_year}'::text[]], 'only what this import filled');
select set_eq(format('select * from public.enrichment_queue where import_id is distinct from %L', :'import'), 'select * from before', 'rows of others are as they were');
select isnt((select default_cover_url from public.works where id = :'work'), null, 'and so is what they wrote');

select * from finish();
rollback;
