-- Whoever releases a row without its running claim is told so, and changes nothing.
begin;
select plan(4);

select tests.switch_on();
select tests.enqueue(tests.create_book()) as row \gset
select claim_token from tests.claim_one() \gset

select throws_ok(
    format($$ select public.release_enrichment(%L, gen_random_uuid(), 'rate') $$, :'row'), 'PT409', null, 'another worker''s claim'
);
select throws_ok(
    $$ select public.release_enrichment(gen_random_uuid(), gen_random_uuid(), 'rate') $$, 'PT404', null, 'a row that does not exist'
);
select is((tests.queue_row(:'row')).claim_token, :'claim_token'::uuid, 'the claim is as it was');
select lives_ok(format($$ select public.release_enrichment(%L, %L, 'rate') $$, :'row', :'claim_token'), 'its holder may');

select * from finish();
rollback;
