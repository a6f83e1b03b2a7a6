-- High: the ISBN and the title. Medium: the title and the author. Low: the title alone. None: less.
begin;
select plan(12);

select is(
    enrichment.confidence_of(t.title, t.author, t.isbn), t.tier::enrichment.confidence, format('title %s, author %s, isbn %s', t.title, t.author, t.isbn)
)
from (
    values
    (4, 3, 5, 'high'), (3, 1, 4, 'high'), (3, null, 4, 'high'), (4, 3, 0, 'medium'), (3, 2, 0, 'medium'), (4, 1, 0, 'low'), (4, null, 0, 'low'),
    (4, 0, 0, 'low'), (2, 3, 0, 'low'), (1, 3, 0, 'none'), (0, 3, 0, 'none'), (0, null, 0, 'none')
) as t (title, author, isbn, tier);

select * from finish();
rollback;
