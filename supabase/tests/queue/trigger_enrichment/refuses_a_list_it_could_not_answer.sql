-- More than 1,000 works are refused, because the reply would be cut without a word.
begin;
select plan(1);

select tests.act_as(tests.create_reader());
select throws_ok($$ select public.trigger_enrichment(array_fill(gen_random_uuid(), array[1001])) $$, 'PT422', null, 'the list is refused');

select * from finish();
rollback;
