-- Rows in every state, before each reader: what list_enrichment() promises is what undo_enrichment() does. is_mine is another question.
begin;
select plan(5);

select tests.create_reader('ada') as ada, tests.create_reader('bob') as bob \gset
select
    tests.create_book(isbn13 => '9780439023481') as applied, tests.create_book('Dune', 'Frank Herbert') as skipped,
    tests.create_book('Emma', 'Jane Austen') as waiting, tests.create_book(isbn13 => '9780439023528') as undone \gset
select tests.add_to_shelf(reader, work)
from unnest(array[:'ada', :'bob']::uuid[]) as reader cross join unnest(array[:'applied', :'skipped', :'waiting', :'undone']::uuid[]) as work;
select tests.bring_to_review(:'undone', '9780439023528') as taken_back \gset
select count(*) from public.undo_enrichment(:'taken_back');
select tests.bring_to_review(:'applied') as in_review \gset
update public.enrichment_queue set triggered_by = :'ada' where id = :'in_review';
select tests.enqueue(:'skipped', triggered_by => :'ada') as nobody_knows \gset
create temp table held as select tests.claim_one() as claim;
select count(*) from public.apply_enrichment((select tests.answer_with(held.claim, null) from held));
select tests.enqueue(:'waiting', triggered_by => :'ada') as in_line \gset

create function pg_temp.takes_back(queue_id uuid)
returns boolean
language plpgsql
as $$
begin
    perform public.undo_enrichment(takes_back.queue_id);
    raise exception using errcode = 'BE001';
exception
    when sqlstate 'BE001' then
        return true;
    when sqlstate 'PT403' or sqlstate 'PT409' then
        return false;
end
$$;

select tests.act_as(:'ada');
select is_empty('select queue_id, is_undoable from public.list_enrichment() where is_undoable <> pg_temp.takes_back(queue_id)', 'before Ada');
select results_eq(
    'select queue_id, is_mine from public.list_enrichment() where is_undoable', format('values (%L::uuid, true)', :'in_review'), 'the one row of hers that wrote'
);
select is((select count(*) from public.list_enrichment() where is_mine), 3::bigint, 'though three are hers');
select tests.act_as(:'bob');
select is_empty('select queue_id from public.list_enrichment() where is_undoable or pg_temp.takes_back(queue_id)', 'before Bob, who only has the books');
select tests.act_as_service();
select is_empty('select queue_id, is_undoable from public.list_enrichment() where is_undoable <> pg_temp.takes_back(queue_id)', 'before the service');

select * from finish();
rollback;
