-- A call that names one setting changes that one and answers with all of them.
begin;
select plan(3);

select count(*) as settings from public.configure_enrichment('{"batch_size": 25}') \gset

select is((select s.batch_size from enrichment.settings as s), 25, 'the named setting is changed');
select is((select s.provider_delay_ms from enrichment.settings as s), 500, 'the others are not');
select is(:settings, (select count(*)::integer from enrichment.list_settings()), 'all settings are answered');

select * from finish();
rollback;
