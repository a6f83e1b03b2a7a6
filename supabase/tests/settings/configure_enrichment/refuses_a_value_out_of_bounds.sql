-- A value a setting cannot take is refused as malformed and changes nothing.
begin;
select plan(5);

create temp table before as select * from enrichment.settings;
select throws_ok($$ select public.configure_enrichment('{"batch_size": 0}') $$, 'PT422', null, 'a number out of bounds');
select throws_ok($$ select public.configure_enrichment('{"auto_enabled": "perhaps"}') $$, 'PT422', null, 'a word for a switch');
select throws_ok($$ select public.configure_enrichment('{"max_attempts": null}') $$, 'PT422', null, 'nothing where something must be');
select throws_ok($$ select public.configure_enrichment('[]') $$, 'PT422', null, 'a list for an object');
select results_eq('select * from enrichment.settings', 'select * from before', 'nothing is changed');

select * from finish();
rollback;
