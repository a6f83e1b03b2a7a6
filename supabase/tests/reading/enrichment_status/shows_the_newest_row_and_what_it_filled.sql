-- The badge is about the last wish: its state, its confidence and the cover that is now there.
begin;
select plan(2);

select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.bring_to_review(:'work') as first \gset
select results_eq(
    format('select queue_id, status::text, confidence::text, cover_applied, fields_applied, cover_url, last_enriched_at from public.enrichment_status(array[%L]::uuid[])', :'work'),
    format($$ values (%L::uuid, 'needs_review', 'high', true, '{work.cover_url}'::text[], 'https://covers.openlibrary.org/b/id/12646537-M.jpg', now()) $$, :'first'),
    'the cover is applied, the rest waits for review'
);
select count(*) from public.dismiss_enrichment(:'first');
select tests.let_replies_expire();

select tests.enqueue(:'work') as second \gset
select results_eq(
    format('select queue_id, status::text, cover_applied from public.enrichment_status(array[%L]::uuid[])', :'work'),
    format($$ values (%L::uuid, 'pending', false) $$, :'second'), 'the next wish takes its place'
);

select * from finish();
rollback;
