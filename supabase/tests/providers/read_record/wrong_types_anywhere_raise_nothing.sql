-- Any value may stand anywhere in a reply: each key of a good record in turn takes each wrong value, and reading goes on.
begin;
select plan(3);

create temp table good as
select *
from (
    values
    ('openlibrary', 'isbn_lookup', '{"key": "/books/OL3M", "title": "T", "subtitle": "S", "works": [{"key": "/works/OL1W"}], "authors": [{"key": "/authors/OL2A"}],
        "isbn_13": ["9780439023481"], "covers": [1], "description": "D", "publishers": ["P"], "publish_date": "2008", "languages": [{"key": "/languages/eng"}],
        "physical_format": "Hardcover", "number_of_pages": 1}'::jsonb),
    ('openlibrary', 'title_lookup', '{"key": "/works/OL1W", "title": "T", "author_name": ["A"], "author_key": ["OL2A"], "cover_i": 1, "first_publish_year": 1,
        "description": "D", "editions": {"docs": [{"key": "/books/OL3M", "title": "T", "isbn": ["9780439023481"]}]}}'),
    ('googlebooks', 'isbn_lookup', '{"title": "T", "subtitle": "S", "authors": ["A"], "publisher": "P", "publishedDate": "2008", "description": "D",
        "industryIdentifiers": [{"identifier": "9780439023481"}], "pageCount": 1, "language": "en", "imageLinks": {"thumbnail": "http://books.google.com/x"}}')
) as g (provider, entity_type, book);

create temp table broken as
select g.provider, g.entity_type, jsonb_build_object('docs', changed, 'edition', changed, 'items', jsonb_build_array(jsonb_build_object('id', 'x', 'volumeInfo', changed))) as raw
from good as g
cross join lateral jsonb_object_keys(g.book) as name
cross join jsonb_array_elements('[null, true, -1, 1e300, "", "x", "/works/x", [], [null], [[1]], [{"key": {}}], {}, {"key": 1}, {"value": []}, {"docs": 1}]') as wrong
cross join lateral jsonb_set(g.book, array[name], wrong) as changed;

prepare reading as
select count(enrichment.parse_title(r.title, r.subtitle)) + count(enrichment.parse_authors(r.author_names))
from broken as b cross join lateral enrichment.read_record(b.provider, b.entity_type, b.raw) as r;

select cmp_ok((select count(*) from broken), '>', 400::bigint, 'hundreds of broken replies');
select lives_ok('reading', 'each is read');
select lives_ok(
    $$ select count(*)
    from jsonb_array_elements('[null, 1, "x", [], [1], {"docs": 1}, {"docs": [[]]}, {"edition": []}, {"items": [null, {"id": 5}]}]') as raw
    cross join unnest('{openlibrary,googlebooks}'::text[]) as p cross join unnest('{work,edition,isbn_lookup,title_lookup}'::text[]) as e
    cross join lateral enrichment.read_record(p, e, raw) $$,
    'also what is no record at all'
);

select * from finish();
rollback;
