-- Pressing again queues nothing twice, neither what is under way nor what waits for a decision.
begin;
select plan(3);

select tests.create_reader() as reader, tests.create_book('Under way') as open_work, tests.create_book('In review') as reviewed_work \gset
select tests.add_to_shelf(:'reader', :'open_work'), tests.add_to_shelf(:'reader', :'reviewed_work');
select tests.enqueue(:'reviewed_work') as reviewed_row \gset
update public.enrichment_queue set status = 'in_progress', claim_token = gen_random_uuid(), wait_reason = null;
update public.enrichment_queue set status = 'needs_review', claim_token = null;

select tests.act_as(:'reader');
select is((select count(*) from public.trigger_missing_enrichment()), 1::bigint, 'the first press queues the one that is in no state');
select is_empty($$ select public.trigger_missing_enrichment() $$, 'the second press queues nothing');
select tests.act_as_owner();
select is((select count(*) from public.enrichment_queue), 2::bigint, 'two books, two rows');

select * from finish();
rollback;
