-- Markup goes, and of a script or a style sheet also the inside; what only looks like a tag stays.
begin;
select plan(5);

select is(enrichment.clean_text(t.written, 2000), t.cleaned, t.written)
from (
    values
    ('a<SCRIPT type="x">x<b>y</ScRipt >b<style>z</style>c', 'abc'), ('a<script>b', 'ab'), ('</script>a', 'a'),
    ('<scr<script>x</script>ipt>alert(1)</script>', 'alert(1)'), ('a < b > c <b>d</b>', 'a < b > c d')
) as t (written, cleaned);

select * from finish();
rollback;
