-- A misspelt setting is refused by name, and the rest of the call with it.
begin;
select plan(2);

select throws_ok(
    $$ select public.configure_enrichment('{"batch_size": 25, "batchsize": 30}') $$,
    'PT422', 'unknown setting: batchsize', 'the refusal names it'
);
select is((select s.batch_size from enrichment.settings as s), 10, 'nothing else is changed');

select * from finish();
rollback;
