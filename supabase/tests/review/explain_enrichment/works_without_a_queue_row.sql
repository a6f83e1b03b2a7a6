-- A book nobody queued, whose records the host stored: its candidates are read, scored and shown, and nothing of it stays.
begin;
select plan(3);

select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.store_host_records(:'work');

select results_eq(
    format('select candidate, isbn_score, confidence::text from public.explain_enrichment(%L)', :'work'),
    $$ values ('openlibrary:/works/OL5735363W', 5, 'high') $$, 'the host''s records are explained'
);
select is_empty('select 1 from public.enrichment_queue', 'no row was queued');
select is_empty('select 1 from enrichment.candidates', 'nothing was even parsed for good');

select * from finish();
rollback;
