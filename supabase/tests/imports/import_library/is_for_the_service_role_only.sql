-- A reader's file is read by the app's server, which says whose it is.
begin;
select plan(2);

select tests.create_reader() as reader \gset
select tests.act_as(:'reader');
select throws_ok(format($$ select public.import_library(%L, 'goodreads', '[]') $$, :'reader'), '42501', null, 'a reader is refused');
select tests.act_as_service();
select lives_ok(format($$ select public.import_library(%L, 'goodreads', '[]') $$, :'reader'), 'the service role is not');

select * from finish();
rollback;
