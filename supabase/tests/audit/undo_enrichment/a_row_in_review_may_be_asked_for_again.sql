-- Undone is not dismissed: asked for again, the book is weighed anew from what is known and proposes its text fields, but not the cover that was taken back.
begin;
select plan(3);

select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.bring_to_review(:'work') as row \gset
select count(*) from public.undo_enrichment(:'row');
select tests.enqueue(:'work') as again \gset
select is((tests.queue_row(:'again')).status, 'pending', 'it is in line again');
select count(*) from public.sweep_enrichment();
select is((tests.queue_row(:'again')).status, 'needs_review', 'and in review');
select results_eq(
    format('select proposals ? %L, proposals ? %L from public.list_enrichment(%L)', 'edition.publisher', 'work.cover_url', 'needs_review'), 'values (true, false)',
    'with everything but the cover'
);

select * from finish();
rollback;
