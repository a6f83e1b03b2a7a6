-- A closed row stays closed as it ended; asking again makes a new row.
begin;
select plan(3);

select tests.switch_on();
select tests.create_book() as work \gset
select tests.enqueue(:'work') as old_row \gset
select count(*) from tests.claim_one();
update public.enrichment_queue set status = 'failed', claim_token = null, finished_at = now();

select tests.enqueue(:'work') as new_row \gset

select isnt(:'new_row'::uuid, :'old_row'::uuid, 'the row is new');
select is((tests.queue_row(:'old_row')).status, 'failed', 'the old one ended as it did');
select is((tests.queue_row(:'new_row')).attempt_count::integer, 0, 'the new one begins with all its attempts');

select * from finish();
rollback;
