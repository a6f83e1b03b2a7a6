-- Amazon's own ids are not ISBNs, also where their digits happen to prove themselves.
begin;
select plan(4);

select is(enrichment.isbn_key(t.asin), null, t.asin)
from (values ('B002MQYOFW'), ('B00X1FDE4C'), ('B041000005'), ('B041000013')) as t (asin);

select * from finish();
rollback;
