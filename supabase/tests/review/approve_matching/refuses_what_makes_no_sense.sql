-- A confidence or a field that does not exist would silently fit nothing, or everything.
begin;
select plan(3);

select throws_ok($$ select * from public.approve_matching('certain') $$, 'PT422', null, 'there is no such confidence');
select throws_ok($$ select * from public.approve_matching(fields => '{publisher}') $$, 'PT422', null, 'nor such a field');
select throws_ok($$ select * from public.approve_matching(fields => '{null}') $$, 'PT422', null, 'nor one without a name');

select * from finish();
rollback;
