-- ISBN-10 and ISBN-13 in any writing are one key, whatever the title says.
begin;
select plan(3);

select
    tests.create_reader() as reader, tests.create_book('The Hunger Games') as thirteen,
    tests.create_book('Catching Fire', isbn13 => '9780439023498') as thirteen_only \gset
update public.editions set isbn10 = '0439023483' where work_id = :'thirteen';

select results_eq(
    format(
        $$ select i.outcome, i.work_id, i.edition_id from tests.import(
            %L, tests.csv_row(2, 'Panem 1', more => '{"isbn": "978-0-439-02348-1"}'), tests.csv_row(3, 'Panem 2', more => '{"isbn": "0439023491"}')
        ) as i $$, :'reader'
    ),
    format(
        $$ values ('matched', %1$L::uuid, tests.edition_of(%1$L)), ('matched', %2$L::uuid, tests.edition_of(%2$L)) $$, :'thirteen', :'thirteen_only'
    ),
    'both are found, with their editions'
);
select is((select count(*) from public.works), 2::bigint, 'no work is made');
select is((select count(*) from public.editions), 2::bigint, 'and no edition');

select * from finish();
rollback;
