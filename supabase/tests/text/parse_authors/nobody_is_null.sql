-- Where no author is known there is nothing to compare, and so nothing to contradict.
begin;
select plan(4);

select is(enrichment.parse_authors(t.names), '(,,,,,)'::enrichment.author_parts, coalesce(t.names::text, 'null'))
from (values (null::text[]), ('{}'), ('{"", "???"}'), ('{null}')) as t (names);

select * from finish();
rollback;
