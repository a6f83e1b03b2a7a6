-- A reader asks about any works and learns about those on the own shelf; the service role learns about all.
begin;
select plan(3);

select tests.create_reader('ada') as ada, tests.create_reader('bob') as bob, tests.create_book('Hers') as hers, tests.create_book('His') as his \gset
select tests.add_to_shelf(:'ada', :'hers'), tests.add_to_shelf(:'bob', :'his');
select tests.enqueue(:'hers'), tests.enqueue(:'his');

select tests.act_as(:'ada');
select results_eq(format('select work_id from public.enrichment_status(array[%L, %L]::uuid[])', :'his', :'hers'), array[:'hers'::uuid], 'Ada sees hers');
select tests.act_as_service();
select results_eq(
    format('select work_id from public.enrichment_status(array[%L, %L]::uuid[])', :'his', :'hers'), array[:'his', :'hers']::uuid[], 'the service sees both, as asked'
);
select throws_ok($$ select * from public.enrichment_status(array(select gen_random_uuid() from generate_series(1, 1001))) $$, 'PT422', null, '1,001 are too many');

select * from finish();
rollback;
