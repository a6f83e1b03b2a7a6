-- Rows read against rows expected, by outcome; the queue rows of its books by state; what was undone counts as undone, its cover no more.
begin;
select plan(3);

select tests.switch_on();
select tests.create_reader() as ada, tests.create_book('Emma', 'Jane Austen') as emma \gset
select gen_random_uuid() as import \gset
select count(*) from public.import_library(:'ada', 'goodreads', jsonb_build_array(
    tests.csv_row(2, more => '{"isbn": "9780439023481"}'), tests.csv_row(3, more => '{"isbn": "9780439023481"}'), tests.csv_row(4, 'Emma', 'Jane Austen'), tests.csv_row(5, '')
), :'import', 7);
select tests.store_lookup('isbn', '9780439023481', tests.search_reply(isbn13 => '9780439023481'));
select count(*) from public.sweep_enrichment();
select tests.act_as(:'ada');

select results_eq(
    format('select import_source, expected_rows, "rows", created, matched, duplicate, rejected, pending, in_progress, completed, needs_review, failed, skipped, covers_applied, undone, undoable from public.enrichment_import(%L)', :'import'),
    $$ values ('goodreads', 7, 4, 1, 1, 1, 1, 1, 0, 1, 0, 0, 0, 1, 0, 1) $$, 'four of seven rows are read'
);
select tests.act_as_owner();
select count(*) from public.undo_import(:'import');
select results_eq(format('select completed, skipped, covers_applied, undone, undoable from public.enrichment_import(%L)', :'import'), 'values (1, 1, 0, 2, 0)', 'both rows undone');
select count(*) from public.import_library(:'ada', 'goodreads', '[]', :'import');
select is((select expected_rows from public.enrichment_import(:'import')), 7, 'a later chunk that does not say changes nothing');

select * from finish();
rollback;
