-- A book without gaps costs nothing: no row, no change. A locked gap is none.
begin;
select plan(3);

select tests.create_book('Complete') as complete, tests.create_book('Locked') as locked \gset
select tests.fill_every_gap(:'complete'), tests.fill_every_gap(:'locked');
update public.works set description = null where id = :'locked';
select count(*) from public.lock_fields(:'locked', array['work.description']);

select results_eq(
    format($$ select o.outcome from public.enqueue_enrichment(array[%L, %L]::uuid[]) as o $$, :'complete', :'locked'),
    array['complete', 'complete'], 'both are complete'
);
select is_empty($$ select 1 from public.enrichment_queue $$, 'no row is made');
select is((select w.enrichment_status from public.works as w where w.id = :'complete'), null, 'its badge is not touched');

select * from finish();
rollback;
