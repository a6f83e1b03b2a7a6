-- Waiting rows and closed rows never go stale, however old they are.
begin;
select plan(2);

select tests.enqueue(tests.create_book('Waiting'), 'scheduled');
select tests.enqueue(tests.create_book('Closed')) as closed \gset
update public.enrichment_queue set status = 'in_progress', claim_token = gen_random_uuid(), wait_reason = null where id = :'closed';
update public.enrichment_queue set status = 'completed', claim_token = null, finished_at = now() where id = :'closed';
update public.enrichment_queue set started_at = now() - interval '1 year', created_at = now() - interval '1 year';

select is_empty($$ select public.reset_stale_enrichment('1 second') $$, 'nothing is taken back');
select bag_eq($$ select q.status::text from public.enrichment_queue as q $$, array['pending', 'completed'], 'both are as they were');

select * from finish();
rollback;
