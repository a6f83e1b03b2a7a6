-- Rows of a worker that was killed are neither lost nor stuck: another one brings each of them to an end.
begin;
select plan(4);

select tests.switch_on();
select tests.enqueue(tests.create_book('Book ' || n)) from generate_series(1, 5) as n;
select count(*) from public.claim_enrichment('worker one', 3);
select tests.grow_stale();

select is((select count(*) from public.reset_stale_enrichment()), 3::bigint, 'three claims are taken back');
select results_eq(
    $$ select q.status::text, q.wait_reason, count(*)
    from public.enrichment_queue as q group by q.status, q.wait_reason order by q.wait_reason $$,
    $$ values ('pending', 'queued', 2::bigint), ('pending', 'stale', 3) $$, 'all five are pending and say why'
);
update public.enrichment_queue set next_attempt_after = now();
select count(*)
from public.claim_enrichment('worker two') as c
cross join public.apply_enrichment(tests.answer(
    c, jsonb_build_array(jsonb_build_object('provider', 'openlibrary', 'kind', 'title', 'key', c.lookups #>> '{0,key}', 'no_match', true))
));
select is((select count(*) from public.enrichment_queue as q where q.status = 'skipped'), 5::bigint, 'all five come to their end');
select is((select d.pending + d.in_progress from public.enrichment_due() as d), 0, 'nothing is left to do');

select * from finish();
rollback;
