-- Search shows a work with one edition of it, which may be a translation: the book is found under either title.
begin;
select plan(2);

create temp table read as
select r.*
from enrichment.read_record('openlibrary', 'isbn_lookup', '{"docs": [{
    "key": "/works/OL1W", "title": "Der gläserne Garten", "author_name": ["Mina Voss"], "author_key": ["OL2A"], "cover_i": 77, "first_publish_year": 1987,
    "editions": {"docs": [{"key": "/books/OL3M", "title": "The Glass Orchard", "isbn": ["9780439023481"], "publisher": ["Lantern Press"],
        "publish_date": ["2008"], "language": ["eng"], "cover_i": 88}]}
}]}') as r;

select set_eq($$ select title from read $$, array['Der gläserne Garten', 'The Glass Orchard'], 'the work''s title and the edition''s');
select results_eq(
    $$ select distinct work_key, author_names, isbns, cover_url, first_publish_year, publisher, publish_date, language from read $$,
    $$ values (
        '/works/OL1W', '{Mina Voss}'::text[], '{9780439023481}'::text[], 'https://covers.openlibrary.org/b/id/88-M.jpg', 1987, 'Lantern Press',
        date '2008-01-01', 'eng'
    ) $$,
    'all else is the same, with the cover of the edition'
);

select * from finish();
rollback;
