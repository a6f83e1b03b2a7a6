-- Asking for a book that a worker holds changes neither the claim nor its attempt.
begin;
select plan(2);

select tests.switch_on();
select tests.create_book() as work \gset
select tests.enqueue(:'work') as row \gset
select claim_token from tests.claim_one() \gset

select results_eq(
    format($$ select o.outcome from public.enqueue_enrichment(array[%L]::uuid[], priority => 1) as o $$, :'work'),
    array['already_open'], 'it is open already'
);
select results_eq(
    $$ select q.status::text, q.claim_token, q.attempt_count::integer from public.enrichment_queue as q $$,
    format($$ values ('in_progress', %L::uuid, 1) $$, :'claim_token'), 'the claim is untouched'
);

select * from finish();
rollback;
