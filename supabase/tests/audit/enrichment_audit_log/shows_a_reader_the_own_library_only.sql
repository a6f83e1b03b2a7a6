-- A reader sees what happened to works on the own shelf, and not who did it.
begin;
select plan(2);

select tests.create_reader('ada') as ada, tests.create_book('Hers') as hers, tests.create_book('His') as his \gset
select tests.add_to_shelf(:'ada', :'hers');
insert into public.enrichment_audit_log (work_id, action) values (:'hers', 'skipped'), (:'his', 'skipped');

select tests.act_as(:'ada');
select results_eq($$ select a.work_id from public.enrichment_audit_log as a $$, array[:'hers'::uuid], 'Ada sees hers only');
select throws_ok($$ select a.actor from public.enrichment_audit_log as a $$, '42501', null, 'the actor is hidden');

select * from finish();
rollback;
