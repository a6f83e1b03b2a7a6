"""What an upgrade might do by mistake to decisions made before it, each with the promise it breaks."""

import decisions

MISTAKES = {
    "settings are the defaults again": (
        "update enrichment.settings set batch_size = 10",
        decisions.settings_and_limits_are_the_operators,
    ),
    "limits are the defaults again": (
        "update enrichment.providers set rate_per_second = 0.33 where provider = 'openlibrary'",
        decisions.settings_and_limits_are_the_operators,
    ),
    "a due row waits for ever": (
        "update public.enrichment_queue set next_attempt_after = 'infinity' where wait_reason = 'queued'",
        decisions.a_due_row_is_served,
    ),
    "backoff is forgotten": (
        "update public.enrichment_queue set next_attempt_after = now() where wait_reason = 'backoff'",
        decisions.a_due_row_is_served,
    ),
    "what waits for the switch is due": (
        "update public.enrichment_queue set next_attempt_after = now(), trigger_source = 'manual_bulk'"
        " where wait_reason = 'auto_disabled'",
        decisions.a_due_row_is_served,
    ),
    "claims get new tokens": (
        "update public.enrichment_queue set claim_token = gen_random_uuid() where claim_token is not null",
        decisions.an_old_claim_is_answered_once,
    ),
    "claims are reset": (
        "update public.enrichment_queue set status = 'pending', claim_token = null, wait_reason = 'stale'"
        " where status = 'in_progress'",
        decisions.an_old_claim_is_given_back,
    ),
    "failed rows are tried again": (
        "alter table public.enrichment_queue disable trigger queue_rows_follow_the_arrows;"
        " update public.enrichment_queue set status = 'pending', finished_at = null, wait_reason = 'queued',"
        " attempt_count = 0 where status = 'failed'",
        decisions.what_failed_is_asked_for_anew,
    ),
    "locks of works are lost": (
        "delete from enrichment.field_locks where field like 'work.%'",
        decisions.a_lock_holds_against_a_worker,
    ),
    "locks of editions are lost": (
        "delete from enrichment.field_locks where field like 'edition.%'",
        decisions.a_lock_holds_against_the_sweep,
    ),
    "locks are on another field": (
        "update enrichment.field_locks set field = 'work.description' where field = 'work.cover_url'",
        decisions.a_lock_holds_against_the_sweep,
    ),
    "dismissals are lost": (
        "delete from enrichment.rejected_candidates where is_dismissed",
        decisions.what_was_dismissed_is_not_proposed_again,
    ),
    "who was passed over is forgotten": (
        "delete from enrichment.rejected_candidates where not is_dismissed",
        decisions.what_was_passed_over_is_no_rival_again,
    ),
    "what was filled before is forgotten": (
        "delete from enrichment.filled_fields",
        decisions.what_was_undone_is_not_filled_again,
    ),
    "what was left unticked is forgotten": (
        "delete from enrichment.filled_fields where field = 'edition.publisher'",
        decisions.what_was_left_unticked_is_not_filled_again,
    ),
    "proposals are lost": (
        "update public.enrichment_queue set match_details = match_details - 'proposals'",
        decisions.a_proposal_can_be_approved,
    ),
    "the values of candidates are lost": (
        "update public.enrichment_queue set match_details = match_details #- '{candidates,1,values}'",
        decisions.a_rival_can_be_chosen,
    ),
    "rivals are lost": (
        "update public.enrichment_queue set match_details = match_details - 'rivals'",
        decisions.a_rival_can_be_chosen,
    ),
    "bob has asked for everything": (
        "update public.enrichment_queue"
        " set triggered_by = (select id from public.users where handle = 'bob')",
        decisions.another_reader_may_not_take_it_back,
    ),
    "the log has forgotten who did it": (
        "update public.enrichment_audit_log set actor = null",
        decisions.what_was_done_is_still_told,
    ),
    "everybody sees everything": (
        "alter table public.enrichment_queue disable row level security",
        decisions.each_reader_sees_the_own_rows,
    ),
    "imports are bob's": (
        "update enrichment.imports set user_id = (select id from public.users where handle = 'bob')",
        decisions.another_reader_may_not_take_it_back,
    ),
    "what stood there before is lost": (
        "update public.enrichment_audit_log set fields_changed = '{}', previous_values = '{}'",
        decisions.what_was_applied_can_be_undone,
    ),
    "empty text became null": (
        "update public.enrichment_audit_log"
        """ set fields_changed = replace(fields_changed::text, '"old": ""', '"old": null')::jsonb""",
        decisions.what_was_applied_can_be_undone,
    ),
    "approvals are no longer in the log": (
        "delete from public.enrichment_audit_log where action = 'approved'",
        decisions.what_was_approved_can_be_undone,
    ),
    "the log has lost its queue rows": (
        "update public.enrichment_audit_log set enrichment_queue_id = null",
        decisions.what_was_approved_can_be_undone,
    ),
    "stored copies are no longer in the log": (
        "update public.enrichment_audit_log set match_details = match_details - 'storage_path'",
        decisions.a_stored_cover_can_be_undone,
    ),
    "queue rows have lost their import": (
        "update public.enrichment_queue set import_id = null",
        decisions.a_whole_import_can_be_undone,
    ),
    "the log has lost its imports": (
        "update public.enrichment_audit_log set import_id = null",
        decisions.a_whole_import_can_be_undone,
    ),
    "lines of imports are lost": (
        "delete from enrichment.import_rows",
        decisions.a_half_read_import_goes_on,
    ),
    "covers in line are lost": (
        "delete from enrichment.cover_queue where status = 'pending';"
        " update enrichment.cover_backfill set next_work_id = null",
        decisions.a_queued_cover_is_stored,
    ),
    "claims on covers get new tokens": (
        "update enrichment.cover_queue set claim_token = gen_random_uuid() where claim_token is not null",
        decisions.an_old_claim_on_a_cover_holds,
    ),
    "an index is lost": (
        "drop index public.queue_one_open_row_per_work",
        decisions.the_database_refuses_what_must_not_be,
    ),
    "the other index is lost": (
        "drop index public.queue_one_undecided_review_per_work",
        decisions.the_database_refuses_what_must_not_be,
    ),
    "the transitions are lost": (
        "drop trigger queue_rows_follow_the_arrows on public.enrichment_queue",
        decisions.the_database_refuses_what_must_not_be,
    ),
    "a row waits in silence": (
        "alter table public.enrichment_queue drop constraint a_waiting_row_says_why;"
        " update public.enrichment_queue set wait_reason = null",
        decisions.every_row_is_in_one_state_and_says_why,
    ),
}
