-- What is wrong with a project is nothing for its readers.
begin;
select plan(2);

select tests.act_as(tests.create_reader());
select throws_ok('select public.enrichment_health()', '42501', null, 'a reader may not ask');
select tests.act_as_service();
select isnt_empty('select public.enrichment_health()', 'the service role may');

select * from finish();
rollback;
