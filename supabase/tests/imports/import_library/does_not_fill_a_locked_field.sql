-- A field somebody locked stays empty, and the log does not say otherwise.
begin;
select plan(2);

select tests.create_reader() as reader, tests.create_book(isbn13 => '9780439023481') as work \gset
select count(*) from public.lock_fields(:'work', array['edition.publisher', 'work.first_publish_year'], tests.edition_of(:'work'));

select count(*) from tests.import(:'reader', tests.csv_row(2, more => '{
    "isbn": "9780439023481", "publisher": "Scholastic", "first_publish_year": 2008, "total_pages": 374
}'));

select results_eq(
    $$ select e.publisher::text, w.first_publish_year::integer, e.total_pages
    from public.editions as e join public.works as w on w.id = e.work_id $$,
    $$ values (null::text, null::integer, 374) $$, 'only the pages are filled'
);
select results_eq(
    $$ select k
    from public.enrichment_audit_log as a cross join lateral jsonb_object_keys(a.fields_changed) as k $$, array['edition.total_pages'],
    'and logged'
);

select * from finish();
rollback;
