-- Main title, subtitle, series, number and volume, however they are written.
begin;
select plan(9);

select results_eq(
    format('select core_key, subtitle_key, series_key, series_number, volume from enrichment.parse_title(%L)', t.title), format('select %L::text, %L::text, %L::text, %L::text, %L::text', t.core_key, t.subtitle_key, t.series_key, t.series_number, t.volume), t.title
)
from (
    values
    ('The Locksmith (Harrow Lane, #8)', 'locksmith', '', 'harrow lane', '8', null),
    ('Harrow Lane, Vol. 8: The Locksmith', 'locksmith', '', 'harrow lane', '8', null),
    ('The Locksmith (The Harrow Lane Series Book Two)', 'locksmith', '', 'harrow lane series', '2', null),
    ('The Locksmith: Book Two of the Harrow Lane Series', 'locksmith', '', 'harrow lane series', '2', null),
    ('The Locksmith: A Life', 'locksmith a life', 'a life', null, null, null),
    ('The Locksmith, Part II', 'locksmith', '', 'locksmith', '2', '2'),
    ('The Locksmith (Harrow Lane, #0.5; Night School, #3)', 'locksmith', '', 'harrow lane', '0.5', null),
    ('The Locksmith (Harrow Lane, #1-3)', 'locksmith', '', 'harrow lane', '1-3', null),
    ('(500) Nights', '500 nights', '', null, null, null)
) as t (title, core_key, subtitle_key, series_key, series_number, volume);

select * from finish();
rollback;
