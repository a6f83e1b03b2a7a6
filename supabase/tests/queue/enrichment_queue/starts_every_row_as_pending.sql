-- A queue row begins as pending; no other beginning is accepted, not even from the owner of the table.
begin;
select plan(6);

select tests.create_book() as work \gset

select throws_ok(
    format($$ insert into public.enrichment_queue (work_id, trigger_source, status) values (%L, 'manual_bulk', %L) $$, :'work', status),
    'PT409', null, status || ' is no beginning'
)
from unnest(array['in_progress', 'completed', 'needs_review', 'failed', 'skipped']) as status;
select lives_ok(
    format($$ insert into public.enrichment_queue (work_id, trigger_source) values (%L, 'manual_bulk') $$, :'work'),
    'pending is'
);

select * from finish();
rollback;
