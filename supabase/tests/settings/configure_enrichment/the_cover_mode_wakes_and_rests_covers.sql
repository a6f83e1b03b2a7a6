-- Switched off, covers in line wait and say so; switched on they are due at once.
begin;
select plan(3);

select tests.create_hot_linked();
select tests.store_covers();
select enrichment.backfill_covers();
select count(*) from public.configure_enrichment('{"cover_mode": "hotlink"}');
select results_eq('select wait_reason, next_attempt_after from enrichment.cover_queue', $$ values ('hotlink_mode', 'infinity'::timestamptz) $$, 'off');
select count(*) from public.configure_enrichment('{"cover_mode": "thumbnail"}');
select results_eq('select wait_reason, next_attempt_after from enrichment.cover_queue', $$ values ('queued', now()) $$, 'on');
select throws_ok($$ select public.configure_enrichment('{"cover_mode": "original"}') $$, 'PT422', null, 'there are two modes');

select * from finish();
rollback;
