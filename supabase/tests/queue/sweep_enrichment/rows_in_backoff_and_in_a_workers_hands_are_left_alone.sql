-- The sweep does not take what a worker holds, nor what has to wait after a failure.
begin;
select plan(3);

select tests.switch_on();
select tests.create_book(isbn13 => '9780439023481') as held, tests.create_book('Catching Fire', isbn13 => '9780439023498') as failed \gset
select tests.enqueue(:'held') as held_row \gset
select (tests.claim_one()).claim_token as token \gset
select tests.enqueue(:'failed') as failed_row \gset
select f.queue_id from tests.claim_one() as c, public.fail_enrichment(c.queue_id, c.claim_token, 'the provider answered 400') as f;
select tests.store_host_records(:'held'), tests.store_host_records(:'failed', '2', '9780439023498');

select is_empty('select * from public.sweep_enrichment()', 'neither is swept');
select is((tests.queue_row(:'held_row')).claim_token, :'token', 'the worker keeps its claim');
select is((tests.queue_row(:'failed_row')).wait_reason, 'backoff', 'the other one waits out its backoff');

select * from finish();
rollback;
