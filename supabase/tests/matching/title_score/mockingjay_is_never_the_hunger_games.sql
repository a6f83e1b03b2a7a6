-- A sibling that names the series in brackets is not the series' first book: never Medium, whatever the author.
begin;
select plan(6);

create temp table siblings as
select
    t.ours, t.theirs, enrichment.title_score(enrichment.parse_title(t.ours), enrichment.parse_title(t.theirs)) as score
from (
    values
    ('Mockingjay (The Hunger Games, #3)', 'The Hunger Games'), ('The Hunger Games', 'Mockingjay (The Hunger Games, #3)'),
    ('The Hunger Games (The Hunger Games, #1)', 'Mockingjay (The Hunger Games, #3)')
) as t (ours, theirs);

select cmp_ok(s.score, '<', 2, s.ours || ' is not ' || s.theirs) from siblings as s;
select cmp_ok(enrichment.confidence_of(s.score, 3, 0), '<', 'low'::enrichment.confidence, 'not even with the same author') from siblings as s;

select * from finish();
rollback;
