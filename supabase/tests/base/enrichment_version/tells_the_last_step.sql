-- One row: the greatest version, the step that made it, and the oldest version whose package works with it.
begin;
select plan(2);

select results_eq(
    'select version, name, works_with from public.enrichment_version()',
    'select version, name, works_with from enrichment.schema_versions order by version desc limit 1', 'the last of the steps'
);
insert into enrichment.schema_versions (version, name, checksum, works_with) values (1000, '20990101000000_later', 'x', 900);
select results_eq('select version, works_with from public.enrichment_version()', 'values (1000, 900)', 'and after the next one that');

select * from finish();
rollback;
