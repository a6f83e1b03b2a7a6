-- Only failures in a row count: a success in between starts the count anew.
begin;
select plan(2);

select tests.switch_on();
select count(*) from public.report_provider_calls('openlibrary', failed => 4);
select results_eq($$ select r.failures from public.report_provider_calls('openlibrary', succeeded => 1) as r $$, array[0], 'a success');
select count(*) from public.report_provider_calls('openlibrary', failed => 4);
select is((select r.granted from public.reserve_provider_calls('openlibrary') as r), 1, 'four and four are not five in a row');

select * from finish();
rollback;
