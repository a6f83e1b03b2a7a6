-- Dismissing skips the row and logs who did it; the catalogue is left as it was.
begin;
select plan(4);

select tests.create_reader() as ada, tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.add_to_shelf(:'ada', :'work');
select tests.bring_to_review(:'work') as row \gset
create temp table before as select * from public.editions;
select tests.act_as(:'ada');
select results_eq(
    format('select status::text, fields_applied from public.dismiss_enrichment(%L)', :'row'), $$ values ('skipped', '{}'::text[]) $$, 'the row is skipped'
);
select tests.act_as_owner();

select set_eq('select * from public.editions', 'select * from before', 'the edition is as it was');
select is((select a.actor from public.enrichment_audit_log as a where a.action = 'dismissed'), :'ada', 'the log names the reader');
select is((select w.enrichment_status from public.works as w), 'skipped', 'and the work shows it');

select * from finish();
rollback;
