-- A lasting error ends the row at once; the work keeps its URL, and the image is not tried again.
begin;
select plan(4);

select tests.create_hot_linked() as work \gset
select tests.store_covers();
create temp table claimed as select * from public.claim_covers('worker one');

select results_eq(
    $$ select f.status::text, f.attempt_count, f.wait_reason, f.last_error from claimed as c, public.fail_cover(c.cover_id, c.claim_token, 'HTTP 404', true) as f $$,
    $$ values ('skipped', 1, null::text, 'HTTP 404') $$, 'skipped, with the error'
);
select is((select default_cover_url from public.works where id = :'work'), 'https://covers.openlibrary.org/b/id/12646537-M.jpg', 'the hot-link stays');
select enrichment.queue_covers(array[:'work'::uuid], null);
select is_empty('select 1 from enrichment.cover_queue where is_open', 'the same image is not queued again');
update public.works set default_cover_url = 'https://covers.openlibrary.org/b/id/5-M.jpg' where id = :'work';
select enrichment.queue_covers(array[:'work'::uuid], null);
select isnt_empty('select 1 from enrichment.cover_queue where is_open', 'another one is');

select * from finish();
rollback;
