-- Open Library writes -1 and null for covers that are gone; the first real id counts.
begin;
select plan(5);

select is(
    (select r.cover_url from enrichment.read_record(
        'openlibrary', 'work', jsonb_build_object('key', '/works/OL1W', 'title', 'The Glass Orchard', 'covers', t.covers)
    ) as r),
    'https://covers.openlibrary.org/b/id/' || t.id || '-M.jpg', t.covers::text
)
from (
    values ('[-1, null, 77, 78]'::jsonb, 77), ('["77"]', 77), ('[-1, null]', null), ('[0, 1.5, "x"]', null), ('null', null)
) as t (covers, id);

select * from finish();
rollback;
