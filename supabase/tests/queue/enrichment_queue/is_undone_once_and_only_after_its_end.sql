-- The mark of an undo is set on rows that have ended, and is never moved or taken away, whoever tries.
begin;
select plan(4);

select tests.create_book() as work \gset
select tests.enqueue(:'work') as row \gset
select throws_ok(format('update public.enrichment_queue set undone_at = now() where id = %L', :'row'), '23514', null, 'not while it is open');
update public.enrichment_queue set status = 'in_progress', wait_reason = null, claim_token = gen_random_uuid() where id = :'row';
update public.enrichment_queue set status = 'skipped', claim_token = null, finished_at = now() where id = :'row';
select lives_ok(format('update public.enrichment_queue set undone_at = now() where id = %L', :'row'), 'once it has ended');
select throws_ok(format($$ update public.enrichment_queue set undone_at = now() + interval '1 day' where id = %L $$, :'row'), 'PT409', null, 'never moved');
select throws_ok(format('update public.enrichment_queue set undone_at = null where id = %L', :'row'), 'PT409', null, 'never taken away');

select * from finish();
rollback;
