-- The less of a name agrees, the less it is worth; other people contradict.
begin;
select plan(5);

select is(enrichment.author_score(enrichment.parse_authors(array[t.ours]), enrichment.parse_authors(array[t.theirs])), t.score, t.ours || ' / ' || t.theirs)
from (
    values
    ('J. R. R. Tolkien', 'John Tolkien', 2), ('J.K. Rowling', 'Joanne Rowling', 2), ('Stephen King', 'Owen King', 1),
    ('Stephen King', 'Dean Koontz', 0), ('Suzanne Collins', 'Collins Hemingway', 0)
) as t (ours, theirs, score);

select * from finish();
rollback;
