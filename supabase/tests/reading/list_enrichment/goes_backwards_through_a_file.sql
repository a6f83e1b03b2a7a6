-- Rows of one import are made at one moment, in the order of their works' ids; they are listed like the lines of the file, the last one first.
begin;
select plan(1);

select tests.create_reader() as ada \gset
select count(*) from tests.import(:'ada', variadic array(
    select tests.csv_row(n, format('Tale %s', n), format('Author %s', n)) from generate_series(2, 21) as n
));
select tests.act_as(:'ada');
select is(
    array(select title from public.list_enrichment()), array(select format('Tale %s', n) from generate_series(21, 2, -1) as n),
    'the last line of the file comes first'
);

select * from finish();
rollback;
