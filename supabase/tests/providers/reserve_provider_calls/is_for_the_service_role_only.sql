-- Readers neither spend calls nor report them.
begin;
select plan(3);

select tests.act_as(tests.create_reader());
select throws_ok($$ select public.reserve_provider_calls('openlibrary') $$, '42501', null, 'a reader may not reserve');
select throws_ok($$ select public.report_provider_calls('openlibrary', 1) $$, '42501', null, 'nor report');
select tests.act_as_service();
select lives_ok($$ select public.reserve_provider_calls('openlibrary') $$, 'the service role may');

select * from finish();
rollback;
