-- Equal titles with different numbers in their series score 1, so that volume 2 never gets the cover of volume 1.
begin;
select plan(5);

select is(enrichment.title_score(enrichment.parse_title(t.ours), enrichment.parse_title(t.theirs)), t.score, t.ours || ' / ' || t.theirs)
from (
    values
    ('Saga (Saga, Vol. 1)', 'Saga (Saga, Vol. 2)', 1), ('Saga (Saga, Vol. 1)', 'Saga (Saga, #1)', 4), ('Saga (Saga, Vol. 1)', 'Saga', 4),
    ('I Am Number Four (Lorien Legacies, #1)', 'I Am Number Four', 4), ('Lamps (Harrow Lane, #2)', 'Lamps (Saltmarsh, #1)', 1)
) as t (ours, theirs, score);

select * from finish();
rollback;
