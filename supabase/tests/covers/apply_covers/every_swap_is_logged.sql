-- The log has both URLs, and names the enrichment that had filled the cover.
begin;
select plan(3);

select tests.switch_on();
select tests.store_covers();
select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.enrich(:'work', tests.search_reply(isbn13 => '9780439023481')) as queue_id \gset
select is((select q.queue_id from enrichment.cover_queue as q), :'queue_id'::uuid, 'the written cover was queued');
select tests.claim_cover() as claim \gset
select public.apply_covers(jsonb_build_array(tests.stored(:'claim')));

select results_eq(
    $$ select enrichment_queue_id, work_id, action::text, provider::text, fields_changed, previous_values, match_details ->> 'storage_path'
    from public.enrichment_audit_log order by id desc limit 1 $$,
    format(
        $$ values (%L::uuid, %L::uuid, 'auto_applied', 'openlibrary', %L::jsonb, '{"work.cover_url": "https://covers.openlibrary.org/b/id/12646537-M.jpg"}'::jsonb, %L) $$,
        :'queue_id', :'work',
        jsonb_build_object('work.cover_url', jsonb_build_object(
            'old', 'https://covers.openlibrary.org/b/id/12646537-M.jpg', 'new', (select default_cover_url from public.works where id = :'work')
        )), 'openlibrary/' || repeat('a', 32) || '.webp'
    ), 'the swap is in the log'
);
select is_empty('select 1 from enrichment.cover_queue where is_open', 'and queues nothing');

select * from finish();
rollback;
