-- A volume, a part, a range against one number: other numbers are other books.
begin;
select plan(7);

select is(enrichment.title_score(enrichment.parse_title(t.ours), enrichment.parse_title(t.theirs)), t.score, t.ours || ' / ' || t.theirs)
from (
    values
    ('Harrow Lane, Vol. 2', 'Harrow Lane, Vol. 3', 1), ('Harrow Lane: Part One', 'Harrow Lane, Part II', 1),
    ('Harrow Lane (Harrow Lane, #1-3)', 'Harrow Lane (Harrow Lane, #1)', 1),
    ('The Lamp (Night School, #2)', 'The Lamp (Harrow Lane, #2)', 1), ('Harrow Lane, Vol. 2', 'Harrow Lane (Harrow Lane #2)', 4),
    ('Harrow Lane, Vol. 02', 'Harrow Lane, Vol. 2', 4), ('Duke Otto II', 'Duke Otto III', 1)
) as t (ours, theirs, score);

select * from finish();
rollback;
