-- Imported books wait while auto_enabled is off, are due once it is on, and wait again when it is turned off; a person's wish never waits for it.
begin;
select plan(5);

select
    tests.enqueue(tests.create_book('Imported'), 'post_import') as imported,
    tests.enqueue(tests.create_book('Wished for')) as wished_for \gset
select is((tests.queue_row(:'imported')).wait_reason, 'auto_disabled', 'the imported book says that it waits for the switch');

select count(*) from public.configure_enrichment('{"auto_enabled": true}');
select is((tests.queue_row(:'imported')).wait_reason, 'queued', 'once on, it says that it is queued');
select ok((tests.queue_row(:'imported')).next_attempt_after <= now(), 'and is due');

select count(*) from public.configure_enrichment('{"auto_enabled": false}');
select is((tests.queue_row(:'imported')).next_attempt_after, 'infinity', 'once off, it is not due any more');
select ok((tests.queue_row(:'wished_for')).next_attempt_after <= now(), 'the wish was due all the time');

select * from finish();
rollback;
