-- The dashboard shows how many rows are in which state, what they wait for, and until when the first of them does.
begin;
select plan(2);

select tests.enqueue(tests.create_book('Imported ' || n), 'post_import') from generate_series(1, 2) as n;
select tests.enqueue(tests.create_book('Waits long')) as waits_long, tests.enqueue(tests.create_book('Waits')) as waits \gset
update public.enrichment_queue set wait_reason = 'daily', next_attempt_after = now() + interval '2 hours' where id = :'waits_long';
update public.enrichment_queue set wait_reason = 'daily', next_attempt_after = now() + interval '1 hour',
    created_at = now() - interval '1 day'
where id = :'waits';
select tests.enqueue(tests.create_book('Closed')) as closed \gset
update public.enrichment_queue set status = 'in_progress', claim_token = gen_random_uuid(), wait_reason = null where id = :'closed';
update public.enrichment_queue set status = 'completed', claim_token = null, finished_at = now() where id = :'closed';

select results_eq(
    $$ select o.status::text, o.wait_reason, o."rows", o.oldest, o.until
    from public.enrichment_overview() as o order by o.status, o.wait_reason $$,
    $$ values
    ('pending', 'auto_disabled', 2::bigint, now(), null::timestamptz),
    ('pending', 'daily', 2, now() - interval '1 day', now() + interval '1 hour'),
    ('completed', null, 1, now(), null) $$,
    'three lines for five rows'
);
select results_eq(
    'select * from enrichment.overview', 'select * from public.enrichment_overview()', 'the view for the dashboard says the same'
);

select * from finish();
rollback;
