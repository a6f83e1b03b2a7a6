-- Anybody may write the list, and comparing thousands of names with each other would hold up a whole sweep.
begin;
select plan(1);

select is(
    cardinality((enrichment.parse_authors(array(
        select string_agg('A' || person || ' B', ';') from generate_series(1, 8000) as person group by person % 200
    ))).names), 100, 'the first hundred count'
);

select * from finish();
rollback;
