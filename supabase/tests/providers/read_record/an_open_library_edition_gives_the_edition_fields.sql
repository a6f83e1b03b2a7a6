-- An edition as /books/OL…M.json gives it names its work, its ISBNs as keys, and all that our edition has a column for.
begin;
select plan(1);

prepare reading as
select r.work_key, r.edition_key, r.isbns, r.publisher, r.publish_date, r.language, r.format, r.total_pages
from enrichment.read_record('openlibrary', 'edition', '{
    "key": "/books/OL3M", "works": [{"key": "/works/OL1W"}], "title": "The Glass Orchard", "isbn_10": ["0439023483"], "isbn_13": ["9780439023481"],
    "publishers": ["Lantern Press", "Another"], "publish_date": "September 14, 2008", "languages": [{"key": "/languages/eng"}],
    "physical_format": "Hardcover", "number_of_pages": 374
}') as r;

select results_eq(
    'reading',
    $$ values (
        '/works/OL1W', '/books/OL3M', '{9780439023481}'::text[], 'Lantern Press', date '2008-09-14', 'eng', 'hardcover', 374
    ) $$,
    'the first publisher, and one key for both ISBNs'
);

select * from finish();
rollback;
