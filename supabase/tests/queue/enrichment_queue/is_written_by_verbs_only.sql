-- No API role writes to the queue directly, not even the service role: every change goes through a verb.
begin;
select plan(6);

select tests.create_reader() as reader, tests.create_book() as work \gset
select tests.add_to_shelf(:'reader', :'work'), tests.enqueue(:'work');

create temp table attempts as select * from unnest(array[
    format($$ insert into public.enrichment_queue (work_id, trigger_source) values (%L, 'manual_bulk') $$, :'work'),
    $$ update public.enrichment_queue set priority = 0 $$, $$ delete from public.enrichment_queue $$
]) as attempt (sql);
grant select on attempts to authenticated, service_role;

select tests.act_as(:'reader');
select throws_ok(a.sql, '42501', null, 'a reader may not:' || left(a.sql, 8)) from attempts as a;
select tests.act_as_service();
select throws_ok(a.sql, '42501', null, 'the service role may not:' || left(a.sql, 8)) from attempts as a;

select * from finish();
rollback;
