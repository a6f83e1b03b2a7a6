-- A missing author is null, not 0: it proves nothing either way, and neither does Anonymous.
begin;
select plan(5);

select is(enrichment.author_score(enrichment.parse_authors(t.ours), enrichment.parse_authors(t.theirs)), null, t.ours::text)
from (values (null::text[], '{Neil Gaiman}'::text[]), ('{Neil Gaiman}', '{}'), ('{}', '{???}'), ('{Anonymous}', '{Neil Gaiman}')) as t (ours, theirs);

select is(enrichment.author_score(enrichment.parse_authors('{Anonymous}'), enrichment.parse_authors('{Anonymous}')), 3, 'both say so');

select * from finish();
rollback;
