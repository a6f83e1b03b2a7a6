-- Whether an undo would be taken now: what a page asks before it offers one. The refusals themselves, each with its sentence, are in
-- undo.sql; a test holds both together.

create function enrichment.undoable_rows(reader uuid, queue_ids uuid[])
returns uuid[]
language plpgsql stable set search_path = ''
as $$
begin
    -- The log is asked once for all: 1,000 rows one by one took half a second.
    return array(
        select q.id
        from public.enrichment_queue as q
        where q.id = any(undoable_rows.queue_ids) and not q.is_open and q.undone_at is null and enrichment.may_undo(undoable_rows.reader, q)
            and (
                q.status = 'needs_review'
                or q.id in (select w.enrichment_queue_id from enrichment.logged_writes(undoable_rows.queue_ids, null, null) as w)
            )
    );
end
$$;
comment on function enrichment.undoable_rows(uuid, uuid[]) is
'Those of these queue rows that undo_enrichment() would take back now for a reader (null: the service): that may be theirs to undo, have ended or are in review, were not undone, and wrote something or still ask.';
