-- A cover link is taken over https and only from Google's own book servers.
begin;
select plan(4);

select is(
    (select r.cover_url from enrichment.read_record('googlebooks', 'work', jsonb_build_object(
        'id', 'aBcD', 'volumeInfo', jsonb_build_object('title', 'The Glass Orchard', 'imageLinks', jsonb_build_object('thumbnail', t.link))
    )) as r),
    t.cover_url, t.link
)
from (
    values
    ('http://books.google.com/books/content?id=aBcD', 'https://books.google.com/books/content?id=aBcD'),
    ('http://books.google.com.evil.example/x.jpg', null), ('https://evil.example/books.google.com/', null), ('javascript:alert(1)', null)
) as t (link, cover_url);

select * from finish();
rollback;
