-- Whoever fails a row without its running claim is told so, and changes nothing.
begin;
select plan(5);

select tests.switch_on();
select tests.enqueue(tests.create_book()) as row \gset
select throws_ok(
    format($$ select public.fail_enrichment(%L, gen_random_uuid(), 'x') $$, :'row'), 'PT409', null, 'a row nobody has claimed'
);
select claim_token from tests.claim_one() \gset
select throws_ok(format($$ select public.fail_enrichment(%L, gen_random_uuid(), 'x') $$, :'row'), 'PT409', null, 'another worker''s claim');
select throws_ok(format($$ select public.fail_enrichment(%L, null, 'x') $$, :'row'), 'PT409', null, 'no token at all');
select throws_ok(
    $$ select public.fail_enrichment(gen_random_uuid(), gen_random_uuid(), 'x') $$, 'PT404', null, 'a row that does not exist'
);
select results_eq(
    $$ select q.status::text, q.claim_token, q.last_error from public.enrichment_queue as q $$,
    format($$ values ('in_progress', %L::uuid, null::text) $$, :'claim_token'), 'the claim is as it was'
);

select * from finish();
rollback;
