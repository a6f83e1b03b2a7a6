-- A value that does not fit its column is left out; the rest of the book stays.
begin;
select plan(2);

create temp table read as
select r.*
from enrichment.read_record('openlibrary', 'edition', jsonb_build_object(
    'key', '/books/OL3M', 'title', 'The Glass Orchard', 'publishers', jsonb_build_array(repeat('x', 256)), 'physical_format', repeat('x', 65),
    'number_of_pages', 99999999999, 'description', repeat('x', 20001), 'isbn_13', '["9780439023481"]'::jsonb, 'publish_date', '2008'
)) as r;

select results_eq(
    $$ select publisher, format, total_pages, description, isbns, publish_date from read $$,
    $$ values (null::text, null::text, null::integer, null::text, '{9780439023481}'::text[], date '2008-01-01') $$, 'what fits is kept'
);
select is_empty(
    format($$ select * from enrichment.read_record('openlibrary', 'work', %L) $$, jsonb_build_object('key', '/works/OL1W', 'title', repeat('x', 513))),
    'a title that is no title is no book'
);

select * from finish();
rollback;
