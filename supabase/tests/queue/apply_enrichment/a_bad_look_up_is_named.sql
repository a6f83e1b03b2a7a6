-- Each thing that can be wrong with a look-up has its own sentence, and none of them is stored.
begin;
select plan(9);

select tests.switch_on();
select tests.enqueue(tests.create_book()) as row \gset
create temp table claims as select c as claim from tests.claim_one() as c;

select is(
    (select o.message from claims as c, public.apply_enrichment(tests.answer(c.claim, jsonb_build_array(t.lookup))) as o), 'look-up 0: ' || t.message, t.message
)
from (
    values
    ('5'::jsonb, 'unknown provider'), ('{"provider": "openlibrary", "kind": "author", "key": "x", "no_match": true}', 'kind is neither isbn nor title'),
    ('{"provider": "openlibrary", "kind": "isbn", "no_match": true}', 'key has not 1 to 255 characters'),
    (jsonb_build_object('provider', 'openlibrary', 'kind', 'isbn', 'key', repeat('1', 256), 'no_match', true), 'key has not 1 to 255 characters'),
    ('{"provider": "openlibrary", "kind": "isbn", "key": "1"}', 'neither raw (an object) nor no_match'),
    ('{"provider": "openlibrary", "kind": "isbn", "key": "1", "raw": []}', 'neither raw (an object) nor no_match'),
    ('{"provider": "openlibrary", "kind": "isbn", "key": "1", "no_match": false}', 'neither raw (an object) nor no_match'),
    (jsonb_build_object('provider', 'openlibrary', 'kind', 'isbn', 'key', '1', 'raw', jsonb_build_object('docs', repeat('x', 1000000))), 'raw is longer than 1,000,000 characters')
) as t (lookup, message);
select is_empty('select * from public.source_records', 'nothing is stored');

select * from finish();
rollback;
