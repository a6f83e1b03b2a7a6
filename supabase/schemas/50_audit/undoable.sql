-- Whether an undo would be taken now: what a page asks before it offers one. The refusals themselves, each with its sentence, are in
-- undo.sql; a test holds both together.

create function enrichment.is_undoable(reader uuid, undone public.enrichment_queue)
returns boolean
language plpgsql stable set search_path = ''
as $$
begin
    return not undone.is_open and undone.undone_at is null and enrichment.may_undo(is_undoable.reader, undone) and (
        undone.status = 'needs_review' or exists (select 1 from enrichment.logged_writes(array[undone.id], null, null))
    );
end
$$;
comment on function enrichment.is_undoable(uuid, public.enrichment_queue) is
'Whether undo_enrichment() would take this row back now for a reader (null: the service): it may be theirs to undo, has ended or is in review, was not undone, and wrote something or still asks.';
