-- What was done to a book, newest first.

create type enrichment.history_line as (
    id uuid, queue_id uuid, action text, provider text, source_record jsonb, source_url text, confidence enrichment.confidence,
    fields_changed jsonb, sentence text, is_mine boolean, created_at timestamptz, is_undoable boolean
);
comment on type enrichment.history_line is 'Something that was done to a book, or decided about it.';
comment on column enrichment.history_line.queue_id is 'Null: an import''s own columns did it, or the row is pruned.';
comment on column enrichment.history_line.action is 'auto_applied, queued_review, skipped, failed, approved, dismissed or undone.';
comment on column enrichment.history_line.provider is 'Where the values came from. Null: from nobody, or from several.';
comment on column enrichment.history_line.source_record is '{"entity_type", "provider_id", "work_key"}. Null: as provider.';
comment on column enrichment.history_line.source_url is 'Where a person can look at it. Null: there is no such page.';
comment on column enrichment.history_line.confidence is 'Null: nothing was weighed.';
comment on column enrichment.history_line.fields_changed is '{field: {"old", "new"}}.';
comment on column enrichment.history_line.sentence is 'Why, in words. Null: there is nothing to say.';
comment on column enrichment.history_line.is_mine is 'The caller did it.';
comment on column enrichment.history_line.is_undoable is 'undo_enrichment of queue_id would take it back for the caller now.';

create function enrichment.enrichment_history_impl(work_id uuid)
returns setof enrichment.history_line
language plpgsql stable security definer set search_path = '' set jit = off
as $$
declare
    reader uuid := enrichment.acting_reader();
    undoable uuid[];
begin
    if not exists (select 1 from public.works as w where w.id = enrichment_history_impl.work_id) then
        perform enrichment.refuse('PT404', format('no work %s', enrichment_history_impl.work_id), 'work_id is an id of public.works');
    end if;
    perform enrichment.refuse_foreign_work(enrichment_history_impl.work_id);
    undoable := enrichment.undoable_rows(
        reader, array(select q.id from public.enrichment_queue as q where q.work_id = enrichment_history_impl.work_id)
    );
    return query
    select
        a.id, a.enrichment_queue_id, a.action::text, a.provider::text, a.source_record,
        enrichment.source_url(a.provider, a.source_record ->> 'work_key'), a.confidence, a.fields_changed, a.match_details ->> 'sentence',
        a.actor is not distinct from reader, a.created_at,
        coalesce(a.action in ('auto_applied', 'approved') and a.enrichment_queue_id = any(undoable), false)
    from public.enrichment_audit_log as a
    where a.work_id = enrichment_history_impl.work_id
    order by a.created_at desc, a.id desc
    limit 200;
end
$$;
