-- A Roman numeral is one behind a word; I, V and X alone only behind volume, book or part.
begin;
select plan(7);

select is(enrichment.fold_numbers(t.folded), t.numbers, t.folded)
from (
    values
    ('henry iv part i', 'henry 4 part 1'), ('malcolm x', 'malcolm x'), ('i robot', 'i robot'), ('ii', 'ii'), ('vi', 'vi'),
    ('book v', 'book 5'), ('louis xiv', 'louis 14')
) as t (folded, numbers);

select * from finish();
rollback;
