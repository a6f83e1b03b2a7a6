-- A key becomes the address a person can open; a provider without pages has none.
begin;
select plan(3);

select is(enrichment.source_url('openlibrary', '/works/OL1W'), 'https://openlibrary.org/works/OL1W', 'Open Library');
select is(enrichment.source_url('googlebooks', 'aBcD'), 'https://books.google.com/books?id=aBcD', 'Google Books');
select is(enrichment.source_url('toybooks', 't1'), null, 'somebody else');

select * from finish();
rollback;
