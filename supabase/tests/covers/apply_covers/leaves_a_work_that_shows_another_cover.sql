-- What was changed or locked meanwhile is not swapped; a new cover of a storable kind gets in line itself.
begin;
select plan(5);

select tests.create_hot_linked('Changed', 1) as changed, tests.create_hot_linked('Emptied', 2) as emptied, tests.create_hot_linked('Locked', 3) as locked \gset
select tests.store_covers();
create temp table claimed as select c, (c).work_id from public.claim_covers('worker one') as c;
update public.works set default_cover_url = 'https://covers.openlibrary.org/b/id/99-M.jpg' where id = :'changed';
update public.works set default_cover_url = null where id = :'emptied';
select public.lock_fields(:'locked', array['work.cover_url']);

select bag_eq(
    $$ select work_id, outcome, status::text from public.apply_covers((select jsonb_agg(tests.stored(c)) from claimed)) $$,
    format($$ values (%L::uuid, 'url_changed', 'skipped'), (%L, 'url_changed', 'skipped'), (%L, 'locked', 'skipped') $$, :'changed', :'emptied', :'locked'),
    'each is told'
);
select is((select default_cover_url from public.works where id = :'changed'), 'https://covers.openlibrary.org/b/id/99-M.jpg', 'the new cover stays');
select is((select default_cover_url from public.works where id = :'emptied'), null, 'what was emptied stays empty');
select is((select default_cover_url from public.works where id = :'locked'), 'https://covers.openlibrary.org/b/id/3-M.jpg', 'what is locked stays');
select results_eq(
    'select work_id, source_url from enrichment.cover_queue where is_open', format($$ values (%L::uuid, 'https://covers.openlibrary.org/b/id/99-M.jpg') $$, :'changed'),
    'the new cover is in line'
);

select * from finish();
rollback;
