-- A description is what anybody wrote at the provider. Tags that never end once took minutes to read, and the sweep waited for them.
begin;
select plan(4);
set local statement_timeout = '5s';

select is(enrichment.clean_text(repeat(t.tag, 100000 / length(t.tag))), t.left_over, t.tag)
from (
    values ('<script>', null), ('<script></style', '/style'),
    ('<a ', rtrim(repeat('a ', 33333))), ('</script><script>', null)
) as t (tag, left_over);

select * from finish();
rollback;
