-- The main title is what stands before ": ", without a leading article; the whole title keeps its subtitle, wherever that came from.
begin;
select plan(5);

select results_eq(
    format('select full_key, main_key from enrichment.parse_title(%L, %L)', t.title, t.subtitle),
    format('select %L::text, %L::text', t.full_key, t.main_key), t.title
)
from (
    values
    ('Sapiens: A Brief History of Humankind', null, 'sapiens a brief history of humankind', 'sapiens'),
    ('Sapiens', 'A Brief History of Humankind', 'sapiens a brief history of humankind', 'sapiens'),
    ('The Hobbit', null, 'hobbit', 'hobbit'), ('A', null, 'a', 'a'), ('2:22', null, '2 22', '2 22')
) as t (title, subtitle, full_key, main_key);

select * from finish();
rollback;
