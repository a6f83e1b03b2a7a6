-- A host may keep library_items from readers: queue and audit log show them their rows all the same, and nobody else's.
begin;
select plan(4);

select tests.create_reader('ada') as ada, tests.create_reader('bob') as bob, tests.create_book('Hers') as hers, tests.create_book('His') as his \gset
select tests.add_to_shelf(:'ada', :'hers'), tests.add_to_shelf(:'bob', :'his'), tests.enqueue(:'hers'), tests.enqueue(:'his');
insert into public.enrichment_audit_log (work_id, action) values (:'hers', 'skipped'), (:'his', 'skipped');
revoke all on public.library_items from authenticated;

select tests.act_as(:'ada');
select throws_ok('select id from public.library_items', '42501', null, 'the shelf itself is closed to her');
select results_eq('select work_id from public.enrichment_queue', array[:'hers'::uuid], 'she sees her row of the queue');
select results_eq('select work_id from public.enrichment_audit_log', array[:'hers'::uuid], 'and of the log');
select tests.act_as_owner();
select doesnt_match(tests.health('realtime'), 'cannot look', 'and Realtime leaves nobody out');

select * from finish();
rollback;
