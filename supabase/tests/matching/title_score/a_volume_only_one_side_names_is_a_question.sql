-- Where only one side says which volume it is, or bears its series name without being the first, a person is asked; but the whole of a series is what bears its name.
begin;
select plan(14);

select is(enrichment.title_score(enrichment.parse_title(t.ours), enrichment.parse_title(t.theirs)), t.score, t.ours || ' / ' || t.theirs)
from (
    values
    ('Harrow Lane, Vol. 2', 'Harrow Lane', 2), ('Harrow Lane', 'Harrow Lane: Night Shift, Vol. 2', 2),
    ('Harrow Lane (Harrow Lane, #2)', 'Harrow Lane', 2), ('Harrow Lane (Harrow Lane, #1)', 'Harrow Lane', 4),
    ('Harrow Lane: #1-3', 'Harrow Lane', 2), ('Night Shift (Harrow Lane, #2, Part 1)', 'Night Shift', 2),
    ('Harrow Lane (Harrow Lane, #1-3)', 'Harrow Lane', 4),
    ('Harrow Lane, Vol. 2', 'Harrow Lane 2', 3), ('Harrow Lane 3', 'Harrow Lane, Vol. 3 (Harrow Lane, #3)', 3),
    ('Harrow Lane, Vol. 2', 'Harrow Lane 3', 1), ('Harrow Lane, Vol. 2: Night Shift', 'Harrow Lane, Vol. 2', 3),
    ('Harrow Lane, Vol. 2', 'Harrow Lane, Vol. 2: Night Shift (Harrow Lane, #2)', 3),
    ('Harrow Lane, Vol. 2: Night Shift', 'Harrow Lane, Vol. 3', 0), ('Harrow Lane, Vol. 2', 'Harrow Lane, Vol. 20: Day Shift', 0)
) as t (ours, theirs, score);

select * from finish();
rollback;
