-- While a provider's breaker is open its rows are not claimed; they say why they wait and until when.
begin;
select plan(3);

select tests.switch_on();
select tests.enqueue(tests.create_book()) as row \gset
select open_until from public.report_provider_calls('openlibrary', failed => 5) \gset

select is_empty($$ select public.claim_enrichment('worker one') $$, 'nothing is claimed');
select results_eq(
    $$ select q.wait_reason, q.next_attempt_after from public.enrichment_queue as q $$,
    format($$ values ('breaker', %L::timestamptz) $$, :'open_until'), 'the row waits for the breaker'
);
select is((tests.queue_row(:'row')).attempt_count::integer, 0, 'no attempt is spent');

select * from finish();
rollback;
