-- One field may name several people; whoever translated, illustrated or read the book aloud is left out.
begin;
select plan(12);

select is((enrichment.parse_authors(array[t.written])).names, t.people::text[], t.written)
from (
    values
    ('Ada Lorne and Tom Birk', '{ada lorne,tom birk}'), ('Ada Lorne; Tom Birk & Eve Sand', '{ada lorne,tom birk,eve sand}'),
    ('Ada Lorne, Tom Birk, Eve Sand', '{ada lorne,tom birk,eve sand}'), ('Ada Lorne, Tom Birk', '{ada lorne,tom birk}'),
    ('Lorne, Ada; Birk, Tom', '{ada lorne,tom birk}'), ('edited by Ada Lorne', '{ada lorne}'),
    ('Ada Lorne ; illustrated by Tom Birk', '{ada lorne}'), ('Ada Lorne, Tom Birk (Translator)', '{ada lorne}'),
    ('Tom Birk (Translator)', null), ('Ada Lorne ... [and others] (eds.)', '{ada lorne}'), ('Le Marr, Ursa K.', '{ursa k le marr}'),
    ('Lorne, A. B.', '{a b lorne}')
) as t (written, people);

select * from finish();
rollback;
