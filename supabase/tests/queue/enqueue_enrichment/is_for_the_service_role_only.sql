-- Readers have trigger_enrichment; only the service role may queue any book with any priority.
begin;
select plan(2);

select tests.create_reader() as reader \gset
select tests.act_as(:'reader');
select throws_ok($$ select public.enqueue_enrichment('{}') $$, '42501', null, 'a reader is refused');
select tests.act_as_service();
select lives_ok($$ select public.enqueue_enrichment('{}') $$, 'the service role is not');

select * from finish();
rollback;
