-- The same telling words are the same title: prepositions, order, hyphens and British spelling are not told apart.
begin;
select plan(7);

select is(enrichment.title_score(enrichment.parse_title(t.ours), enrichment.parse_title(t.theirs)), t.score, t.ours || ' / ' || t.theirs)
from (
    values
    ('Two Letters of Advice', 'Two Letters on Advice', 3), ('Salt and Bread and Wine', 'Bread and Salt and Wine', 3),
    ('Prince of Salt', 'Princess of Salt', 1), ('Fire Weed', 'Fireweed', 3), ('The Grey Harbour', 'The Gray Harbor', 3),
    ('Iron Moon', 'Iron Moon, Iron Sea', 1),
    ('Rumours of a Neighbourhood', 'Rumors of a Neighborhood', 3)
) as t (ours, theirs, score);

select * from finish();
rollback;
