-- A cover link is taken over https and only from Google's own book servers, whole.
begin;
select plan(9);

select is(
    (select r.cover_url from enrichment.read_record('googlebooks', 'work', jsonb_build_object(
        'id', 'aBcD', 'volumeInfo', jsonb_build_object('title', 'The Glass Orchard', 'imageLinks', jsonb_build_object('thumbnail', t.link))
    )) as r),
    t.cover_url, left(replace(t.link, E'\n', ' '), 80)
)
from (
    values
    ('http://books.google.com/books/content?id=aBcD', 'https://books.google.com/books/content?id=aBcD'),
    ('https://books.google.co.uk/books/publisher/content?id=a&imgtk=A_-b', 'https://books.google.co.uk/books/publisher/content?id=a&imgtk=A_-b'),
    ('http://books.google.com.evil.example/x.jpg', null), ('https://evil.example/books.google.com/', null), ('javascript:alert(1)', null),
    ('http://books.google.com/books/content?id=1"onload="x', null), (E'http://books.google.com/books/content?id=1\n<b>', null),
    ('http://me@books.google.com/books/content?id=1', null), ('http://books.google.com/books/content?id=' || repeat('a', 1000) || '#', null)
) as t (link, cover_url);

select * from finish();
rollback;
