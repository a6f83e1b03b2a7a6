-- Realtime sends what its publication holds; where there is none, pages poll and nothing is wrong.
begin;
select plan(3);

drop publication if exists supabase_realtime;
select matches(tests.health('realtime'), '^ok: no Realtime here', 'no publication, nothing to mend');
create publication supabase_realtime;
select matches(tests.health('realtime'), '^warn: .*not published', 'one without the queue');
alter publication supabase_realtime add table public.enrichment_queue;
select matches(tests.health('realtime'), '^ok: pages see changes at once', 'one with it');

select * from finish();
rollback;
