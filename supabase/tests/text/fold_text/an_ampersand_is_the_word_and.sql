-- "&" and "and" are the same word, spaced or not.
begin;
select plan(3);

select is(enrichment.fold_text(t.written), t.folded, t.written)
from (
    values ('Pride & Prejudice', 'pride and prejudice'), ('Pride and Prejudice', 'pride and prejudice'), ('R&B', 'r and b')
) as t (written, folded);

select * from finish();
rollback;
