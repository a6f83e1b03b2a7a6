-- What the project may ask of others is not for readers.
begin;
select plan(2);

select tests.act_as(tests.create_reader());
select throws_ok($$ select public.enrichment_providers() $$, '42501', null, 'a reader is refused');
select tests.act_as_service();
select lives_ok($$ select public.enrichment_providers() $$, 'the service role sees it');

select * from finish();
rollback;
