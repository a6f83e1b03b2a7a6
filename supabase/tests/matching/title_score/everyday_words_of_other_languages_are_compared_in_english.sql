-- Open Library names a work in the language it was written in; simple titles are recognised all the same.
begin;
select plan(6);

select is(enrichment.title_score(enrichment.parse_title(t.ours), enrichment.parse_title(t.theirs)), t.score, t.ours || ' / ' || t.theirs)
from (
    values
    ('War and Love', 'La guerre et l''amour', 3), ('The City of the Shadow', 'La ciudad de la sombra', 3),
    ('Death in the Forest', 'Der Tod im Wald', 3), ('The Island of the Moon', 'Lisola della luna', 1),
    ('Night and Fire', 'Nacht und Feuer', 3), ('War and Love', 'Le chat noir', 0)
) as t (ours, theirs, score);

select * from finish();
rollback;
