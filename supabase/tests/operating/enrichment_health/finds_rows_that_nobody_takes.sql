-- Rows that wait for the switch, claims of workers that are gone, rows that are due with no worker in sight, and failures.
begin;
select plan(9);

select tests.create_reader() as ada \gset
select tests.create_book() as book \gset
select tests.enqueue(:'book', 'post_import', :'ada') as row \gset
select matches(tests.health('automatic'), '^warn: auto_enabled is off: what imports bring waits \(rows by now: 1\)', 'the switch is off, and a row waits for it');

select tests.switch_on();
select matches(tests.health('automatic'), '^ok', 'it is on');
select matches(tests.health('worker'), '^ok: no row is kept waiting', 'a row that has just come is not late');
select tests.let_pass('20 minutes');
select matches(tests.health('worker'), '^warn: rows that are due and nobody takes: 1, the oldest for 00:20:00', 'one that is due for long is');

select tests.claim_one();
select matches(tests.health('worker'), '^ok', 'until a worker takes it');
select matches(tests.health('claims'), '^ok', 'who may hold it for a while');
select tests.let_pass('20 minutes');
select matches(tests.health('claims'), '^fail: claims of workers that are gone: 1, the oldest from 00:20:00 ago', 'but not for ever');

select matches(tests.health('failures'), '^ok', 'nothing has failed');
update public.enrichment_queue set status = 'failed', finished_at = now(), claim_token = null, last_error = 'the reply was no JSON' where id = :'row';
select matches(tests.health('failures'), '^warn: rows that failed within a week: 1, most often: the reply was no JSON', 'until something does');

select * from finish();
rollback;
