-- Readers may not turn switches; the service role may.
begin;
select plan(2);

select tests.create_reader() as reader \gset

select tests.act_as(:'reader');
select throws_ok($$ select public.configure_enrichment('{"auto_enabled": true}') $$, '42501', null, 'a reader is refused');
select tests.act_as_service();
select lives_ok($$ select public.configure_enrichment('{"auto_enabled": true}') $$, 'the service role is not');

select * from finish();
rollback;
