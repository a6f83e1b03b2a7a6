-- A worker that comes back after its claim was reset is told so, whatever it tries; the new claim is untouched.
begin;
select plan(6);

select tests.switch_on();
select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.enqueue(:'work') as row \gset
create temp table old_claim as select c from tests.claim_one() as c;
select tests.grow_stale();
select count(*) from public.reset_stale_enrichment();
update public.enrichment_queue set next_attempt_after = now();
select claim_token from tests.claim_one('worker two') \gset

select results_eq(
    $$ select a.outcome, a.status
    from old_claim as o cross join public.apply_enrichment(tests.answer(o.c, jsonb_build_array(jsonb_build_object(
        'provider', 'openlibrary', 'kind', 'isbn', 'key', '9780439023481', 'raw', tests.search_reply(isbn13 => '9780439023481')
    )))) as a $$,
    $$ values ('stale_claim', null::enrichment.queue_status) $$, 'its answer is not taken'
);
select throws_ok(
    $$ select public.fail_enrichment((o.c).queue_id, (o.c).claim_token, 'late') from old_claim as o $$, 'PT409', null, 'nor its failure'
);
select throws_ok(
    $$ select public.release_enrichment((o.c).queue_id, (o.c).claim_token, 'late') from old_claim as o $$, 'PT409', null, 'nor its release'
);
select results_eq(
    $$ select q.status::text, q.claim_token, q.claimed_by, q.attempt_count::integer from public.enrichment_queue as q $$,
    format($$ values ('in_progress', %L::uuid, 'worker two', 2) $$, :'claim_token'), 'the new claim is untouched'
);
select is_empty($$ select 1 from public.works as w where w.default_cover_url is not null $$, 'nothing is written');
select is_empty($$ select 1 from public.source_records $$, 'nothing is stored');

select * from finish();
rollback;
