-- Full-width letters of East Asian keyboards, typographic ligatures and quotation marks fold to what they mean.
begin;
select plan(6);

select is(enrichment.fold_text(t.written), t.folded, t.written)
from (
    values
    ('ＴＨＥ　ＷＥＩＲ', 'the weir'), ('ﬁreﬂies', 'fireflies'), ('Ada´s Weir', 'adas weir'), ('Þorn', 'thorn'), ('№ 5', 'no 5'),
    ('B++ Code', 'b plus plus code')
) as t (written, folded);

select * from finish();
rollback;
