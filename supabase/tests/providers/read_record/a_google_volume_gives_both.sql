-- A Google volume stands for itself as work and edition; its year is the edition's, so it claims no first year.
begin;
select plan(1);

prepare reading as
select r.work_key, r.title, r.subtitle, r.author_names, r.isbns, r.cover_url, r.description, r.first_publish_year, r.publisher, r.publish_date,
    r.language, r.total_pages
from enrichment.read_record('googlebooks', 'edition', '{"id": "aBcD", "volumeInfo": {
    "title": "The Glass Orchard", "subtitle": "A Novel", "authors": ["Mina Voss"], "publisher": "Lantern Press", "publishedDate": "2008-09",
    "description": "<p>Trees of <b>glass</b>.</p>", "pageCount": 374, "language": "en",
    "industryIdentifiers": [{"type": "ISBN_10", "identifier": "0439023483"}, {"type": "OTHER", "identifier": "UOM:3901"}],
    "imageLinks": {"thumbnail": "http://books.google.com/books/content?id=aBcD&edge=curl&zoom=1"}
}}') as r;

select results_eq(
    'reading',
    $$ values (
        'aBcD', 'The Glass Orchard', 'A Novel', '{Mina Voss}'::text[], '{9780439023481}'::text[],
        'https://books.google.com/books/content?id=aBcD&zoom=1', 'Trees of glass.', null::integer, 'Lantern Press', date '2008-09-01', 'eng', 374
    ) $$,
    'title, authors, the ISBN, an https cover, a description without markup'
);

select * from finish();
rollback;
