-- A known work in an edition nobody had gets that edition; a row without ISBN takes what there is.
begin;
select plan(3);

select tests.create_reader('ada') as ada, tests.create_reader('bob') as bob, tests.create_book(isbn13 => '9780439023481') as work \gset

select outcome, edition_id from tests.import(:'ada', tests.csv_row(2, more => '{"isbn": "9780439023528"}')) \gset
select is(:'outcome'::text, 'matched', 'the work is the same');
select results_eq(
    format($$ select e.work_id, e.isbn13::text
        from public.editions as e where e.id = %L $$, :'edition_id'), format($$ values (%L::uuid, '9780439023528') $$, :'work'),
    'the edition is new'
);
select count(*) from tests.import(:'bob', tests.csv_row(2, more => '{"external_id": "goodreads:9"}'));
select is((select count(*) from public.editions), 2::bigint, 'a row without ISBN makes no third');

select * from finish();
rollback;
