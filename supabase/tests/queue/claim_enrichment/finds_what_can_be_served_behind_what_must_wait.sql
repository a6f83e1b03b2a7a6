-- Rows that must wait for a provider do not block those behind them that need none; of those no more are taken than asked for.
begin;
select plan(4);

select tests.switch_on();
select tests.enqueue(tests.create_book('Must ask ' || n)) from generate_series(1, 5) as n;
select tests.enqueue(tests.create_book('Cached ' || isbn, isbn13 => isbn), 'post_import'),
    tests.store_lookup('isbn', isbn, tests.search_reply(isbn13 => isbn))
from unnest(array['9780439023481', '9780439023528']) as isbn;
select count(*) from public.report_provider_calls('openlibrary', failed => 1, retry_after => 600);

create temp table claims as select c.* from public.claim_enrichment('worker one', 1) as c;

select is((select count(*) from claims), 1::bigint, 'one was asked for, one is claimed');
select ok((select c.title like 'Cached%' from claims as c), 'it is one the cache can answer');
select is(
    (select count(*) from public.enrichment_queue as q where q.wait_reason = 'retry_after'),
    5::bigint, 'those in front say what they wait for'
);
select is_empty(
    $$ select 1
    from public.enrichment_queue as q where q.wait_reason = 'retry_after' and q.next_attempt_after < now() + interval '599 seconds' $$,
    'and until when'
);

select * from finish();
rollback;
