-- A work that is not on the reader's shelf is unknown, whether it exists or not, and is not queued.
begin;
select plan(2);

select
    tests.create_reader('ada') as ada, tests.create_reader('bob') as bob, tests.create_book('His') as his,
    gen_random_uuid() as nobodys \gset
select tests.add_to_shelf(:'bob', :'his');

select tests.act_as(:'ada');
select results_eq(
    format($$ select o.outcome, o.queue_id from public.trigger_enrichment(array[%L, %L]::uuid[]) as o $$, :'his', :'nobodys'),
    $$ values ('unknown', null::uuid), ('unknown', null) $$, 'both answers are the same'
);
select tests.act_as_owner();
select is_empty($$ select 1 from public.enrichment_queue $$, 'nothing is queued');

select * from finish();
rollback;
