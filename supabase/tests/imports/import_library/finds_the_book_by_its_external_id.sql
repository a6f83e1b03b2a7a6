-- A book somebody imported before is the same book, even if its title was changed since.
begin;
select plan(2);

select tests.create_reader('ada') as ada, tests.create_reader('bob') as bob \gset
select work_id from tests.import(:'ada', tests.csv_row(2)) \gset
update public.works set title = 'Die Tribute von Panem';

select results_eq(
    format($$ select i.outcome, i.work_id
        from tests.import(%L, tests.csv_row(2)) as i $$, :'bob'), format($$ values ('matched', %L::uuid) $$, :'work_id'),
    'it is matched, and on his shelf'
);
select is((select count(*) from public.works), 1::bigint, 'there is one work');

select * from finish();
rollback;
