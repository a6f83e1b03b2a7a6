-- A claim takes the number asked for, else what the setting says, and leaves the rest for others.
begin;
select plan(3);

select tests.switch_on();
select tests.enqueue(tests.create_book('Book ' || n)) from generate_series(1, 6) as n;
select count(*) from public.configure_enrichment('{"batch_size": 3}');

select is((select count(*) from public.claim_enrichment('worker one', 2)), 2::bigint, 'two were asked for');
select is((select count(*) from public.claim_enrichment('worker two')), 3::bigint, 'three is the setting');
select is(
    (select count(*) from public.enrichment_queue as q where q.status = 'pending' and q.attempt_count = 0),
    1::bigint, 'one is left untouched'
);

select * from finish();
rollback;
