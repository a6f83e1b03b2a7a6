-- Waiting never spends attempts: a row may be claimed and released without end.
begin;
select plan(2);

select tests.switch_on();
select tests.enqueue(tests.create_book()) as row \gset

do $$
begin
    for round in 1..20 loop
        perform public.release_enrichment(c.queue_id, c.claim_token, 'unreachable') from tests.claim_one() as c;
    end loop;
end
$$;

select results_eq(
    $$ select q.status::text, q.attempt_count::integer, q.wait_reason
    from public.enrichment_queue as q $$, $$ values ('pending', 0, 'unreachable') $$,
    'after twenty rounds no attempt is spent'
);
select is((tests.claim_one()).attempt_count, 1, 'the next claim is the first attempt');

select * from finish();
rollback;
