-- While the cover server may not be asked, nothing is handed out, and rows say why and until when.
begin;
select plan(4);

select tests.create_hot_linked('One', 1);
select count(*) from public.configure_enrichment('{"cover_mode": "thumbnail"}');

select is_empty($$ select public.claim_covers('worker one') $$, 'no contact, no claim');
select is((select wait_reason from enrichment.cover_queue), 'no_contact', 'the row says so');
select count(*) from public.configure_enrichment('{"contact": "tests@example.org"}');
select public.report_provider_calls('openlibrary_covers', failed => 1, last_error => 'HTTP 429', retry_after => 90);
select public.claim_covers('worker one');
select results_eq(
    $$ select wait_reason, next_attempt_after between now() + interval '89 seconds' and clock_timestamp() + interval '91 seconds'
    from enrichment.cover_queue $$,
    $$ values ('retry_after', true) $$, 'a pause likewise'
);
select cmp_ok((select due_in from public.enrichment_covers()), '>=', 89.0 - extract(epoch from clock_timestamp() - now()), 'and the worker is told when to come back');

select * from finish();
rollback;
