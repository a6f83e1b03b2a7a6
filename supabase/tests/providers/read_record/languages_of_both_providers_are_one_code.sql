-- Open Library says /languages/ger, Google says de: one code each, or none.
begin;
select plan(7);

select is(
    (select r.language from enrichment.read_record('googlebooks', 'work', jsonb_build_object(
        'id', 'aBcD', 'volumeInfo', jsonb_build_object('title', 'The Glass Orchard', 'language', t.written)
    )) as r),
    t.code, t.written
)
from (values ('de', 'ger'), ('en-GB', 'eng'), ('eng', 'eng'), ('zh-Hant-TW', 'chi'), ('xx', null), ('English', null), ('', null)) as t (written, code);

select * from finish();
rollback;
