-- "Collins, Suzanne" and "Suzanne Collins" are one author; more commas than one are left alone.
begin;
select plan(4);

select is((enrichment.parse_authors(array[t.written])).names, array[t.folded], t.written)
from (
    values ('Collins, Suzanne', 'suzanne collins'), ('Suzanne  Collins', 'suzanne collins'), ('Čapek, Karel', 'karel capek')
) as t (written, folded);
select is((enrichment.parse_authors('{"Collins, Suzanne", "SUZANNE COLLINS"}')).names, '{suzanne collins}', 'both are counted once');

select * from finish();
rollback;
