-- Wrong check digits, wrong lengths and words are not taken for an ISBN.
begin;
select plan(9);

select is(enrichment.isbn_key(t.isbn), null, coalesce(t.isbn, 'null'))
from (
    values
    ('9780439023482'), ('0439023484'), ('9770439023481'), ('97804390234811'), ('123'), (''), ('unknown'), ('XXXXXXXXXX'), (null)
) as t (isbn);

select * from finish();
rollback;
