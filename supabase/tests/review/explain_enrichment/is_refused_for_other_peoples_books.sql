-- A reader looks at the own library only; the service at every work there is.
begin;
select plan(4);

select tests.create_reader('ada') as ada, tests.create_reader('bob') as bob, tests.create_book() as work \gset
select tests.add_to_shelf(:'ada', :'work');

select tests.act_as(:'bob');
select throws_ok(format('select * from public.explain_enrichment(%L)', :'work'), 'PT403', null, 'it is not Bob''s book');
select tests.act_as(:'ada');
select lives_ok(format('select * from public.explain_enrichment(%L)', :'work'), 'it is Ada''s');
select throws_ok('select * from public.explain_enrichment(gen_random_uuid())', 'PT404', null, 'nobody has it');
select tests.act_as_service();
select throws_ok('select * from public.explain_enrichment(gen_random_uuid())', 'PT404', null, 'no such work');

select * from finish();
rollback;
