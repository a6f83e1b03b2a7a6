-- Waiting is never silent: a row cannot be given back without saying why.
begin;
select plan(3);

select tests.switch_on();
select tests.enqueue(tests.create_book()) as row \gset
select claim_token from tests.claim_one() \gset

select throws_ok(format($$ select public.release_enrichment(%L, %L, '') $$, :'row', :'claim_token'), 'PT422', null, 'an empty reason');
select throws_ok(format($$ select public.release_enrichment(%L, %L, null) $$, :'row', :'claim_token'), 'PT422', null, 'no reason');
select is((tests.queue_row(:'row')).status, 'in_progress', 'the claim is as it was');

select * from finish();
rollback;
