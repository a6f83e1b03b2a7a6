-- The reader's 'Enrich missing' queues every book on the own shelf that lacks something, and nothing else.
begin;
select plan(2);

select
    tests.create_reader('ada') as ada, tests.create_reader('bob') as bob, tests.create_book('With gaps') as gaps,
    tests.create_book('Complete') as complete, tests.create_book('His') as his \gset
select tests.fill_every_gap(:'complete');
select tests.add_to_shelf(:'ada', :'gaps'), tests.add_to_shelf(:'ada', :'complete'), tests.add_to_shelf(:'bob', :'his');

select tests.act_as(:'ada');
select results_eq(
    $$ select o.work_id, o.outcome from public.trigger_missing_enrichment() as o $$,
    format($$ values (%L::uuid, 'enqueued') $$, :'gaps'), 'the book with gaps is enqueued'
);
select tests.act_as_owner();
select results_eq(
    $$ select q.work_id, q.priority::integer, q.triggered_by from public.enrichment_queue as q $$,
    format($$ values (%L::uuid, 50, %L::uuid) $$, :'gaps', :'ada'), 'and nothing else'
);

select * from finish();
rollback;
