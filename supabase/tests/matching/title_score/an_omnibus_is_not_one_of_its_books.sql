-- A trilogy, a box set, "and other stories" on one side only is a veto; so is a list of titles against one of them.
begin;
select plan(10);

select is(enrichment.title_score(enrichment.parse_title(t.ours), enrichment.parse_title(t.theirs)), t.score, t.ours || ' / ' || t.theirs)
from (
    values
    ('Saltmarsh', 'Saltmarsh: The Complete Trilogy', 1), ('Saltmarsh Boxed Set (Saltmarsh, #1-3)', 'Saltmarsh', 1),
    ('Saltmarsh', 'Saltmarsh / The Weir / High Water', 1), ('Saltmarsh', 'Saltmarsh: And Other Stories', 1),
    ('Saltmarsh & The Weir', 'Saltmarsh', 1), ('Saltmarsh ; and', 'Saltmarsh', 1),
    ('Saltmarsh (Saltmarsh / The Weir / High Water)', 'Saltmarsh', 1), ('The Saltmarsh Trilogy', 'Saltmarsh Trilogy', 4),
    ('Salt Knights - The Deluxe Edition Book One', 'Salt Knights, Vol. 1', 1),
    ('Salt and its uses', 'Salt: And Its Uses', 4)
) as t (ours, theirs, score);

select * from finish();
rollback;
