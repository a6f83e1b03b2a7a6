-- Readers throw nothing away and take back no claims.
begin;
select plan(4);

select tests.act_as(tests.create_reader());
select throws_ok($$ select public.prune_enrichment() $$, '42501', null, 'a reader may not prune');
select throws_ok($$ select public.reset_stale_enrichment() $$, '42501', null, 'nor reset');
select tests.act_as_service();
select lives_ok($$ select public.prune_enrichment() $$, 'the service role may do the one');
select lives_ok($$ select public.reset_stale_enrichment() $$, 'and the other');

select * from finish();
rollback;
