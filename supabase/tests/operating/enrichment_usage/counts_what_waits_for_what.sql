-- Waiting rows by reason and until when; a reader's own library only, the service sees all.
begin;
select plan(2);

select tests.create_reader() as ada, tests.create_book('Hers') as hers, tests.create_book('Other') as other, tests.create_book('Third') as third \gset
select tests.add_to_shelf(:'ada', :'hers'), tests.enqueue(:'hers', 'scheduled'), tests.enqueue(:'other', 'scheduled'), tests.enqueue(:'third');
update public.enrichment_queue set wait_reason = 'daily', next_attempt_after = now() + interval '1 hour' where work_id = :'third';

select results_eq(
    $$ select subject, used, allowed, unit, until from public.enrichment_usage() where meter = 'waiting' $$,
    $$ values ('auto_disabled', 2::bigint, null::bigint, 'rows', null::timestamptz), ('daily', 1, null, 'rows', now() + interval '1 hour') $$, 'the service sees three rows wait'
);
select tests.act_as(:'ada');
select results_eq($$ select subject, used from public.enrichment_usage() where meter = 'waiting' $$, $$ values ('auto_disabled', 1::bigint) $$, 'Ada hers');

select * from finish();
rollback;
