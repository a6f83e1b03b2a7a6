-- Co-authors come in any order and often incomplete: one name that is equal scores 3.
begin;
select plan(4);

select is(enrichment.author_score(enrichment.parse_authors(t.ours), enrichment.parse_authors(t.theirs)), 3, t.ours::text)
from (
    values
    ('{Terry Pratchett,Neil Gaiman}'::text[], '{Neil Gaiman,Terry Pratchett}'::text[]), ('{Neil Gaiman}', '{Terry Pratchett,"Gaiman, Neil"}'),
    ('{Karel Capek}', '{"Čapek, Karel"}'), ('{村上春樹}', '{村上春樹}')
) as t (ours, theirs);

select * from finish();
rollback;
