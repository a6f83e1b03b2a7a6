-- Once no further image is sure to fit, rows wait with the reason, and go on when there is room again.
begin;
select plan(6);

select tests.create_hot_linked('One', 1), tests.create_hot_linked('Two', 2);
select tests.store_covers();
select count(*) from public.configure_enrichment('{"cover_budget_bytes": 61440, "cover_image_bytes": 30720}');
create temp table claimed as select c from public.claim_covers('worker one', 1) as c;
select count(*) from public.apply_covers((select jsonb_build_array(tests.stored(c, 'a', 30720)) from claimed));
select count(*) from public.configure_enrichment('{"cover_budget_bytes": 61439}');

select is_empty($$ select public.claim_covers('worker one') $$, 'nothing is handed out');
select results_eq(
    $$ select status::text, wait_reason, next_attempt_after from enrichment.cover_queue where is_open $$,
    $$ values ('pending', 'storage_budget', 'infinity'::timestamptz) $$, 'the row says why it waits'
);
select results_eq(
    'select wait_reason, due_at, pending, images, bytes, budget_bytes from public.enrichment_covers()',
    $$ values ('storage_budget', null::timestamptz, 1, 1::bigint, 30720::bigint, 61439::bigint) $$, 'so does the report'
);
select results_eq(
    $$ select wait_reason, "rows", until from enrichment.cover_overview where status = 'pending' $$, $$ values ('storage_budget', 1::bigint, null::timestamptz) $$,
    'and the dashboard'
);
select tests.switch_on();
select tests.enrich(tests.create_book('Catching Fire', isbn13 => '9780439023498'), tests.search_reply('Catching Fire', isbn13 => '9780439023498'));
select is(
    (select w.default_cover_url from public.works as w where w.title = 'Catching Fire'), 'https://covers.openlibrary.org/b/id/12646537-M.jpg',
    'hot-linking goes on'
);
select count(*) from public.configure_enrichment('{"cover_budget_bytes": 1000000}');
select isnt_empty($$ select public.claim_covers('worker one') $$, 'with more room it goes on');

select * from finish();
rollback;
