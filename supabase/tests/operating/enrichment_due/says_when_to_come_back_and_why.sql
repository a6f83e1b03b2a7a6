-- A worker with nothing to do learns when the next row is due, in seconds, and what it waits for.
begin;
select plan(3);

select tests.switch_on();
select tests.enqueue(tests.create_book('Soon')) as soon, tests.enqueue(tests.create_book('Later')) as later \gset
update public.enrichment_queue set next_attempt_after = now() + interval '90 seconds', wait_reason = 'backoff' where id = :'soon';
update public.enrichment_queue set next_attempt_after = now() + interval '1 hour', wait_reason = 'daily', priority = 1 where id = :'later';

select results_eq(
    $$ select d.due_at, d.reason, d.pending, d.in_progress from public.enrichment_due() as d $$,
    $$ values (now() + interval '90 seconds', 'backoff', 2, 0) $$, 'the one that is due next, whatever its priority'
);
select ok((select d.due_in between 89 - extract(epoch from clock_timestamp() - now()) and 90 from public.enrichment_due() as d), 'in seconds from now');
update public.enrichment_queue set next_attempt_after = now() - interval '1 hour';
select is((select d.due_in from public.enrichment_due() as d), 0::numeric, 'what is overdue is due now, not before now');

select * from finish();
rollback;
