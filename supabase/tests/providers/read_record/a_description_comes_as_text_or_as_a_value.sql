-- Open Library writes a description as a string or as {type, value}; any other shape is no description.
begin;
select plan(4);

select is(
    (select r.description from enrichment.read_record(
        'openlibrary', 'work', jsonb_build_object('key', '/works/OL1W', 'title', 'The Glass Orchard', 'description', t.written)
    ) as r),
    t.description, t.written::text
)
from (
    values
    ('"Trees of glass."'::jsonb, 'Trees of glass.'), ('{"type": "/type/text", "value": "Trees of glass."}', 'Trees of glass.'),
    ('{"value": 5}', null), ('["Trees"]', null)
) as t (written, description);

select * from finish();
rollback;
