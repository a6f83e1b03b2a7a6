-- Where nothing is left of a title there is nothing to compare, so not even two such titles are alike.
begin;
select plan(4);

select is(enrichment.title_score(enrichment.parse_title(t.ours), enrichment.parse_title(t.theirs)), 0, t.ours || ' / ' || t.theirs)
from (values ('???', '???'), ('!!!', '???'), ('???', 'It'), ('', '')) as t (ours, theirs);

select * from finish();
rollback;
