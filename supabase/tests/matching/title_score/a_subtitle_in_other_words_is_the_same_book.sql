-- Three quarters of the shorter title under the same main title are enough, unless a number differs.
begin;
select plan(3);

select is(enrichment.title_score(enrichment.parse_title(t.ours), enrichment.parse_title(t.theirs)), t.score, t.ours || ' / ' || t.theirs)
from (
    values
    ('Tin Cups: A Short History of Drinking Water in Cities', 'Tin Cups: The History of Drinking Water in Great Cities', 3),
    ('Tin Cups: 4th Symposium on Drinking Water in Cities', 'Tin Cups: 5th Symposium on Drinking Water in Cities', 1),
    ('Tin Cups: A Memoir of Thirst', 'Tin Cups: How Glass Is Made', 2)
) as t (ours, theirs, score);

select * from finish();
rollback;
