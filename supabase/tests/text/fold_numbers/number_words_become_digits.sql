-- Units, tens, hundreds, thousands and years are read as one number; ordinals keep their ending.
begin;
select plan(8);

select is(enrichment.fold_numbers(t.folded), t.numbers, t.folded)
from (
    values
    ('one hundred years', '100 years'), ('twenty thousand leagues', '20000 leagues'), ('nineteen eighty four', '1984'),
    ('nineteen hundred and five', '1905'), ('seven', '7'), ('the third man', 'the 3rd man'), ('one two three', '1 2 3'),
    ('thousand thousand thousand', '1000000 thousand')
) as t (folded, numbers);

select * from finish();
rollback;
