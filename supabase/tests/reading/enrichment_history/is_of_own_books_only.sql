-- A book that is not on the shelf keeps its history to itself; one that does not exist has none.
begin;
select plan(3);

select tests.create_reader() as ada, tests.create_book() as work \gset
select tests.act_as(:'ada');
select throws_ok(format('select * from public.enrichment_history(%L)', :'work'), 'PT403', null, 'not her book');
select throws_ok('select * from public.enrichment_history(gen_random_uuid())', 'PT404', null, 'no book');
select tests.act_as_service();
select is_empty(format('select * from public.enrichment_history(%L)', :'work'), 'the service may look: nothing was done');

select * from finish();
rollback;
