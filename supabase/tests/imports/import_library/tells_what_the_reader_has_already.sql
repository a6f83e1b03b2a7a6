-- A book that is on the shelf stays there as it is: the answer says duplicate and changes nothing.
begin;
select plan(3);

select tests.create_reader() as reader, tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.add_to_shelf(:'reader', :'work') as item \gset

select results_eq(
    format($$ select i.outcome, i.reason, i.library_item_id
        from tests.import(%L, tests.csv_row(2, more => '{"isbn": "9780439023481", "status": "completed", "rating": 10}')) as i $$, :'reader'),
    format($$ values ('duplicate', 'already in the library', %L::uuid) $$, :'item'), 'the answer names the shelf''s item'
);
select results_eq(
    $$ select i.status::text, i.rating::integer from public.library_items as i $$,
    $$ values ('to_read', null::integer) $$, 'status and rating are the reader''s own'
);
select is((select count(*) from public.works), 1::bigint, 'no work is made');

select * from finish();
rollback;
