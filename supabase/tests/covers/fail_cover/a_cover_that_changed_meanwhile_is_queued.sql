-- Its image is gone, and the work shows another one by now: that one gets in line, whether the row ended or waits.
begin;
select plan(2);

select tests.store_covers();
select tests.create_hot_linked('Ended', 1) as ended, tests.create_hot_linked('Waiting', 2) as waiting \gset
create temp table claimed as select * from public.claim_covers('worker one');
update public.works set default_cover_url = replace(default_cover_url, '-M.jpg', '77-M.jpg') where id in (:'ended', :'waiting');
select enrichment.queue_covers(array[:'ended', :'waiting']::uuid[], null);
select public.fail_cover(c.cover_id, c.claim_token, 'HTTP 404', c.work_id = :'ended') from claimed as c;

select results_eq(
    'select w.title::text, q.status::text, q.source_url = w.default_cover_url from enrichment.cover_queue as q join public.works as w on w.id = q.work_id order by w.title, q.created_at, q.status',
    $$ values ('Ended', 'pending', true), ('Ended', 'skipped', false), ('Waiting', 'pending', true) $$, 'each work has its present cover in line'
);
select is((select count(*)::integer from enrichment.cover_queue where is_open), 2, 'once');

select * from finish();
rollback;
