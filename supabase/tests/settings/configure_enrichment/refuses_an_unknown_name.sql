-- A misspelt setting is refused by name, and the rest of the call with it.
begin;
select plan(2);

create temp table before as select * from enrichment.settings;
select throws_ok(
    $$ select public.configure_enrichment('{"batch_size": 25, "batchsize": 30}') $$,
    'PT422', 'unknown setting: batchsize', 'the refusal names it'
);
select results_eq('select * from enrichment.settings', 'select * from before', 'nothing else is changed');

select * from finish();
rollback;
