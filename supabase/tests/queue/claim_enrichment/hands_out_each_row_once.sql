-- A claimed row belongs to one worker: it has a token of its own, counts its attempt and is not handed out again.
begin;
select plan(4);

select tests.switch_on();
select tests.enqueue(tests.create_book('One')), tests.enqueue(tests.create_book('Two'));

select count(distinct c.claim_token) as tokens from public.claim_enrichment('worker one') as c \gset
select is(:tokens, 2, 'two rows, two tokens');
select is_empty($$ select public.claim_enrichment('worker two') $$, 'another worker gets nothing');
select is_empty(
    $$ select 1 from public.enrichment_queue as q
    where (q.status, q.claimed_by, q.attempt_count::integer, q.started_at) is distinct from ('in_progress', 'worker one', 1, now()) $$,
    'both are in progress with their first attempt counted'
);
select is_empty($$ select 1 from public.enrichment_queue as q where q.wait_reason is not null $$, 'and wait for nothing');

select * from finish();
rollback;
