-- "A Novel", "Revised Edition", a publishers series in brackets, an article put last: all the same title.
begin;
select plan(8);

select is(enrichment.title_score(enrichment.parse_title(t.ours), enrichment.parse_title(t.theirs)), t.score, t.ours || ' / ' || t.theirs)
from (
    values
    ('The Weir: A Novel', 'The Weir', 4), ('The Weir (Vintage International)', 'The Weir', 4),
    ('The Weir: 25th Anniversary Edition', 'The Weir', 4), ('Weir, The', 'The Weir', 4),
    ('The Weir, Revised and Expanded', 'The Weir', 4), ('The Weir: A Harrow Lane Mystery', 'The Weir', 4),
    ('Selected Poems of Ada Lorne', 'Selected Poems', 4), ('The Weir, or The Millers Debt', 'The Weir', 3)
) as t (ours, theirs, score);

select * from finish();
rollback;
