-- A new column of the settings can be set as soon as it is there; what keeps the table at one row is no setting.
begin;
select plan(3);

alter table enrichment.settings add column colour text not null default 'blue';
comment on column enrichment.settings.colour is 'Of the spines.';
select is((select c.value from public.configure_enrichment('{"colour": "red", "batch_size": 25}') as c where c.name = 'colour'), 'red', 'it is answered');
select results_eq('select colour, batch_size from enrichment.settings', $$ values ('red', 25) $$, 'and kept, beside an old one');
select throws_ok(
    $$ select public.configure_enrichment('{"is_only_row": false}') $$, 'PT422', 'unknown setting: is_only_row', 'there is one row'
);

select * from finish();
rollback;
