-- Each element of the list gets its own outcome at its own place, also an unknown or a repeated one.
begin;
select plan(2);

select tests.create_book('With gaps') as gaps, tests.create_book('Complete') as complete, gen_random_uuid() as unknown \gset
select tests.fill_every_gap(:'complete');

select results_eq(
    format(
        $$ select o.work_id, o.outcome, o.queue_id is not null
        from public.enqueue_enrichment(array[%1$L, %2$L, null, %3$L, %1$L]::uuid[]) as o $$,
        :'gaps', :'complete', :'unknown'
    ),
    format(
        $$ values (%1$L::uuid, 'enqueued', true), (%2$L, 'complete', false), (null, 'unknown', false), (%3$L, 'unknown', false), (%1$L, 'enqueued', true) $$,
        :'gaps', :'complete', :'unknown'
    ),
    'five elements, five answers'
);
select is((select count(*) from public.enrichment_queue), 1::bigint, 'only the book with gaps is queued, once');

select * from finish();
rollback;
