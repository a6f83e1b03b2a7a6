-- With the master switch off, what an import queued waits; a person who asks for it need not.
begin;
select plan(2);

select tests.create_reader() as reader, tests.create_book('Waiting') as work \gset
select tests.add_to_shelf(:'reader', :'work');
select public.configure_enrichment('{"auto_enabled": false}');
select public.enqueue_enrichment(array[:'work'::uuid], 'post_import');

select tests.act_as(:'reader');
select results_eq(
    'select outcome from public.trigger_missing_enrichment()', array['already_open'], 'the row that is there is taken'
);
select tests.act_as_owner();
select results_eq(
    'select wait_reason, priority::integer, next_attempt_after <= now() from public.enrichment_queue', $$ values ('queued', 50, true) $$,
    'it is due, ahead of imports'
);

select * from finish();
rollback;
