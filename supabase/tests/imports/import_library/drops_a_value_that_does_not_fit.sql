-- A value of the wrong type, size or range is left out; the row is taken without it.
begin;
select plan(2);

select tests.create_reader() as reader \gset

select outcome, edition_id from tests.import(:'reader', tests.csv_row(2, more => jsonb_build_object(
    'isbn', '9780439023482', 'asin', 'B002MQYOFW', 'publisher', repeat('p', 256), 'published_year', 99999, 'first_publish_year', 'long ago',
    'total_pages', -3, 'format', '["hardcover"]'::jsonb, 'rating', 11, 'tags', jsonb_build_array('good', repeat('t', 65), 7, null)
))) \gset

select is(:'outcome'::text, 'created', 'the row is taken');
select results_eq(
    $$ select e.isbn13::text, e.publisher::text, e.publish_date, w.first_publish_year::integer, e.total_pages, e.format::text, i.rating::integer, i.tags::text
    from public.library_items as i join public.works as w on w.id = i.work_id join public.editions as e on e.id = i.preferred_edition_id $$,
    $$ values (null::text, null::text, null::date, null::integer, null::integer, null::text, null::integer, '{good}') $$, 'without what does not fit'
);

select * from finish();
rollback;
