-- A word in common is not a match.
begin;
select plan(4);

select is(enrichment.title_score(enrichment.parse_title(t.ours), enrichment.parse_title(t.theirs)), t.score, t.ours || ' / ' || t.theirs)
from (
    values ('Dune', 'Emma', 0), ('Dune', 'Dune Messiah', 1), ('The Road', 'The Road Not Taken', 1), ('Война и мир', '罪と罰', 0)
) as t (ours, theirs, score);

select * from finish();
rollback;
