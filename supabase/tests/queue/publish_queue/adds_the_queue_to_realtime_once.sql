-- Where Supabase Realtime's publication is, the queue is in it, once; where there is none, nothing happens.
begin;
select plan(5);

drop publication if exists supabase_realtime;
select is(enrichment.publish_queue(), false, 'no publication, nothing to do');
create publication supabase_realtime;
select is(enrichment.publish_queue(), true, 'the queue is added');
select is(enrichment.publish_queue(), true, 'once');
select is((select string_agg(tablename, ', ') from pg_publication_tables where pubname = 'supabase_realtime'), 'enrichment_queue', 'and nothing else');
drop publication supabase_realtime;
create publication supabase_realtime for table public.enrichment_queue;
select lives_ok('select enrichment.publish_queue()', 'one that has it already is no error');

select * from finish();
rollback;
