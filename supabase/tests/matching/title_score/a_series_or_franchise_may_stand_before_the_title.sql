-- The series name, or the franchise before a colon, may be missing on one side; the franchise alone is not the book.
begin;
select plan(10);

select is(enrichment.title_score(enrichment.parse_title(t.ours), enrichment.parse_title(t.theirs)), t.score, t.ours || ' / ' || t.theirs)
from (
    values
    ('Harrow Lane, Vol. 8: The Locksmith', 'The Locksmith', 4), ('Harrow Lane: The Locksmith', 'The Locksmith (Harrow Lane, #8)', 3),
    ('Harrow Lane #8: The Locksmith', 'The Locksmith', 4), ('Captain Orion: The Drowned Comet', 'The Drowned Comet', 3),
    ('The Drowned Comet (Captain Orion: New Voyages, #2)', 'New Voyages: The Drowned Comet', 3),
    ('Harrow Lane (Harrow Lane, #1)', 'Harrow Lane: The Locksmith', 2), ('Captain Orion: Selected Stories', 'Selected Stories', 1),
    ('Orion (Captain Sky)', 'Captain Sky: Orion', 3), ('Orion Wars - Episode I: The Drowned Comet', 'The Drowned Comet', 3), ('Le avventure di Zefirino', 'Zefirino', 3)
) as t (ours, theirs, score);

select * from finish();
rollback;
