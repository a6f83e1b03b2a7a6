-- The host may delete an edition while its book waits for review; what is left to write is written, the rest is skipped.
begin;
select plan(2);

select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.bring_to_review(:'work') as row \gset
delete from public.editions;

select results_eq(
    format('select fields_applied, fields_skipped from public.approve_enrichment(%L, %L)', :'row', '{work.first_publish_year,edition.publisher}'),
    $$ values ('{work.first_publish_year}'::text[], '{edition.publisher}'::text[]) $$, 'what the work lacks is written'
);
select is((tests.queue_row(:'row')).status, 'completed', 'the row is closed');

select * from finish();
rollback;
