-- Realtime sends what its publication holds to readers who may see it; where there is none, pages poll and nothing is wrong.
begin;
select plan(4);

drop publication if exists supabase_realtime;
select matches(tests.health('realtime'), '^ok: no Realtime here', 'no publication, nothing to mend');
create publication supabase_realtime;
select matches(tests.health('realtime'), '^warn: .*not published', 'one without the queue');
alter publication supabase_realtime add table public.enrichment_queue;
select matches(tests.health('realtime'), '^ok: pages see changes at once', 'one with it');

revoke execute on function enrichment.is_on_own_shelf from authenticated;
select matches(
    tests.health('realtime'), '^warn: readers cannot look into the queue.*permission denied for function is_on_own_shelf', 'tried as a reader, not looked up'
);

select * from finish();
rollback;
