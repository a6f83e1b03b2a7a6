-- Every line of a file gets its own answer: one without a row number is rejected, a number that comes twice is refused.
begin;
select plan(3);

select tests.create_reader() as reader \gset

select results_eq(
    format($$ select i.outcome, i.reason
        from tests.import(%L, tests.csv_row(2), tests.csv_row(3, 'Mockingjay') - 'row_number') as i $$, :'reader'),
    $$ values ('created', null), ('rejected', 'row_number is missing') $$, 'a row without a number'
);
select throws_ok(
    format($$ select tests.import(%L, tests.csv_row(2, 'Mockingjay'), tests.csv_row(2, 'Catching Fire')) $$, :'reader'),
    'PT422', null, 'a number that comes twice'
);
select is((select count(*) from public.works), 1::bigint, 'neither is imported as something else');

select * from finish();
rollback;
