-- Anybody may write the list, and comparing thousands of names with each other would hold up a whole sweep.
begin;
select plan(1);

select is(
    cardinality((enrichment.parse_authors(array(
        select string_agg(format('A%s B', (n - 1) * 40 + k), ';') from generate_series(1, 40) as k, generate_series(1, 200) as n group by n
    ))).names), 100, 'the first hundred count'
);

select * from finish();
rollback;
