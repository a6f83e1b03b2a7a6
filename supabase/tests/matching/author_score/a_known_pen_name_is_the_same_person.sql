-- Pen names anyone can look up count as their author; an unknown one is another person.
begin;
select plan(6);

select is(enrichment.author_score(enrichment.parse_authors(array[t.ours]), enrichment.parse_authors(array[t.theirs])), t.score, t.ours || ' / ' || t.theirs)
from (
    values
    ('Richard Bachman', 'Stephen King', 2), ('Mary Westmacott', 'Christie, Agatha', 2), ('Robert Galbraith', 'J. K. Rowling', 2),
    ('Richard Bachman', 'Tom Birk', 0),
    ('M.C. Beaton', 'Marion Chesney', 2), ('Lao Tzu', 'Laozi', 2)
) as t (ours, theirs, score);

select * from finish();
rollback;
