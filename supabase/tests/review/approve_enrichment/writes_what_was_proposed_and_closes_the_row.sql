-- Approving without naming fields writes all that was proposed; the row is completed and the work says so.
begin;
select plan(4);

select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.bring_to_review(:'work') as row \gset

select results_eq(
    format('select status::text, fields_applied, fields_skipped from public.approve_enrichment(%L)', :'row'),
    $$ values (
        'completed', '{edition.isbn10,edition.language,edition.publish_date,edition.publisher,work.first_publish_year}'::text[], '{}'::text[]
    ) $$, 'five fields are applied, none skipped'
);
select results_eq(
    'select w.first_publish_year::integer, e.publisher::text, e.publish_date, e.isbn10::text, e.language::text from public.works as w, public.editions as e',
    $$ values (2008, 'Scholastic Press', date '2008-09-14', '0439023483', 'eng') $$, 'they stand in the catalogue'
);
select results_eq(
    format('select finished_at, cardinality(fields_applied) from tests.queue_row(%L)', :'row'), 'values (now(), 6)', 'the row ended, with its cover of before'
);
select is((select w.enrichment_status from public.works as w), 'completed', 'and the work shows it');

select * from finish();
rollback;
