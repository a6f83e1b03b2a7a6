-- The same book number counts in either writing, the longer one a little more; nothing known scores 0.
begin;
select plan(6);

select is(enrichment.isbn_score(t.isbn13, t.isbn10, t.theirs), t.score, format('%s, %s', t.isbn13, t.isbn10))
from (
    values
    ('9780439023481', null, '{9780439023481}'::text[], 5), (null, '0439023483', '{9780439023481}', 4), (null, '439023483', '{9780439023481}', 4),
    ('9780439023498', '0439023483', '{9780439023481}', 4), ('9780439023498', null, '{9780439023481}', 0), (null, null, null, 0)
) as t (isbn13, isbn10, theirs, score);

select * from finish();
rollback;
