-- A work and an edition that the host's own import left are enough: everything is filled and the row completes, with no worker and no provider.
begin;
select plan(5);

select tests.switch_on();
select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.enqueue(:'work') as row \gset
select tests.store_host_records(:'work');

select results_eq(
    $$ select status, confidence from public.sweep_enrichment() $$,
    $$ values ('completed'::enrichment.queue_status, 'high'::enrichment.confidence) $$, 'the row is completed with high confidence'
);
select results_eq(
    $$ select default_cover_url, description, first_publish_year::integer from public.works $$,
    $$ values ('https://covers.openlibrary.org/b/id/12646537-M.jpg', 'Twenty-four are sent in, one comes out.', 2008) $$, 'the work is filled'
);
select results_eq(
    $$ select publisher::text, publish_date, isbn10::text, isbn13::text, language::text, format::text, total_pages from public.editions $$,
    $$ values ('Scholastic Press', date '2008-09-14', '0439023483', '9780439023481', 'eng', 'hardcover', 374) $$, 'the edition is filled'
);
select is((select sum(p.used_today) from enrichment.providers as p), 0::bigint, 'no call was spent');
select is_empty('select * from public.sweep_enrichment()', 'there is nothing left to sweep');

select * from finish();
rollback;
