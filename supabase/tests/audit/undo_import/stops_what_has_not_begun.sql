-- Rows that are still in line would fill the books after all: they are skipped. One in a worker's hands is named and left; so is one a person asked for since.
begin;
select plan(5);

select tests.switch_on();
select tests.create_reader() as ada \gset
select count(*) from tests.import(:'ada', tests.csv_row(2, 'One'), tests.csv_row(3, 'Two'), tests.csv_row(4, 'Three'));
select id as import from enrichment.imports \gset
select (tests.claim_one()).queue_id as claimed \gset
select queue_id as wanted, work_id as wanted_work from enrichment.import_rows where queue_id <> :'claimed' order by row_number limit 1 \gset
select tests.act_as(:'ada');
select count(*) from public.trigger_enrichment(array[:'wanted_work']::uuid[]);
create temp table outcome as select * from public.undo_import(:'import');
select tests.act_as_owner();

select is((select count(*) from outcome where status = 'skipped' and reason is null), 1::bigint, 'the one in line is skipped');
select results_eq(
    $$ select status::text, undone_at is not null, claim_token from public.enrichment_queue where status = 'skipped' $$, $$ values ('skipped', true, null::uuid) $$, 'and undone'
);
select matches((select reason from outcome where queue_id = :'claimed'), 'a worker has it in hand', 'the claimed one is named');
select matches((select reason from outcome where queue_id = :'wanted'), 'asked for again', 'so is the one she asked for');
select results_eq(
    format('select status::text from unnest(array[%L, %L]::uuid[]) as id cross join lateral tests.queue_row(id)', :'claimed', :'wanted'), array['in_progress', 'pending'],
    'both go on'
);

select * from finish();
rollback;
