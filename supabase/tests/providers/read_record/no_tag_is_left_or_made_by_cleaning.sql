-- Taking out one tag, or a control character, must not put another together; and one without an end is none.
begin;
select plan(8);

select is(enrichment.clean_text(t.dirty), t.clean, t.dirty)
from (
    values
    ('<<b>script>alert(1)<</b>/script>', 'script>alert(1)/script>'), (E'<\x01script>alert(1)', 'alert(1)'),
    ('Trees <img src=x onerror=y', 'Trees img src=x onerror=y'), ('a<script>x</script>b<script>y</script >c', 'abc'),
    ('<?php evil() ?>Trees', 'Trees'), ('3 < 5 and 7 > 6, I <3 it', '3 < 5 and 7 > 6, I <3 it'),
    (U&'Tr\0085ees', 'Trees'), ('<scr<script>ipt>Trees', 'ipt>Trees')
) as t (dirty, clean);

select * from finish();
rollback;
