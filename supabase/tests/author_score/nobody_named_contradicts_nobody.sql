-- A missing author is null, not 0: it proves nothing either way.
begin;
select plan(3);

select is(enrichment.author_score(enrichment.parse_authors(t.ours), enrichment.parse_authors(t.theirs)), null, t.ours::text)
from (values (null::text[], '{Neil Gaiman}'::text[]), ('{Neil Gaiman}', '{}'), ('{}', '{???}')) as t (ours, theirs);

select * from finish();
rollback;
