-- A number is the same number however it is written.
begin;
select plan(5);

select is(enrichment.title_score(enrichment.parse_title(t.ours), enrichment.parse_title(t.theirs)), t.score, t.ours || ' / ' || t.theirs)
from (
    values
    ('Nineteen Eighty', '1980', 4), ('Ten Thousand Lanterns', '10,000 Lanterns', 4), ('King Aldous IV', 'King Aldous 4', 4),
    ('The Second Harvest', 'The 2nd Harvest', 4), ('Ninety-Nine Stairs', '99 stairs', 4)
) as t (ours, theirs, score);

select * from finish();
rollback;
