-- Open Library names authors in four ways; keys and names are both kept, whichever there are.
begin;
select plan(4);

select results_eq(
    format($$ select r.author_names, r.author_ids from enrichment.read_record('openlibrary', 'work', %L) as r $$,
        jsonb_build_object('key', '/works/OL1W', 'title', 'The Glass Orchard', 'authors', t.authors)),
    format($$ values (%L::text[], %L::text[]) $$, t.names, t.ids), t.authors::text
)
from (
    values
    ('[{"author": {"key": "/authors/OL2A"}}]'::jsonb, null::text, '{/authors/OL2A}'), ('[{"key": "/authors/OL2A"}]', null, '{/authors/OL2A}'),
    ('[{"name": "Mina Voss"}]', '{Mina Voss}', null), ('[{"name": "Mina Voss", "key": "/authors/OL2A"}, null, 5]', '{Mina Voss}', '{/authors/OL2A}')
) as t (authors, names, ids);

select * from finish();
rollback;
