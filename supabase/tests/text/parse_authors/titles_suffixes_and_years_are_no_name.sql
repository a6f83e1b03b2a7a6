-- Jr., III, Ph.D., Dr. and the years of a librarys heading make no other person.
begin;
select plan(8);

select is((enrichment.parse_authors(array[t.written])).names, t.people::text[], t.written)
from (
    values
    ('Lee Amos Ward, Jr.', '{lee amos ward}'), ('Ward, Lee Amos, Jr.', '{lee amos ward}'), ('Lee Amos Ward III', '{lee amos ward}'),
    ('Dr. Ada Lorne', '{ada lorne}'), ('Ada Lorne, Ph.D.', '{ada lorne}'), ('Ada Lorne M.D.', '{ada lorne}'),
    ('Lorne, Ada, 1931-1999', '{ada lorne}'), ('The Bureau of Weirs', '{bureau of weirs}')
) as t (written, people);

select * from finish();
rollback;
