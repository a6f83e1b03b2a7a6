-- Rows of one file that are the same book, by any of their ids, make one work; the later ones name the first.
begin;
select plan(2);

select tests.create_reader() as reader \gset

select results_eq(
    format(
        $$ select i.row_number, i.outcome, i.reason from tests.import(%L,
            tests.csv_row(2, more => '{"isbn": "9780439023481"}'), tests.csv_row(3, 'Panem', more => '{"isbn": "0439023483"}'),
            tests.csv_row(4, 'the HUNGER games'), tests.csv_row(5, 'Mockingjay')
        ) as i $$, :'reader'
    ),
    $$ values (2, 'created', null), (3, 'duplicate', 'the same book as row 2'), (4, 'duplicate', 'the same book as row 2'), (5, 'created', null) $$,
    'by ISBN and by title'
);
select results_eq(
    $$ select (select count(*) from public.works), (select count(*) from public.library_items), (select count(*) from public.authors) $$,
    $$ values (2::bigint, 2::bigint, 1::bigint) $$, 'two works on the shelf, by one author'
);

select * from finish();
rollback;
