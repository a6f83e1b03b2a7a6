-- No API role writes to the log or rewrites it.
begin;
select plan(6);

select tests.create_reader() as reader \gset
create temp table attempts as select * from unnest(array[
    $$ insert into public.enrichment_audit_log (work_id, action) values (gen_random_uuid(), 'skipped') $$,
    $$ update public.enrichment_audit_log set action = 'undone' $$, $$ delete from public.enrichment_audit_log $$
]) as attempt (sql);
grant select on attempts to authenticated, service_role;

select tests.act_as(:'reader');
select throws_ok(a.sql, '42501', null, 'a reader may not:' || left(a.sql, 8)) from attempts as a;
select tests.act_as_service();
select throws_ok(a.sql, '42501', null, 'the service role may not:' || left(a.sql, 8)) from attempts as a;

select * from finish();
rollback;
