-- A reader without books gets one row all the same.
begin;
select plan(1);

select tests.create_reader() as ada \gset
select tests.act_as(:'ada');
select results_eq('select books, missing_cover, pending, covers_applied, next_due_at, next_reason from public.enrichment_summary()', 'values (0, 0, 0, 0, null::timestamptz, null::text)', 'nothing, in one row');

select * from finish();
rollback;
