-- Providers write dates as they like; what the text leaves open is the first, and what is no date is none.
begin;
select plan(13);

select is(
    (select r.publish_date from enrichment.read_record(
        'openlibrary', 'edition', jsonb_build_object('key', '/books/OL3M', 'title', 'The Glass Orchard', 'publish_date', t.written)
    ) as r),
    t.publish_date::date, t.written
)
from (
    values
    ('2008-09-14', '2008-09-14'), ('2008-09', '2008-09-01'), ('2008', '2008-01-01'), ('September 14, 2008', '2008-09-14'), ('14 Sep 2008', '2008-09-14'),
    ('September 2008', '2008-09-01'), ('c1987', '1987-01-01'), ('[1987?]', '1987-01-01'), ('2008-02-30', '2008-02-01'), ('2008-13-01', '2008-01-01'),
    ('0', null), ('soon', null), ('', null)
) as t (written, publish_date);

select * from finish();
rollback;
