-- Equal titles with different numbers in their series score 1, so that volume 2 never gets the cover of volume 1.
begin;
select plan(3);

select is(enrichment.title_score(enrichment.parse_title(t.ours), enrichment.parse_title(t.theirs)), t.score, t.ours || ' / ' || t.theirs)
from (
    values
    ('Saga (Saga, Vol. 1)', 'Saga (Saga, Vol. 2)', 1), ('Saga (Saga, Vol. 1)', 'Saga (Saga, #1)', 4), ('Saga (Saga, Vol. 1)', 'Saga', 4)
) as t (ours, theirs, score);

select * from finish();
rollback;
