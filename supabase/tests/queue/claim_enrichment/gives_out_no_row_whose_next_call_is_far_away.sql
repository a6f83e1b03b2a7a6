-- Google's bucket is empty and fills in a hundred seconds: its rows wait in a line, and those behind them are served.
begin;
select plan(6);

select tests.switch_on();
select count(*) from public.configure_enrichment('{"provider_keys": ["googlebooks"]}');
update enrichment.providers set needs_opt_in = false;
select tests.enqueue(tests.create_book('Left open ' || n)) from generate_series(1, 15) as n;
select tests.store_lookup('title', n.key, null) from enrichment.needed_lookups as n;
select tests.enqueue(tests.create_book('Behind them')) as behind \gset
update public.enrichment_queue set priority = 70 where id = :'behind';
update enrichment.providers set tokens = 0.1, refilled_at = clock_timestamp() where provider = 'googlebooks' returning refilled_at as emptied \gset

select results_eq(
    $$ select c.queue_id from public.claim_enrichment('worker one', 20) as c $$, format($$ values (%L::uuid) $$, :'behind'),
    'one claim finds the row that can be served'
);
select is((select count(*) from public.enrichment_queue as q where q.wait_reason = 'rate'), 15::bigint, 'the others say what they wait for');
select is(
    (select array_agg(round(extract(epoch from q.next_attempt_after - :'emptied'::timestamptz) / 10) * 10 order by q.id)
        from public.enrichment_queue as q where q.wait_reason = 'rate'),
    array(select 90 + 100 * n from generate_series(0, 14) as n)::numeric[], 'and until when: one after the other, as the calls come back'
);
select is((select r.reason from public.reserve_provider_calls('googlebooks') as r), 'rate', 'who asks all the same is told the same');

update enrichment.providers set tokens = 0.5 where provider = 'googlebooks';
update public.enrichment_queue set next_attempt_after = now(), wait_reason = 'queued' where wait_reason = 'rate';
select is((select count(*) from public.claim_enrichment('worker one', 5)), 5::bigint, 'what is less than a minute away is worth a claim');


update enrichment.providers set tokens = 0, rate_per_second = 0.001, refilled_at = clock_timestamp() where provider = 'googlebooks';
update public.enrichment_queue set status = 'pending', claim_token = null, next_attempt_after = now(), wait_reason = 'queued', attempt_count = 0
where status = 'in_progress';
select count(*) from public.claim_enrichment('worker one', 5);
select cmp_ok(
    (select max(q.next_attempt_after) from public.enrichment_queue as q where q.wait_reason = 'rate'), '<', now() + interval '4700 s',
    'the line is never longer than an hour'
);

select * from finish();
rollback;
