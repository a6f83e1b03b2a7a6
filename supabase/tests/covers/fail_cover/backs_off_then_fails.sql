-- Other errors spend an attempt each; the last one ends the row.
begin;
select plan(3);

select tests.create_hot_linked();
select tests.store_covers();
create function pg_temp.try() returns table (status text, attempts integer, waits interval, reason text) language sql as $$
    select f.status::text, f.attempt_count, f.next_attempt_after - now(), f.wait_reason
    from tests.claim_cover() as c, lateral public.fail_cover(c.cover_id, c.claim_token, 'crash') as f
$$;
select results_eq('select * from pg_temp.try()', $$ values ('pending', 1, tests.span('backoff_base_seconds'), 'backoff') $$, 'back to pending, a while later');
update enrichment.cover_queue set next_attempt_after = now(), attempt_count = max_attempts - 1;
select results_eq(
    'select status, attempts, reason from pg_temp.try()', $$ values ('failed', tests.setting('max_attempts')::integer, null::text) $$, 'the last time it fails'
);
select throws_ok(
    $$ select public.fail_cover(id, gen_random_uuid(), 'again') from enrichment.cover_queue $$, 'PT409', null, 'a closed row is not failed again'
);

select * from finish();
rollback;
