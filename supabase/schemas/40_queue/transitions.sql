-- The state diagram, kept by the database itself, whoever tries: rows start as pending and move along eight transitions; what was
-- undone stays undone.

create function enrichment.refuse_missing_transition()
returns trigger
language plpgsql set search_path = ''
as $$
begin
    if tg_op = 'INSERT' then
        perform enrichment.refuse(
            'PT409', format('a queue row for work %s cannot start as %s', new.work_id, new.status),
            'insert it as pending, or call enqueue_enrichment()'
        );
    elsif (old.status, new.status) not in (
        ('pending', 'in_progress'), ('in_progress', 'pending'), ('in_progress', 'completed'), ('in_progress', 'needs_review'),
        ('in_progress', 'skipped'), ('in_progress', 'failed'), ('needs_review', 'completed'), ('needs_review', 'skipped')
    ) then
        perform enrichment.refuse(
            'PT409', format('queue row %s cannot go from %s to %s', old.id, old.status, new.status),
            case when old.finished_at is null then 'claim it first' else 'a closed row stays closed; enqueue the work again' end
        );
    end if;
    return new;
end
$$;
comment on function enrichment.refuse_missing_transition() is 'The state diagram: rows start as pending and move only along these eight transitions.';

create trigger queue_rows_start_as_pending before insert on public.enrichment_queue
for each row when (new.status <> 'pending') execute function enrichment.refuse_missing_transition();

create trigger queue_rows_follow_transitions before update of status on public.enrichment_queue
for each row when (old.status <> new.status) execute function enrichment.refuse_missing_transition();

create function enrichment.refuse_second_undo()
returns trigger
language plpgsql set search_path = ''
as $$
begin
    perform enrichment.refuse('PT409', format('queue row %s was undone already', old.id), 'enqueue the work again');
    return new;
end
$$;
comment on function enrichment.refuse_second_undo() is 'What was undone stays so: a row is undone once, and its mark is never moved or removed.';

create trigger queue_rows_are_undone_once before update of undone_at on public.enrichment_queue
for each row when (old.undone_at is not null and new.undone_at is distinct from old.undone_at)
execute function enrichment.refuse_second_undo();
