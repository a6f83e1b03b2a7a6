-- A row that contradicts itself is refused by a constraint whose name says what must be true.
begin;
select plan(5);

select tests.switch_on();
select tests.enqueue(tests.create_book()) as row \gset

create function pg_temp.refused(change text, constraint_name text)
returns text
language sql
as $$
    select throws_like(
        format('update public.enrichment_queue set %s where id = %L', refused.change, (select q.id from public.enrichment_queue as q)),
        '%' || refused.constraint_name || '%', refused.constraint_name
    )
$$;

select pg_temp.refused('finished_at = now()', 'finished_at_is_set_when_closed');
select pg_temp.refused('claim_token = gen_random_uuid()', 'a_claim_has_a_token');
select pg_temp.refused('wait_reason = null', 'a_waiting_row_says_why');
select pg_temp.refused('attempt_count = max_attempts + 1', 'attempts_stay_within_their_limit');
select pg_temp.refused('attempt_count = -1', 'attempts_stay_within_their_limit');

select * from finish();
rollback;
