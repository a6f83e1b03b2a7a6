-- Suffixes, order, spaces, initials, nicknames, spelling from another alphabet and the first of two last names: still one person.
begin;
select plan(10);

select is(enrichment.author_score(enrichment.parse_authors(array[t.ours]), enrichment.parse_authors(array[t.theirs])), t.score, t.ours || ' / ' || t.theirs)
from (
    values
    ('Lee Amos Ward, Jr.', 'Lee Amos Ward', 3), ('LORNE ADA', 'Ada Lorne', 3), ('J. R. Birk', 'JR Birk', 3),
    ('Ursa LeMarr', 'Ursa Le Marr', 3), ('Robert Birk', 'Bob Birk', 2), ('Ada Maria Lorne', 'Ada Lorne', 2),
    ('Fyodor Dostoyevsky', 'Фёдор Достоевский', 2), ('Miguel Torres Salda', 'Miguel Torres', 2), ('Zenobius', 'Zenobius of Corinth', 2),
    ('Ada Lorne', 'Tom Birk', 0)
) as t (ours, theirs, score);

select * from finish();
rollback;
