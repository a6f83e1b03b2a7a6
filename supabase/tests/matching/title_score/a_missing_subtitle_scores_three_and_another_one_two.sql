-- One side often lacks the subtitle; two different subtitles are two different books until something else says otherwise.
begin;
select plan(12);

select is(enrichment.title_score(enrichment.parse_title(t.ours), enrichment.parse_title(t.theirs)), t.score, t.ours || ' / ' || t.theirs)
from (
    values
    ('Sapiens', 'Sapiens: A Brief History of Humankind', 3), ('Sapiens: A Brief History of Humankind', 'Sapiens', 3),
    ('Saltmarsh', 'Saltmarsh, Or, The Tide Comes In', 3),
    ('Sapiens: A Graphic History', 'Sapiens: A Brief History of Humankind', 2),
    ('The Curious Incident of the Dog', 'The Curious Incident of the Dog Tonight', 2),
    ('Saltmarsh', 'Saltmarsh or the Tide Comes In', 3), ('Sink', 'Sink or Swim', 1),
    ('Who Keeps Time?', 'Who Keeps Time? Clocks and Their Makers', 3), ('Bread!', 'Bread! Loaves of Six Countries', 3),
    ('Saltmarsh', 'Saltmarsh. A Winter''s Diary', 3), ('Mrs. Penhallow', 'Mrs.', 1),
    ('Saltmarsh. A Winter''s Diary', 'Saltmarsh. The Second Summer', 2)
) as t (ours, theirs, score);

select * from finish();
rollback;
