-- A value a setting cannot take is refused as malformed and changes nothing.
begin;
select plan(5);

select throws_ok($$ select public.configure_enrichment('{"batch_size": 0}') $$, 'PT422', null, 'a number out of bounds');
select throws_ok($$ select public.configure_enrichment('{"auto_enabled": "perhaps"}') $$, 'PT422', null, 'a word for a switch');
select throws_ok($$ select public.configure_enrichment('{"max_attempts": null}') $$, 'PT422', null, 'nothing where something must be');
select throws_ok($$ select public.configure_enrichment('[]') $$, 'PT422', null, 'a list for an object');
select ok((select s.batch_size = 10 and not s.auto_enabled and s.max_attempts = 3 from enrichment.settings as s), 'nothing is changed');

select * from finish();
rollback;
