-- A work as /works/OL…W.json gives it says what the book is, and nothing of any edition.
begin;
select plan(1);

prepare reading as
select r.work_key, r.edition_key, r.title, r.author_ids, r.isbns, r.cover_url, r.description, r.first_publish_year, r.publisher
from enrichment.read_record('openlibrary', 'work', '{
    "key": "/works/OL1W", "title": "The Glass Orchard", "description": "Trees of glass.", "covers": [77], "first_publish_date": "May 1, 1987",
    "authors": [{"type": {"key": "/type/author_role"}, "author": {"key": "/authors/OL2A"}}]
}') as r;

select results_eq(
    'reading',
    $$ values (
        '/works/OL1W', null::text, 'The Glass Orchard', '{/authors/OL2A}'::text[], null::text[], 'https://covers.openlibrary.org/b/id/77-M.jpg',
        'Trees of glass.', 1987, null::text
    ) $$,
    'title, author key, cover, description, year'
);

select * from finish();
rollback;
