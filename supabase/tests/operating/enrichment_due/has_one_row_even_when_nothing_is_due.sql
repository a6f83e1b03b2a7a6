-- The answer is always one row; without a time where nothing will be due by itself.
begin;
select plan(3);

select results_eq(
    $$ select d.due_at, d.due_in, d.pending, d.in_progress from public.enrichment_due() as d $$,
    $$ values (null::timestamptz, null::numeric, 0, 0) $$, 'an empty queue'
);
select tests.enqueue(tests.create_book(), 'post_import');
select results_eq(
    $$ select d.due_at, d.due_in, d.pending from public.enrichment_due() as d $$, $$ values (null::timestamptz, null::numeric, 1) $$,
    'a row that waits for a switch is pending, but no time is known'
);
select tests.switch_on();
select count(*) from tests.claim_one();
select results_eq(
    $$ select d.due_at, d.pending, d.in_progress from public.enrichment_due() as d $$, $$ values (null::timestamptz, 0, 1) $$,
    'a row in progress is somebody else''s'
);

select * from finish();
rollback;
