-- Without a reader there is no library to look at.
begin;
select plan(3);

select tests.act_as(null);
select throws_ok($$ select public.trigger_enrichment('{}') $$, 'PT403', 'no reader is signed in', 'a token without a reader');
select tests.act_as_service();
select throws_ok($$ select public.trigger_enrichment('{}') $$, '42501', null, 'the service role has enqueue_enrichment');
set local role anon;
select throws_ok($$ select public.trigger_enrichment('{}') $$, '42501', null, 'a visitor may not call it');

select * from finish();
rollback;
