-- Book enrichment, version 3: every type that a verb answers with says what its rows and columns mean, and what may be null.

do $$
begin
    if to_regclass('enrichment.schema_versions') is null then
        raise exception 'book enrichment is not at version 2 here. `book-enrichment migrate` brings it there; run that first';
    elsif exists (select from enrichment.schema_versions as v where v.version = 3) then
        raise exception using message = (
            select 'this step is applied here already, by `book-enrichment migrate`. Tell the CLI so: '
                || 'supabase migration repair --status applied ' || string_agg(split_part(v.name, '_', 1), ' ' order by v.version)
            from enrichment.schema_versions as v
        );
    elsif not exists (select from enrichment.schema_versions as v where v.version = 2) then
        raise exception 'book enrichment is not at version 2 here: apply the steps in their order';
    end if;
end
$$;

set check_function_bodies = off;

comment on column enrichment.installed_version.version is 'Counts the steps of supabase/migrations that were applied.';

comment on column enrichment.installed_version.name is 'The last of them.';

comment on column enrichment.installed_version.works_with is 'The oldest version whose package still works with it.';

comment on type enrichment.setting is 'A setting of the database, after the change.';

comment on column enrichment.setting.value is 'As text. Null: it is not set.';

comment on column enrichment.setting.description is 'What it means.';

comment on type enrichment.field_lock is 'A field that enrichment leaves alone.';

comment on column enrichment.field_lock.edition_id is 'Null: it is a field of the work.';

comment on column enrichment.field_lock.field is 'work.cover_url, edition.publisher …';

comment on type enrichment.reservation is 'Leave to call a provider: to be used within two seconds, or thrown away.';

comment on column enrichment.reservation.granted is 'Calls that may be made; 0 for none.';

comment on column enrichment.reservation.retry_after is
'Seconds after which to ask again; 0 where some were granted. Null: not before a setting changes.';

comment on column enrichment.reservation.reason is
'Why none was granted: rate, daily, breaker, no_contact, no_key, disabled, or what paused the provider (provider_report.paused_reason). Null: some were.';

comment on type enrichment.provider_report is 'How a provider stands after a report.';

comment on column enrichment.provider_report.failures is 'Calls that failed in a row.';

comment on column enrichment.provider_report.open_until is
'Until then the breaker is open; after that one call probes. Null: it is closed.';

comment on column enrichment.provider_report.retry_at is 'Before then it is not called. Null: nothing asks for that.';

comment on column enrichment.provider_report.paused_reason is
'Why not: retry_after (it asked for that), daily (until its day begins anew), or identify, no_key, bad_key, quota_zero, unknown_location (for an hour, unless contact or keys change earlier). Null: it is not paused.';

comment on type enrichment.apply_outcome is 'What became of one element of an apply_enrichment call.';

comment on column enrichment.apply_outcome."position" is 'In the array that was sent, from 0.';

comment on column enrichment.apply_outcome.queue_id is 'Null: the element named none.';

comment on column enrichment.apply_outcome.outcome is
'applied, stale_claim (the claim is no longer the sender''s) or rejected (the element is malformed).';

comment on column enrichment.apply_outcome.status is 'Of the queue row. Null: nothing was applied.';

comment on column enrichment.apply_outcome.confidence is 'Of the best candidate. Null: nothing was applied.';

comment on column enrichment.apply_outcome.fields_applied is 'Fields that were filled.';

comment on column enrichment.apply_outcome.message is 'What is wrong, or why the row waits. Null: neither.';

comment on type enrichment.answered_element is 'An element of an apply_enrichment call, and what is wrong with it, if anything.';

comment on type enrichment.claimed_row is 'A queue row that is the worker''s until it is applied, failed, released or grows stale.';

comment on column enrichment.claimed_row.claim_token is 'Goes back with every answer; one that holds no longer changes nothing.';

comment on column enrichment.claimed_row.edition_id is 'Whose empty fields may be filled. Null: none is known.';

comment on column enrichment.claimed_row.attempt_count is 'This one included.';

comment on column enrichment.claimed_row.lookups is
'What is to be asked next, if anything: [{"provider", "kind", "key", "title", "author"}].';

comment on type enrichment.enqueue_outcome is 'What became of one work that was to be queued.';

comment on column enrichment.enqueue_outcome.outcome is
'enqueued, already_open (now with the higher priority), in_review, complete (nothing is missing), known_miss (nothing new can be learnt) or unknown.';

comment on column enrichment.enqueue_outcome.queue_id is 'Null: the work has no row in line or in review.';

comment on type enrichment.queue_record is 'A stored reply that speaks about a queue row.';

comment on type enrichment.row_gaps is 'The fields that a queue row wants filled.';

comment on type enrichment.possible_lookup is 'A look-up that could fill gaps of a queue row, and whether its provider may be called.';

comment on type enrichment.needed_lookup is 'The look-up that a queue row needs next.';

comment on type enrichment.row_state is 'Where a queue row stands whose claim ended without an answer.';

comment on column enrichment.row_state.attempt_count is 'Attempts that are spent.';

comment on column enrichment.row_state.next_attempt_after is 'When it may be claimed again. Null, in SQL infinity: once a setting changes.';

comment on column enrichment.row_state.wait_reason is 'Why it waits. Null: it has failed.';

comment on column enrichment.row_state.last_error is 'Null: it met none.';

comment on type enrichment.resolution is 'A queue row that stored replies have decided.';

comment on column enrichment.resolution.confidence is 'Of the best candidate. Null: none was weighed.';

comment on column enrichment.resolution.fields_applied is 'Fields that were filled.';

comment on column enrichment.resolution.wait_reason is 'What it waits for. Null: it has ended or is in review.';

comment on column enrichment.resolution.last_error is 'Null: it met none.';

comment on type enrichment.matching_outcome is 'What a decision about all rows of a kind did, or would do.';

comment on column enrichment.matching_outcome.matched is 'Rows in review that the filter finds.';

comment on column enrichment.matching_outcome.changed is 'Rows that were decided.';

comment on column enrichment.matching_outcome.skipped is 'Rows that somebody else took meanwhile, or that were refused alone.';

comment on column enrichment.matching_outcome.fields is 'How many values per field: {"work.description": 31}.';

comment on column enrichment.matching_outcome.remaining is
'Left for the next call, after a dry run all of them: call again while changed is more than 0.';

comment on type enrichment.review_outcome is 'What a person''s decision about a row wrote.';

comment on column enrichment.review_outcome.fields_applied is 'Fields that were filled.';

comment on column enrichment.review_outcome.fields_skipped is 'Ticked, but filled or locked meanwhile.';

comment on type enrichment.explained_candidate is 'A book that a provider offers for a work: how well it fits, and what it would fill.';

comment on column enrichment.explained_candidate.place is '1 is the best; what a reader turned away comes last.';

comment on column enrichment.explained_candidate.candidate is 'provider:work_key, as approve_enrichment takes it.';

comment on column enrichment.explained_candidate.authors is 'Null: it names none.';

comment on column enrichment.explained_candidate.source_url is 'Where a person can look at it. Null: there is no such page.';

comment on column enrichment.explained_candidate.cover_url is 'Null: it has none.';

comment on column enrichment.explained_candidate.title_score is '0 to 4.';

comment on column enrichment.explained_candidate.author_score is '0 to 3. Null: a side names nobody.';

comment on column enrichment.explained_candidate.isbn_score is '0, 4 or 5.';

comment on column enrichment.explained_candidate.sentence is 'The score in words.';

comment on column enrichment.explained_candidate.parts is
'What was compared: {"title": {"score", "ours", "theirs", "veto"}, "author": {…}, "isbn": {…}}.';

comment on column enrichment.explained_candidate."values" is 'All it could fill: {field: value}.';

comment on column enrichment.explained_candidate.is_dismissed is 'A reader turned it away, so it is not proposed again.';

comment on type enrichment.preview is 'What would become of a work if it were queued now; nothing is written.';

comment on column enrichment.preview.status is 'Of its row; pending where a provider would be asked first. Null: it would not be queued.';

comment on column enrichment.preview.confidence is 'Of the best candidate. Null: it would not be queued.';

comment on column enrichment.preview.sentence is 'The score in words, or why it would not be queued. Null: no reply is known yet.';

comment on column enrichment.preview.wait_reason is 'What it would wait for. Null: nothing.';

comment on column enrichment.preview."values" is '{field: {"value", "provider", "candidate", "confidence", "current", "is_applied"}}.';

comment on column enrichment.preview.lookups is 'What would be asked next, if anything: [{"provider", "kind", "key", "title", "author"}].';

comment on type enrichment.undo_outcome is 'What was taken back of what a row wrote.';

comment on column enrichment.undo_outcome.queue_id is 'Null: an import''s own columns had filled it.';

comment on column enrichment.undo_outcome.status is 'Of the queue row. Null: there is none.';

comment on column enrichment.undo_outcome.fields_restored is 'They hold the values of before again.';

comment on column enrichment.undo_outcome.fields_kept is 'Changed by somebody since, and therefore kept.';

comment on column enrichment.undo_outcome.reason is 'Why nothing was taken back. Null: it was.';

comment on type enrichment.import_outcome is 'What became of one line of an export.';

comment on column enrichment.import_outcome.row_number is 'As in a spreadsheet: the first book is 2.';

comment on column enrichment.import_outcome.outcome is 'created, matched, duplicate or rejected.';

comment on column enrichment.import_outcome.reason is 'Why it was rejected, or whose duplicate it is. Null: neither.';

comment on column enrichment.import_outcome.work_id is 'Null: it was rejected.';

comment on column enrichment.import_outcome.edition_id is 'Null: it was rejected, or no edition is known.';

comment on column enrichment.import_outcome.library_item_id is 'Null: it was rejected.';

comment on column enrichment.import_outcome.enrichment is
'What became of its work in line, as enqueue_outcome.outcome says. Null: it was rejected, or is not the book''s first line.';

comment on column enrichment.import_outcome.queue_id is 'Null: its work was not queued.';

comment on type enrichment.import_state is 'How far an import is: its lines by outcome, the queue rows of its books by state.';

comment on column enrichment.import_state.import_source is 'goodreads or storygraph.';

comment on column enrichment.import_state.expected_rows is 'Lines that the file has. Null: it was not said.';

comment on column enrichment.import_state."rows" is 'Lines that are in.';

comment on column enrichment.import_state.covers_applied is 'Covers that were filled and not taken back.';

comment on column enrichment.import_state.undone is 'Queue rows that were undone.';

comment on column enrichment.import_state.undoable is 'Books in which undo_import would take something back.';

comment on type enrichment.import_line is 'A line of an imported file, and how its book is doing.';

comment on column enrichment.import_line.row_number is 'As in a spreadsheet: the first book is 2.';

comment on column enrichment.import_line.title is 'Null: the line has none.';

comment on column enrichment.import_line.outcome is 'created, matched, duplicate or rejected.';

comment on column enrichment.import_line.reason is 'Why it was rejected, or whose duplicate it is. Null: neither.';

comment on column enrichment.import_line.work_id is 'Null: it was rejected.';

comment on column enrichment.import_line.queue_id is 'Null: its work was not queued.';

comment on column enrichment.import_line.status is 'Of the queue row. Null: there is none.';

comment on column enrichment.import_line.cursor is 'Give it back to get the lines after this one.';

comment on type enrichment.answered_cover is 'An element of an apply_covers call, and what is wrong with it, if anything.';

comment on type enrichment.cover_verdict is 'What becomes of a stored image, as cover_outcome.outcome says.';

comment on type enrichment.cover_outcome is 'What became of one element of an apply_covers call.';

comment on column enrichment.cover_outcome."position" is 'In the array that was sent, from 0.';

comment on column enrichment.cover_outcome.cover_id is 'Null: the element named none.';

comment on column enrichment.cover_outcome.work_id is 'Null: there is no such cover.';

comment on column enrichment.cover_outcome.outcome is
'applied, url_changed (the work shows another cover by now), locked, over_budget, stale_claim, failed (the work refused it) or rejected (the element is malformed).';

comment on column enrichment.cover_outcome.status is 'Of the cover. Null: nothing was changed.';

comment on column enrichment.cover_outcome.message is 'What is wrong, or why the cover waits. Null: neither.';

comment on type enrichment.claimed_cover is 'A cover that is the worker''s to store until it is applied, failed, released or grows stale.';

comment on column enrichment.claimed_cover.claim_token is 'Goes back with the answer; one that holds no longer changes nothing.';

comment on column enrichment.claimed_cover.provider is 'Whose image it is; its calls count for <provider>_covers.';

comment on column enrichment.claimed_cover.source_url is 'Where it is downloaded from.';

comment on column enrichment.claimed_cover.attempt_count is 'This one included.';

comment on type enrichment.cover_report is 'How storing covers stands, and what a worker must keep to.';

comment on column enrichment.cover_report.cover_mode is 'hotlink or thumbnail.';

comment on column enrichment.cover_report.wait_reason is
'hotlink_mode, storage_budget, backfill, or that of the provider or the next row. Null: nothing waits.';

comment on column enrichment.cover_report.due_at is 'Null: nothing will be due by itself.';

comment on column enrichment.cover_report.due_in is 'Seconds until then, never negative. Null: as due_at.';

comment on column enrichment.cover_report.images is 'Images that are stored.';

comment on column enrichment.cover_report.bytes is 'Bytes that are stored.';

comment on column enrichment.cover_report.budget_bytes is 'The most that may be stored.';

comment on column enrichment.cover_report.download_bytes is 'The most that is downloaded for one cover.';

comment on column enrichment.cover_report.image_bytes is 'The most that is stored for one.';

comment on column enrichment.cover_report.hosts is 'Where images may come from; *.name is every host below name.';

comment on column enrichment.cover_report.placeholders is 'md5 or sha256 of files that only say "there is no image".';

comment on type enrichment.cover_state is 'Where a cover stands whose claim ended without an image.';

comment on column enrichment.cover_state.attempt_count is 'Attempts that are spent.';

comment on column enrichment.cover_state.next_attempt_after is
'When it may be claimed again. Null, in SQL infinity: once a setting changes.';

comment on column enrichment.cover_state.wait_reason is 'Why it waits. Null: it has ended.';

comment on column enrichment.cover_state.last_error is 'Null: it met none.';

comment on type enrichment.work_state is 'A badge: the newest queue row of one work.';

comment on column enrichment.work_state.queue_id is 'Null: the work was never queued.';

comment on column enrichment.work_state.status is 'Null: the work was never queued.';

comment on column enrichment.work_state.confidence is 'Of the best candidate. Null: none was weighed.';

comment on column enrichment.work_state.wait_reason is
'Why a pending row waits: rate, daily, breaker, auto_disabled, no_contact … Null: it does not.';

comment on column enrichment.work_state.next_attempt_after is
'Until when a pending row waits. Null: until a setting changes, or the work was never queued.';

comment on column enrichment.work_state.last_error is 'Null: it met none.';

comment on column enrichment.work_state.cover_applied is 'This row filled the cover.';

comment on column enrichment.work_state.fields_applied is 'Fields this row filled.';

comment on column enrichment.work_state.cover_url is 'What the work shows today. Null: no cover.';

comment on column enrichment.work_state.last_enriched_at is 'Null: never.';

comment on column enrichment.work_state.undone_at is 'When what this row wrote was taken back. Null: it was not.';

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

comment on type enrichment.library_line is 'A book of the reader''s library, and how its newest queue row stands.';

comment on column enrichment.library_line.edition_id is 'The edition the shelf shows. Null: none is known.';

comment on column enrichment.library_line.cover_url is
'As the reader sees it: chosen by hand, the edition''s, the work''s. Null: no cover.';

comment on column enrichment.library_line.first_publish_year is 'Null: it is not known.';

comment on column enrichment.library_line.status is 'Null: the work was never queued.';

comment on column enrichment.library_line.queue_id is 'Null: the work was never queued.';

comment on column enrichment.library_line.confidence is 'Of the best candidate. Null: none was weighed.';

comment on column enrichment.library_line.wait_reason is 'Why a pending row waits. Null: it does not.';

comment on column enrichment.library_line.next_attempt_after is
'Until when a pending row waits. Null: until a setting changes, or it does not wait.';

comment on column enrichment.library_line.last_error is 'Null: it met none.';

comment on column enrichment.library_line.undone_at is 'When what the row wrote was taken back. Null: it was not.';

comment on column enrichment.library_line.missing is 'Fields that are empty and not locked.';

comment on column enrichment.library_line.cursor is 'Give it back to get the books after this one.';

comment on type enrichment.library_summary is 'The reader''s library in numbers, each book by its newest queue row.';

comment on column enrichment.library_summary.missing_cover is 'Books that show no cover.';

comment on column enrichment.library_summary.missing_something is 'Books with a field that is empty and not locked.';

comment on column enrichment.library_summary.covers_applied is 'Books whose cover was filled and not taken back.';

comment on column enrichment.library_summary.next_due_at is
'When the next pending row is due. Null: once a setting changes, or none is pending.';

comment on column enrichment.library_summary.next_reason is 'What that row waits for. Null: none is pending.';

comment on type enrichment.shelf_line is 'A book on a shelf as its reader sees it, and how its newest queue row stands.';

comment on type enrichment.listed_row is 'A queue row with all that a review panel shows.';

comment on column enrichment.listed_row.edition_id is 'Whose empty fields may be filled. Null: none is known.';

comment on column enrichment.listed_row.import_id is 'The own import it came with. Null: none, or another reader''s.';

comment on column enrichment.listed_row.confidence is 'Of the best candidate. Null: none was weighed.';

comment on column enrichment.listed_row.wait_reason is 'Why a pending row waits. Null: it does not.';

comment on column enrichment.listed_row.next_attempt_after is 'Until when a pending row waits. Null: until a setting changes.';

comment on column enrichment.listed_row.last_error is 'Null: it met none.';

comment on column enrichment.listed_row.cover_url is 'What the work shows today. Null: no cover.';

comment on column enrichment.listed_row.cover_applied is 'This row filled the cover.';

comment on column enrichment.listed_row.fields_applied is 'Fields this row filled.';

comment on column enrichment.listed_row.sentence is 'The score in words. Null: nothing was weighed yet.';

comment on column enrichment.listed_row.current_values is 'Every field that may be filled, as it is now: {field: value}.';

comment on column enrichment.listed_row.proposals is
'What a row in review would fill: {field: {"value", "current", "provider", "source_url", "confidence", "candidate"}}.';

comment on column enrichment.listed_row.match_details is 'The best candidates with their score parts. Null: nothing was weighed yet.';

comment on column enrichment.listed_row.trigger_source is 'Who asked.';

comment on column enrichment.listed_row.is_mine is 'The caller triggered or approved it, and so may undo it.';

comment on column enrichment.listed_row.finished_at is 'Null: it is in line or in review.';

comment on column enrichment.listed_row.undone_at is 'When what it wrote was taken back. Null: it was not.';

comment on column enrichment.listed_row.cursor is 'Give it back to get the rows after this one.';

comment on type enrichment.health_check is 'One thing that enrichment needs, and whether it is there.';

comment on column enrichment.health_check.state is 'ok, warn or fail.';

comment on column enrichment.health_check.hint is 'What to do. Null: nothing.';

comment on type enrichment.provider_state is
'A line of the providers'' dashboard: may it be called, how much is left, how it has been doing.';

comment on column enrichment.provider_state.wait_reason is 'Why it may not be called now. Null: it may.';

comment on column enrichment.provider_state.available_at is 'When it may. Null: once a setting changes.';

comment on column enrichment.provider_state.tokens is 'Calls that are free now.';

comment on column enrichment.provider_state.rate_per_second is 'How fast they come back.';

comment on column enrichment.provider_state.burst_size is 'The most that are free at once.';

comment on column enrichment.provider_state.used_today is 'Calls since its day began.';

comment on column enrichment.provider_state.daily_limit is 'Calls a day. Null: no limit.';

comment on column enrichment.provider_state.daily_reserve is 'Calls of the daily limit that stay unspent.';

comment on column enrichment.provider_state.failures is 'Calls that failed in a row.';

comment on column enrichment.provider_state.last_error is 'Null: it met none.';

comment on type enrichment.due is 'When a worker should come back.';

comment on column enrichment.due.due_at is 'Null: nothing will be due by itself.';

comment on column enrichment.due.due_in is 'Seconds until then, never negative. Null: as due_at.';

comment on column enrichment.due.reason is 'What the row that is due first waits for. Null: as due_at.';

comment on column enrichment.due.pending is 'Queue rows in this state.';

comment on column enrichment.due.in_progress is 'Queue rows in this state.';

comment on type enrichment.state_count is 'How many queue rows are in one state, for one reason.';

comment on column enrichment.state_count.wait_reason is 'Null: they do not wait.';

comment on column enrichment.state_count.oldest is 'When the oldest was made.';

comment on column enrichment.state_count.until is 'When the first of them is due. Null: once a setting changes, or they do not wait.';

comment on type enrichment.pruned is 'How much of one kind was removed by age.';

comment on column enrichment.pruned.subject is 'The table.';

comment on column enrichment.pruned.removed is 'Rows.';

comment on type enrichment.usage_line is 'A line of the free-tier meter.';

comment on column enrichment.usage_line.meter is 'database, covers, calls or waiting.';

comment on column enrichment.usage_line.subject is 'database, storage, budget, the provider, or the reason for waiting.';

comment on column enrichment.usage_line.allowed is 'Null: no limit.';

comment on column enrichment.usage_line.unit is 'bytes, calls or rows.';

comment on column enrichment.usage_line.until is 'When calls count from zero again, or the first waiting row is due. Null: neither.';

reset check_function_bodies;

insert into enrichment.schema_versions (version, name, checksum, works_with, brought) values
(3, '20261128033116_say_what_rows_mean', 'd5b8fd20a4293740118bed778002e843d9c183932ab7f39b28849514e89ac8e1', 1, '{}');
