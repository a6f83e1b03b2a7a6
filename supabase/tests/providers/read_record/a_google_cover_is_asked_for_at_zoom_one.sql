-- Zoom 0, 2, 3, 4 and 6 show "image not available" for most books, 5 is smaller; a curled page is drawn over the picture.
begin;
select plan(11);

select is(
    (select r.cover_url from enrichment.read_record('googlebooks', 'work', jsonb_build_object(
        'id', 'aBcD', 'volumeInfo', jsonb_build_object('title', 'The Glass Orchard', 'imageLinks', jsonb_build_object(
            'thumbnail', 'http://books.google.com/books/content?' || t.query
        ))
    )) as r),
    'https://books.google.com/books/content?' || t.asked, t.query
)
from (
    values
    ('id=a&zoom=0', 'id=a&zoom=1'), ('id=a&zoom=1', 'id=a&zoom=1'), ('id=a&zoom=2', 'id=a&zoom=1'), ('id=a&zoom=3', 'id=a&zoom=1'),
    ('id=a&zoom=4&source=x', 'id=a&zoom=1&source=x'), ('zoom=5&id=a', 'zoom=1&id=a'), ('id=a&zoom=6', 'id=a&zoom=1'),
    ('id=a&zoom=10', 'id=a&zoom=1'), ('id=a&edge=curl&zoom=0', 'id=a&zoom=1'), ('edge=curl&id=a', 'id=a'), ('id=azoom=5', 'id=azoom=5')
) as t (query, asked);

select * from finish();
rollback;
