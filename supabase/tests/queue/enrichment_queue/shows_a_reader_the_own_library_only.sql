-- A reader sees the rows of works on the own shelf and no others; without a sign-in there is nothing to see.
begin;
select plan(3);

select
    tests.create_reader('ada') as ada, tests.create_reader('bob') as bob, tests.create_book('Hers') as hers,
    tests.create_book('His') as his \gset
select tests.add_to_shelf(:'ada', :'hers'), tests.add_to_shelf(:'bob', :'his'), tests.enqueue(:'hers'), tests.enqueue(:'his');

select tests.act_as(:'ada');
select results_eq($$ select q.work_id from public.enrichment_queue as q $$, array[:'hers'::uuid], 'Ada sees hers only');
select tests.act_as(:'bob');
select results_eq($$ select q.work_id from public.enrichment_queue as q $$, array[:'his'::uuid], 'Bob sees his only');
set local role anon;
select throws_ok($$ select q.work_id from public.enrichment_queue as q $$, '42501', null, 'a visitor sees none');

select * from finish();
rollback;
