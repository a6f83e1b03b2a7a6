-- A shop writes "Mockingjay (The Hunger Games, #3)": the title is Mockingjay, the number is 3, the series is neither.
begin;
select plan(8);

select results_eq(
    format('select full_key, series_number from enrichment.parse_title(%L)', t.title),
    format('select %L::text, %L::text', t.full_key, t.series_number), t.title
)
from (
    values
    ('Mockingjay (The Hunger Games, #3)', 'mockingjay', '3'), ('Mort (Discworld, Book 4)', 'mort', '4'),
    ('Fables [Deluxe, Vol. 2]', 'fables', '2'), ('The Lightning Thief (Percy Jackson, #1-3)', 'lightning thief', '1-3'),
    ('The Assassin''s Blade (Throne of Glass, #0.1-0.5)', 'assassins blade', '0.1-0.5'),
    ('Dune (Penguin Classics)', 'dune', null), ('Fahrenheit 451', 'fahrenheit 451', null), ('1984', '1984', null)
) as t (title, full_key, series_number);

select * from finish();
rollback;
