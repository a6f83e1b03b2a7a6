-- A second wish finds the open row: it may move forward, never back, and stays one row.
begin;
select plan(4);

select tests.switch_on();
select tests.create_reader() as reader, tests.create_book() as work \gset
select tests.enqueue(:'work', 'post_import') as row \gset

select results_eq(
    format($$ select o.outcome, o.queue_id
        from public.enqueue_enrichment(array[%L]::uuid[], 'manual_bulk', %L) as o $$, :'work', :'reader'),
    format($$ values ('already_open', %L::uuid) $$, :'row'), 'it is open already'
);
select results_eq(
    $$ select q.priority::integer, q.trigger_source::text, q.triggered_by from public.enrichment_queue as q $$,
    format($$ values (50, 'manual_bulk', %L::uuid) $$, :'reader'), 'it moved forward and is the reader''s now'
);
select count(*) from public.enqueue_enrichment(array[:'work']::uuid[], 'scheduled');
select is((tests.queue_row(:'row')).priority::integer, 50, 'a lesser wish does not move it back');
select is((select count(*) from public.enrichment_queue), 1::bigint, 'there is still one row');

select * from finish();
rollback;
