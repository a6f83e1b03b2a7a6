-- Leading zeros of an ISBN-10 come back, but only where the check digit proves that they were there.
begin;
select plan(4);

select is(enrichment.isbn_key(t.isbn), t.key, t.isbn)
from (
    values ('439023483', '9780439023481'), ('61120081', '9780061120084'), ('439023484', null), ('1120084', null)
) as t (isbn, key);

select * from finish();
rollback;
