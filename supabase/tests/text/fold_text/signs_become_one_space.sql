-- Punctuation separates words and is otherwise nothing; an apostrophe does not even separate.
begin;
select plan(7);

select is(enrichment.fold_text(t.written), t.folded, coalesce(t.written, 'null'))
from (
    values
    ('Catch-22', 'catch 22'), ('  Hello,   World!  ', 'hello world'), ('Ender''s Game', 'enders game'), ('Ender’s Game', 'enders game'),
    ('???', ''), ('', ''), (null, null)
) as t (written, folded);

select * from finish();
rollback;
