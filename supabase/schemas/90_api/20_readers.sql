-- The verbs of readers, which the service role may call too: what the page shows and what a person decides. Wrappers as in 10_service.

create function public.approve_enrichment(queue_id uuid, fields text[] default null, candidate text default null)
returns setof enrichment.review_outcome
language sql set search_path = ''
as $$
    select * from enrichment.approve_enrichment_impl(approve_enrichment.queue_id, approve_enrichment.fields, approve_enrichment.candidate)
$$;
comment on function public.approve_enrichment(uuid, text[], text) is
'Writes the named proposals (null: all) of a row in review where the field is still empty, and closes it. Where match_details.rivals shows several books, candidate (provider:work_key; null: the best) chooses one and writes its values; the others are passed over for this work. fields_skipped had been filled or locked meanwhile; what was left unticked is not proposed again from that candidate. PT404, PT403, PT409, PT422.';

create function public.dismiss_enrichment(queue_id uuid)
returns setof enrichment.review_outcome
language sql set search_path = ''
as $$
    select * from enrichment.dismiss_enrichment_impl(dismiss_enrichment.queue_id)
$$;
comment on function public.dismiss_enrichment(uuid) is
'Closes a row in review as skipped; the candidates it proposes, rivals included, are never proposed for this work again. PT404, PT403, PT409.';

create function public.lock_fields(work_id uuid, fields text[], edition_id uuid default null)
returns setof enrichment.field_lock
language sql set search_path = ''
as $$
    select * from enrichment.lock_fields_impl(lock_fields.work_id, lock_fields.fields, lock_fields.edition_id)
$$;
comment on function public.lock_fields(uuid, text[], uuid) is
'Locks fields of a work, or of one of its editions, so that enrichment never fills them. Returns all locks of both. PT404, PT403, PT422.';

create function public.unlock_fields(work_id uuid, fields text[], edition_id uuid default null)
returns setof enrichment.field_lock
language sql set search_path = ''
as $$
    select * from enrichment.unlock_fields_impl(unlock_fields.work_id, unlock_fields.fields, unlock_fields.edition_id)
$$;
comment on function public.unlock_fields(uuid, text[], uuid) is
'Takes locks of a work, or of one of its editions, away again, whoever set them; a field that has none is no error. Returns the locks that are left. PT404, PT403, PT422.';

create function public.explain_enrichment(work_id uuid)
returns setof enrichment.explained_candidate
language sql set search_path = ''
as $$
    select * from enrichment.explain_enrichment_impl(explain_enrichment.work_id)
$$;
comment on function public.explain_enrichment(uuid) is
'Every candidate the valid records hold for a work, best first, dismissed ones last: its scores, each part with its value, one sentence, what it would fill. Queued or not; nothing is written. Zero rows: no provider was asked lately, or none knows it. PT403, PT404, PT409 where the book is being worked on for seconds on end.';

create function public.preview_enrichment(work_ids uuid[])
returns setof enrichment.preview
language sql set search_path = ''
as $$
    select * from enrichment.preview_enrichment_impl(preview_enrichment.work_ids)
$$;
comment on function public.preview_enrichment(uuid[]) is
'What would happen if these works (up to 1,000) were triggered now: status the row would come to (pending: after writing what is_applied it asks the provider in lookups; null: it would not be queued, the sentence says why), and per field the value, its provider, the current value, whether it is written or proposed. Nothing is written. PT403, PT404, PT409 where one of them is being worked on for seconds on end, PT422.';

create function public.undo_enrichment(queue_id uuid)
returns setof enrichment.undo_outcome
language sql set search_path = ''
as $$
    select * from enrichment.undo_enrichment_impl(undo_enrichment.queue_id)
$$;
comment on function public.undo_enrichment(uuid) is
'Puts back what a row wrote, its cover included: fields_restored. A value that was changed since stays: fields_kept. A row in review is skipped, any other keeps its state and says undone_at; works.enrichment_status shows the outcome before it. The same candidate does not fill those fields again, and what was dismissed stays so; rivals that were passed over may be chosen when the book is asked for again. For whoever triggered or approved the row, and the service. PT404, PT403, PT409 for a row that is open, was undone or wrote nothing.';

create function public.undo_import(import_id uuid)
returns setof enrichment.undo_outcome
language sql set search_path = ''
as $$
    select * from enrichment.undo_import_impl(undo_import.import_id)
$$;
comment on function public.undo_import(uuid) is
'Undoes an own import, up to 1,000 books a call: what its queue rows wrote and what the file''s own columns filled in books that were there before, as undo_enrichment(); rows in review or not begun yet are skipped. Books stay on the shelf. One line per book that changed, or that could not with the reason; call again while a line without reason comes back. PT404, PT403.';

create function public.approve_matching(
    confidence text default null, provider text default null, sentence text default null, import_id uuid default null,
    fields text[] default null, is_dry_run boolean default true
)
returns setof enrichment.matching_outcome
language sql set search_path = ''
as $$
    select * from enrichment.approve_matching_impl(
        approve_matching.confidence, approve_matching.provider, approve_matching.sentence, approve_matching.import_id,
        approve_matching.fields,
        approve_matching.is_dry_run
    )
$$;
comment on function public.approve_matching(text, text, text, uuid, text[], boolean) is
'Approves the rows in review of the own library that fit every filter given: confidence, the sentence, the import, provider (all that is proposed comes from it). fields: only these are written, where they are proposed; the rest is dropped as if left unticked. Rows that show rivals are left: each wants a choice of its own. A dry run, the default, counts rows and the fields that would be filled and changes nothing. At most 1,000 rows and five seconds a call, the oldest first: remaining says how many were left for the next; skipped rows were taken by somebody meanwhile, or refused. Call again while changed is more than 0 and so is remaining. PT403, PT404, PT422.';

create function public.dismiss_matching(
    confidence text default null, provider text default null, sentence text default null, import_id uuid default null,
    is_dry_run boolean default true
)
returns setof enrichment.matching_outcome
language sql set search_path = ''
as $$
    select * from enrichment.dismiss_matching_impl(
        dismiss_matching.confidence, dismiss_matching.provider, dismiss_matching.sentence, dismiss_matching.import_id,
        dismiss_matching.is_dry_run
    )
$$;
comment on function public.dismiss_matching(text, text, text, uuid, boolean) is
'Dismisses the rows in review of the own library that fit every filter given, as approve_matching() finds them; a dry run by default, whose fields say what would be given up. At most 1,000 rows a call. PT403, PT404, PT422.';

create function public.enrichment_status(work_ids uuid[])
returns setof enrichment.work_state
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_status_impl(enrichment_status.work_ids)
$$;
comment on function public.enrichment_status(uuid[]) is
'One line per work of the own library: state of its newest queue row (null: never queued), why it waits and until when (null: until a setting changes), what was filled. Works that are not in the library are left out.';

create function public.list_enrichment(status text default null, page_size integer default 50, cursor text default null)
returns setof enrichment.listed_row
language sql stable set search_path = ''
as $$
    select * from enrichment.list_enrichment_impl(list_enrichment.status, list_enrichment.page_size, list_enrichment.cursor)
$$;
comment on function public.list_enrichment(text, integer, text) is
'Queue rows of the own library, newest first, each with all that a review panel shows: the sentence, every value as it is now, every proposal beside it, is_mine (it was you who asked for the row or approved it; true for the service) and is_undoable (undo_enrichment would take it back for you now). The cursor of the last row gets the next page. PT422 for an unknown status, page_size beyond 1,000 or a foreign cursor.';

create function public.enrichment_history(work_id uuid)
returns setof enrichment.history_line
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_history_impl(enrichment_history.work_id)
$$;
comment on function public.enrichment_history(uuid) is
'What enrichment and its readers did to a book of the own library, newest first, at most 200 lines: values before and after, from where, why, is_mine (it was you) and is_undoable (undo_enrichment of its queue_id would take it back for you now). PT404, PT403.';

create function public.enrichment_imports(page_size integer default 20)
returns setof enrichment.import_state
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_imports_impl(enrichment_imports.page_size)
$$;
comment on function public.enrichment_imports(integer) is
'The own imports, newest first, and how far each is. The service sees everybody''s. PT422 for a page beyond 1,000.';

create function public.enrichment_import(import_id uuid)
returns setof enrichment.import_state
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_import_impl(enrichment_import.import_id)
$$;
comment on function public.enrichment_import(uuid) is
'How far an own import is, in one row: expected_rows (null: not said) against rows read, by outcome; then the queue rows of its books by state, covers filled, rows undone, and in how many books undo_import() would take something back. PT404, PT403.';

create function public.enrichment_import_rows(import_id uuid, page_size integer default 100, cursor integer default null)
returns setof enrichment.import_line
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_import_rows_impl(
        enrichment_import_rows.import_id, enrichment_import_rows.page_size, enrichment_import_rows.cursor
    )
$$;
comment on function public.enrichment_import_rows(uuid, integer, integer) is
'The lines of an own import in the order of the file: what became of each, its book, and the state of its queue row (null: it was not queued). The cursor of the last row gets the next page. PT404, PT403, PT422.';

create function public.enrichment_usage()
returns setof enrichment.usage_line
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_usage_impl()
$$;
comment on function public.enrichment_usage() is
'The free-tier meter, a line each: database (bytes against database_budget_bytes), covers (storage: all files against storage_budget_bytes; budget: our covers against cover_budget_bytes), calls (of today per provider against what we spend of its daily limit, which leaves daily_reserve, null for none, until its midnight), waiting (pending rows per reason and when the first is due; a reader''s own library only).';

revoke all on function
    public.approve_enrichment(uuid, text[], text),
    public.dismiss_enrichment(uuid),
    public.lock_fields(uuid, text[], uuid),
    public.unlock_fields(uuid, text[], uuid),
    public.explain_enrichment(uuid),
    public.preview_enrichment(uuid[]),
    public.undo_enrichment(uuid),
    public.undo_import(uuid),
    public.approve_matching(text, text, text, uuid, text[], boolean),
    public.dismiss_matching(text, text, text, uuid, boolean),
    public.enrichment_status(uuid[]),
    public.list_enrichment(text, integer, text),
    public.enrichment_history(uuid),
    public.enrichment_imports(integer),
    public.enrichment_import(uuid),
    public.enrichment_import_rows(uuid, integer, integer),
    public.enrichment_usage()
from public, anon, authenticated, service_role;

grant execute on function
    public.approve_enrichment(uuid, text[], text), enrichment.approve_enrichment_impl(uuid, text[], text),
    public.dismiss_enrichment(uuid), enrichment.dismiss_enrichment_impl(uuid),
    public.lock_fields(uuid, text[], uuid), enrichment.lock_fields_impl(uuid, text[], uuid),
    public.unlock_fields(uuid, text[], uuid), enrichment.unlock_fields_impl(uuid, text[], uuid),
    public.explain_enrichment(uuid), enrichment.explain_enrichment_impl(uuid),
    public.preview_enrichment(uuid[]), enrichment.preview_enrichment_impl(uuid[]),
    public.undo_enrichment(uuid), enrichment.undo_enrichment_impl(uuid),
    public.undo_import(uuid), enrichment.undo_import_impl(uuid),
    public.approve_matching(text, text, text, uuid, text[], boolean),
    enrichment.approve_matching_impl(text, text, text, uuid, text[], boolean),
    public.dismiss_matching(text, text, text, uuid, boolean), enrichment.dismiss_matching_impl(text, text, text, uuid, boolean),
    public.enrichment_status(uuid[]), enrichment.enrichment_status_impl(uuid[]),
    public.list_enrichment(text, integer, text), enrichment.list_enrichment_impl(text, integer, text),
    public.enrichment_history(uuid), enrichment.enrichment_history_impl(uuid),
    public.enrichment_imports(integer), enrichment.enrichment_imports_impl(integer),
    public.enrichment_import(uuid), enrichment.enrichment_import_impl(uuid),
    public.enrichment_import_rows(uuid, integer, integer), enrichment.enrichment_import_rows_impl(uuid, integer, integer),
    public.enrichment_usage(), enrichment.enrichment_usage_impl()
to authenticated, service_role;

-- Policies run as who asks.
grant execute on function enrichment.is_on_own_shelf(uuid) to authenticated;
