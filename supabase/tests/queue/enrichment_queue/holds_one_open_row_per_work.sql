-- A work has at most one row that is pending or in progress.
begin;
select plan(3);

select tests.switch_on();
select tests.create_book() as work \gset
select tests.enqueue(:'work') as row \gset

prepare second_row as insert into public.enrichment_queue (work_id, trigger_source) values (:'work', 'manual_bulk');
select throws_ok('execute second_row', '23505', null, 'not a second one while the first is pending');
select count(*) from tests.claim_one();
select throws_ok('execute second_row', '23505', null, 'nor while it is in progress');

update public.enrichment_queue set status = 'skipped', claim_token = null, finished_at = now() where id = :'row';
select lives_ok('execute second_row', 'but once it is closed');

select * from finish();
rollback;
