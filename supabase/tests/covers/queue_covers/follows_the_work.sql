-- One open row per work, for the cover it shows now; a locked one gets none.
begin;
select plan(4);

select tests.store_covers();
select tests.create_hot_linked('One', 1) as work, tests.create_hot_linked('Locked', 2) as locked \gset
select public.lock_fields(:'locked', array['work.cover_url']);
select enrichment.queue_covers(array[:'work', :'locked', :'work']::uuid[], null);
select results_eq('select work_id from enrichment.cover_queue', array[:'work'::uuid], 'one row');
update public.works set default_cover_url = 'https://covers.openlibrary.org/b/id/3-M.jpg' where id = :'work';
select enrichment.queue_covers(array[:'work'::uuid], null);
select results_eq('select source_url from enrichment.cover_queue', array['https://covers.openlibrary.org/b/id/3-M.jpg'], 'that follows the work');
select throws_ok($$ update enrichment.cover_queue set status = 'completed', wait_reason = null, finished_at = now() $$, 'PT409', null, 'a transition that is not drawn is refused');
select throws_ok($$ insert into enrichment.cover_queue (work_id, provider, source_url, status, wait_reason) select work_id, provider, source_url, 'in_progress', null from enrichment.cover_queue $$, 'PT409', null, 'rows start as pending');

select * from finish();
rollback;
