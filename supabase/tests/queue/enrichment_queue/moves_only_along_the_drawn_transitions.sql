-- Of the thirty ways from one state to another the eight of the diagram are open and twenty-two are refused.
begin;
select plan(30);

create function pg_temp.row_in(status enrichment.queue_status)
returns uuid
language plpgsql
as $$
declare
    new_id uuid;
begin
    insert into public.enrichment_queue (work_id, trigger_source) values (tests.create_book(), 'manual_bulk') returning id into new_id;
    if row_in.status <> 'pending' then
        perform pg_temp.move(new_id, 'in_progress');
    end if;
    if row_in.status not in ('pending', 'in_progress') then
        perform pg_temp.move(new_id, row_in.status);
    end if;
    return new_id;
end
$$;

create function pg_temp.move(id uuid, status enrichment.queue_status)
returns void
language sql
as $$
    update public.enrichment_queue
    set status = move.status,
        wait_reason = case when move.status = 'pending' then 'queued' end,
        claim_token = case when move.status = 'in_progress' then gen_random_uuid() end,
        finished_at = case when move.status in ('completed', 'failed', 'skipped') then now() end
    where enrichment_queue.id = move.id
$$;

with states as (select unnest(enum_range(null::enrichment.queue_status)) as state),

moves as (
    select
        format('select pg_temp.move(pg_temp.row_in(%L), %L)', here.state, there.state) as sql, here.state || ' to ' || there.state as transition,
        (here.state || ' ' || there.state) = any(array[
            'pending in_progress', 'in_progress pending', 'in_progress completed', 'in_progress needs_review', 'in_progress skipped',
            'in_progress failed', 'needs_review completed', 'needs_review skipped'
        ]) as is_drawn
    from states as here
    join states as there on there.state <> here.state
)

select case
    when m.is_drawn then lives_ok(m.sql, m.transition || ' is drawn')
    else throws_ok(m.sql, 'PT409', null, m.transition || ' is refused')
end
from moves as m;

select * from finish();
rollback;
