-- Without a common id the folded title and author decide; the same title by somebody else is another book.
begin;
select plan(3);

select tests.create_reader() as reader, tests.create_book('Les Misérables', 'Victor Hugo') as work \gset

select results_eq(
    format($$ select i.outcome
        from tests.import(%L, tests.csv_row(2, 'les miserables', 'Hugo, Victor'), tests.csv_row(3, 'Les Misérables', 'Boublil')) as i $$, :'reader'),
    array['matched', 'created'], 'one is the same, one is not'
);
select is((select count(*) from public.works as w where w.title ilike 'les mis%'), 2::bigint, 'there are two works of that title now');
select is((select count(*) from public.library_items as i where i.work_id = :'work'), 1::bigint, 'the one we had is on the shelf');

select * from finish();
rollback;
