-- A key or a name that is no short text is left out; a book without a key is none.
begin;
select plan(5);

select is_empty(
    $$ select * from enrichment.read_record('googlebooks', 'work', jsonb_build_object('id', repeat('a', 65), 'volumeInfo', '{"title": "A"}'::jsonb)) $$,
    'a volume id of 65 characters'
);
select is_empty(
    $$ select * from enrichment.read_record('openlibrary', 'work', jsonb_build_object('key', '/works/' || repeat('1', 58), 'title', 'A')) $$,
    'a work key of 65 characters'
);

prepare reading as
select r.author_names, r.author_ids, r.publisher
from enrichment.read_record('openlibrary', 'edition', jsonb_build_object(
    'key', '/books/OL1M', 'title', 'The Glass Orchard', 'publishers', E'Lantern\n\tPress',
    'authors', jsonb_build_array(
        '{"name": "<i>Mina</i> Voss", "key": "/authors/OL1A"}'::jsonb, jsonb_build_object('name', repeat('M', 256), 'key', repeat('k', 65)), '{"name": 7}'::jsonb
    )
)) as r;
select results_eq(
    'reading', $$ values ('{Mina Voss}'::text[], '{/authors/OL1A}'::text[], 'Lantern Press') $$,
    'names without markup, at most 255 characters; keys at most 64; one line'
);
select is(
    (select cardinality(r.author_names) from enrichment.read_record('openlibrary', 'work', jsonb_build_object(
        'key', '/works/OL1W', 'title', 'A', 'authors', (select jsonb_agg(jsonb_build_object('name', 'Author ' || n)) from generate_series(1, 10000) as n)
    )) as r),
    200, 'the first 200 of 10,000 authors'
);
select is(
    (select r.isbns from enrichment.read_record('openlibrary', 'edition', jsonb_build_object(
        'key', '/books/OL1M', 'title', 'A', 'isbn_13', (select jsonb_agg('9780439023481' || repeat(' ', n)) from generate_series(1, 10000) as n)
    )) as r),
    '{9780439023481}', 'the first 200 of 10,000 ISBNs'
);

select * from finish();
rollback;
