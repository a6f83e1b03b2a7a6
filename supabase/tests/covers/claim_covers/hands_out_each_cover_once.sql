-- Two workers never get the same cover, and each gets what it takes to download it.
begin;
select plan(4);

select tests.create_hot_linked('One', 1) as one, tests.create_hot_linked('Two', 2) as two \gset
select tests.store_covers();

create temp table first as select * from public.claim_covers('worker one', 1);
create temp table second as select * from public.claim_covers('worker two', 5);
select results_eq('select count(*) from first', array[1::bigint], 'no more than asked');
select results_eq('select count(*) from second', array[1::bigint], 'the other one');
select bag_eq(
    'select work_id, provider, source_url, attempt_count from first union all select work_id, provider, source_url, attempt_count from second',
    format($$ values (%L::uuid, 'openlibrary', 'https://covers.openlibrary.org/b/id/1-M.jpg', 1), (%L, 'openlibrary', 'https://covers.openlibrary.org/b/id/2-M.jpg', 1) $$, :'one', :'two'),
    'each work once, with its URL'
);
select is_empty($$ select public.claim_covers('worker three') $$, 'then nothing is left');

select * from finish();
rollback;
