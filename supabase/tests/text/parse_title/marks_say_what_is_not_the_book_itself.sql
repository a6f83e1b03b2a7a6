-- The words that make a title a derivative work or an omnibus are kept, to be shown to a person.
begin;
select plan(9);

select results_eq(
    format('select derivative, omnibus from enrichment.parse_title(%L)', t.title), format('select %L::text, %L::text', t.derivative, t.omnibus), t.title
)
from (
    values
    ('The Weir: A Study Guide', 'study guide', null), ('The Weir: The Graphic Novel', 'graphic novel', null),
    ('CliffsNotes on Lornes The Weir', 'cliffsnotes', null), ('The Weir Box Set', null, 'box set'),
    ('The Weir and Other Stories', null, 'and other stories'), ('The Weir: Three Complete Novels', null, '3 complete novels'),
    ('Harrow Lane (Books 1-3)', null, null), ('The Weir', null, null), ('A Guide to Weirs', null, null)
) as t (title, derivative, omnibus);

select * from finish();
rollback;
