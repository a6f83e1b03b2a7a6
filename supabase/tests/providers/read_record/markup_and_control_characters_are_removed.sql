-- A description is text: no tags, no scripts, no control characters; line breaks and plain signs stay.
begin;
select plan(5);

select is(
    (select r.description from enrichment.read_record('googlebooks', 'work', jsonb_build_object(
        'id', 'aBcD', 'volumeInfo', jsonb_build_object('title', 'The Glass Orchard', 'description', t.written)
    )) as r),
    t.description, t.promise
)
from (
    values
    ('<p>Trees<br/>of <i class="x">glass</i>.</p>', E'Trees\nof glass.', 'tags'),
    ('Trees<script>alert("x")</script><style>p {}</style> of glass.', 'Trees of glass.', 'scripts'),
    (E'\x01Trees\x07 of\x1f glass.\x7f', 'Trees of glass.', 'control characters'), ('1 < 2 and <3', '1 < 2 and <3', 'signs stay'),
    (E' \n<b> </b>\t', null, 'nothing is left')
) as t (written, description, promise);

select * from finish();
rollback;
