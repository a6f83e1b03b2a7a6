-- An ISBN in any writing is the same thirteen digits.
begin;
select plan(6);

select is(enrichment.isbn_key(t.isbn), t.key, t.isbn)
from (
    values
    ('9780439023481', '9780439023481'), ('978-0-439-02348-1', '9780439023481'), ('0439023483', '9780439023481'),
    ('ISBN 0-8044-2957-X', '9780804429573'), ('080442957x', '9780804429573'), ('9791032702284', '9791032702284')
) as t (isbn, key);

select * from finish();
rollback;
