-- Google's bucket is empty and fills in a hundred seconds: its rows wait all at once, and those behind them are served.
begin;
select plan(5);

select tests.switch_on();
select count(*) from public.configure_enrichment('{"provider_keys": ["googlebooks"]}');
update enrichment.providers set needs_opt_in = false;
select tests.enqueue(tests.create_book('Left open ' || n)) from generate_series(1, 15) as n;
select tests.store_lookup('title', n.key, null) from enrichment.needed_lookups as n;
select tests.enqueue(tests.create_book('Behind them')) as behind \gset
update public.enrichment_queue set priority = 70 where id = :'behind';
update enrichment.providers set tokens = 0.1, refilled_at = clock_timestamp() where provider = 'googlebooks';

select results_eq(
    $$ select c.queue_id from public.claim_enrichment('worker one', 5) as c $$, format($$ values (%L::uuid) $$, :'behind'),
    'one claim finds the row that can be served'
);
select is((select count(*) from public.enrichment_queue as q where q.wait_reason = 'rate'), 15::bigint, 'the others say what they wait for');
select ok(
    (select bool_and(q.next_attempt_after between now() + interval '85 s' and now() + interval '95 s') from public.enrichment_queue as q
        where q.wait_reason = 'rate'), 'and until when the next call comes back'
);
select is((select r.reason from public.reserve_provider_calls('googlebooks') as r), 'rate', 'who asks all the same is told the same');

update enrichment.providers set tokens = 0.5 where provider = 'googlebooks';
update public.enrichment_queue set next_attempt_after = now(), wait_reason = 'queued' where wait_reason = 'rate';
select is((select count(*) from public.claim_enrichment('worker one', 5)), 5::bigint, 'what is less than a minute away is worth a claim');

select * from finish();
rollback;
