-- A study guide, a graphic novel, a screenplay on one side only is a veto; on both sides it is the same kind of book.
begin;
select plan(7);

select is(enrichment.title_score(enrichment.parse_title(t.ours), enrichment.parse_title(t.theirs)), t.score, t.ours || ' / ' || t.theirs)
from (
    values
    ('The Glass Orchard', 'The Glass Orchard: Study Guide', 1),
    ('The Glass Orchard (SparkNotes Literature Guide)', 'The Glass Orchard', 1),
    ('The Glass Orchard', 'The Glass Orchard: The Graphic Novel', 1), ('The Glass Orchard: The Screenplay', 'The Glass Orchard', 1),
    ('The Glass Orchard', 'The Glass Orchard (Penguin Readers, Level 3)', 1),
    ('The Glass Orchard: Study Guide', 'The Glass Orchard: A Study Guide', 3), ('The Glass Orchard', 'The Glass Orchard: A Novel', 4)
) as t (ours, theirs, score);

select * from finish();
rollback;
