-- A record that describes no book is none, and raises nothing.
begin;
select plan(9);

select is_empty(format($$ select * from enrichment.read_record(%L, %L, %L) $$, t.provider, t.entity_type, t.raw), t.provider || ' ' || t.entity_type || ' ' || t.raw)
from (
    values
    ('openlibrary', 'work', '{"key": "/works/OL1W", "type": {"key": "/type/redirect"}, "location": "/works/OL2W"}'),
    ('openlibrary', 'edition', '{"key": "/books/OL1M", "type": {"key": "/type/delete"}}'),
    ('openlibrary', 'work', '{"key": "/authors/OL2A", "title": "Dr", "name": "Mina Voss"}'),
    ('openlibrary', 'isbn_lookup', '{"docs": []}'), ('openlibrary', 'title_lookup', '{"no_match": true}'),
    ('openlibrary', 'work', '{"key": "/works/OL1W", "title": "  "}'), ('googlebooks', 'isbn_lookup', '{"kind": "books#volumes", "totalItems": 0}'),
    ('openlibrary', 'author', '{"key": "/works/OL1W", "title": "The Glass Orchard"}'), ('amazon', 'work', '{"key": "/works/OL1W", "title": "The Glass Orchard"}')
) as t (provider, entity_type, raw);

select * from finish();
rollback;
