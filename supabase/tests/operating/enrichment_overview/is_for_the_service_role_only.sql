-- How busy the whole project is, and when a worker should come back, are not for readers.
begin;
select plan(4);

select tests.act_as(tests.create_reader());
select throws_ok($$ select public.enrichment_overview() $$, '42501', null, 'a reader is refused the overview');
select throws_ok($$ select public.enrichment_due() $$, '42501', null, 'and the due time');
select tests.act_as_service();
select lives_ok($$ select public.enrichment_overview() $$, 'the service role sees the one');
select lives_ok($$ select public.enrichment_due() $$, 'and the other');

select * from finish();
rollback;
