-- As enrichment_usage() does: whoever has a larger plan says so once, in database_budget_bytes.
begin;
select plan(2);

select count(*) from public.configure_enrichment(jsonb_build_object('database_budget_bytes', pg_database_size(current_database()) * 2));
select matches(tests.health('database size'), '^ok: \d+ [kM]B of \d+ [kM]B \(database_budget_bytes\)$', 'half of it is used');
select count(*) from public.configure_enrichment(jsonb_build_object('database_budget_bytes', pg_database_size(current_database())));
select matches(tests.health('database size'), '^warn: ', 'all of it');

select * from finish();
rollback;
