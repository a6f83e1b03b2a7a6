-- Case, accents, articles, "&", signs and a series suffix make no difference.
begin;
select plan(6);

select is(enrichment.title_score(enrichment.parse_title(t.ours), enrichment.parse_title(t.theirs)), 4, t.ours)
from (
    values
    ('The Hunger Games', 'the hunger games'), ('The Hunger Games (The Hunger Games, #1)', 'Hunger Games'),
    ('Les Misérables', 'Les Miserables'), ('Pride & Prejudice', 'Pride and Prejudice'), ('Catch-22', 'Catch 22'),
    ('Война и мир', 'ВОЙНА И МИР')
) as t (ours, theirs);

select * from finish();
rollback;
