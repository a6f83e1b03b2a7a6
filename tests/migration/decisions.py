"""What nobody may lose by an upgrade, asserted by what one sees: old rows have their values, old claims hold,
what was decided stays decided and can be taken back.

An upgrade test takes `copied_host`, upgrades it and calls `assert_decisions_stand(copied_host, filled)`. Each
promise has its own books, so each may also be asked alone, in any order, or within `host.rehearsal()`.
"""

import uuid
from collections import Counter
from typing import Any

import psycopg
import pytest

from asking import (
    WORKER,
    ask_again,
    claim_all,
    give_back,
    import_rows,
    on_shelves,
    queue_row,
    rows_of_import,
    send,
    serve,
    shown_cover,
)
from books import RIVALS, Book, cover_url, reply, two_long_walks, values
from deeds import as_ada, as_bob, cover_answer
from filling import FINAL_SETTINGS, PROVIDER_LIMITS, Filled
from host_app import BOB, HostApp
from snapshots import assert_rows_are_kept, snapshot

UNIQUE_VIOLATION = "23505"


def assert_decisions_stand(host: HostApp, filled: Filled) -> None:
    """Everything below, once: it leaves the database changed."""
    assert_rows_are_kept(filled.rows, snapshot(host))
    for promise in PROMISES:
        promise(host, filled)


# The queue goes on


def settings_and_limits_are_the_operators(host: HostApp, filled: Filled) -> None:
    """Settings and a provider's limits that were changed are the changed ones."""
    settings = {row["name"]: row["value"] for row in host.call("configure_enrichment")}
    for name, value in FINAL_SETTINGS.items():
        assert settings[name] == str(value).lower()
    (provider,) = (row for row in host.call("enrichment_providers") if row["provider"] == "openlibrary")
    assert {name: provider[name] for name in PROVIDER_LIMITS} == PROVIDER_LIMITS


def a_due_row_is_served(host: HostApp, filled: Filled) -> None:
    """What was due is claimed and answered; what backs off, or waits for the switch, is not even claimed."""
    claimed = claim_all(host)
    due = {row["queue_id"] for row in claimed}
    assert filled.pending.row in due
    assert filled.backing_off.row not in due
    assert not due & {row["id"] for row in rows_of_import(host, filled.half_import)}
    give_back(host, claimed)
    assert serve(host, filled.pending.row, reply(filled.pending))["status"] == "completed"
    assert shown_cover(host, filled.pending) == cover_url(filled.pending)


def an_old_claim_is_answered_once(host: HostApp, filled: Filled) -> None:
    """The worker that claimed before the upgrade hands in its answer after it, and cannot do so twice."""
    (first,) = host.call("apply_enrichment", results=[filled.held_answer])
    assert (first["outcome"], first["status"]) == ("applied", "completed")
    assert shown_cover(host, filled.held) == cover_url(filled.held)
    (second,) = host.call("apply_enrichment", results=[filled.held_answer])
    assert second["outcome"] == "stale_claim"


def an_old_claim_is_given_back(host: HostApp, filled: Filled) -> None:
    """A worker that stops gives its row back, and no attempt is spent."""
    book = filled.given_back
    (released,) = host.call(
        "release_enrichment", queue_id=book.row, claim_token=filled.given_back_token, reason="stopped"
    )
    assert (released["status"], released["wait_reason"]) == ("pending", "stopped")
    assert released["attempt_count"] == 0


def what_failed_is_asked_for_anew(host: HostApp, filled: Filled) -> None:
    """A failed row stays as it was; the reader's button makes a new one, which can succeed."""
    book = filled.failed
    row = ask_again(host, book, reply(book))
    assert row["id"] != book.row
    assert row["status"] == "completed"
    assert queue_row(host, book.row)["status"] == "failed"


# What was decided


def a_lock_holds_against_a_worker(host: HostApp, filled: Filled) -> None:
    """A worker offers cover, publisher and more; the two locked fields stay empty, the others are filled."""
    book = filled.locked
    serve(host, book.row, reply(book))
    assert shown_cover(host, book) is None
    assert values(host, book.work)["edition"]["publisher"] is None
    assert values(host, book.work)["work"]["description"] == "The story of Behind Two Locks."


def a_lock_holds_against_the_sweep(host: HostApp, filled: Filled) -> None:
    """The same where the host's own records answer."""
    book = filled.locked_for_sweep
    host.call("sweep_enrichment")
    assert queue_row(host, book.row)["status"] == "completed"
    assert shown_cover(host, book) is None
    assert values(host, book.work)["edition"]["publisher"] is None
    assert values(host, book.work)["work"]["description"] == "Genly Ai on Gethen."


def what_was_dismissed_is_not_proposed_again(host: HostApp, filled: Filled) -> None:
    """Asked for again and answered the same, the dismissed candidate is neither applied nor proposed."""
    book = filled.dismissed
    row = ask_again(host, book, reply(book))
    assert row["status"] == "skipped"
    assert not (row["match_details"] or {}).get("proposals")
    assert values(host, book.work) == book.before


def what_was_passed_over_is_no_rival_again(host: HostApp, filled: Filled) -> None:
    """Of two rivals one was chosen; asked for again, the other does not come up."""
    book = filled.chosen
    present = values(host, book.work)
    row = ask_again(host, book, two_long_walks())
    assert row["status"] == "completed"
    assert not (row["match_details"] or {}).get("rivals")
    assert values(host, book.work) == present


def what_was_undone_is_not_filled_again(host: HostApp, filled: Filled) -> None:
    """Asked for again and answered the same, the book stays as it was put back."""
    book = filled.undone
    assert values(host, book.work) == book.before
    ask_again(host, book, reply(book))
    assert values(host, book.work) == book.before


def what_was_left_unticked_is_not_filled_again(host: HostApp, filled: Filled) -> None:
    """The publisher that ada did not tick stays empty, although it may be written unasked now."""
    book = filled.unticked
    ask_again(host, book, reply(book))
    assert values(host, book.work)["edition"]["publisher"] is None


def a_proposal_can_be_approved(host: HostApp, filled: Filled) -> None:
    """What was proposed before the upgrade is written when ada approves it."""
    book = filled.in_review
    (approved,) = as_ada(host, "approve_enrichment", queue_id=book.row)
    assert approved["status"] == "completed"
    assert values(host, book.work)["work"]["description"] == "The story of An Open Question."
    assert values(host, book.work)["edition"]["publisher"] == "Harbour Press"


def a_rival_can_be_chosen(host: HostApp, filled: Filled) -> None:
    """Of the two candidates shown, ada takes the second, and it is the second that is written."""
    book = filled.rivals
    (approved,) = as_ada(host, "approve_enrichment", queue_id=book.row, candidate=RIVALS[1])
    assert approved["status"] == "completed"
    assert shown_cover(host, book) == "https://covers.openlibrary.org/b/id/902-M.jpg"
    assert values(host, book.work)["work"]["first_publish_year"] == 2002


# What can be taken back, and by whom


def another_reader_may_not_take_it_back(host: HostApp, filled: Filled) -> None:
    """Bob has the book too; what ada asked for and approved, and her import, are not his to undo."""
    book = filled.shared
    present = values(host, book.work)
    for verb, subject in (
        ("undo_enrichment", {"queue_id": book.row}),
        ("undo_import", {"import_id": filled.half_import}),
    ):
        with pytest.raises(psycopg.Error) as refused:
            as_bob(host, verb, **subject)
        assert refused.value.sqlstate == "PT403"
    assert values(host, book.work) == present


def what_was_applied_can_be_undone(host: HostApp, filled: Filled) -> None:
    """Exactly what stood there comes back: null, empty text and 0 are three different things."""
    assert_undone(host, filled.applied)


def what_was_approved_can_be_undone(host: HostApp, filled: Filled) -> None:
    """The same for what ada approved."""
    assert_undone(host, filled.approved)


def a_stored_cover_can_be_undone(host: HostApp, filled: Filled) -> None:
    """The cover that is shown from the bucket goes too, and its path."""
    assert "/storage/v1/" in shown_cover(host, filled.stored_cover)
    assert_undone(host, filled.stored_cover)


def a_whole_import_can_be_undone(host: HostApp, filled: Filled) -> None:
    """What its rows wrote goes, and what the file itself filled in a book that was there before; the books
    stay on bob's shelf."""
    books = (filled.imported, filled.matched)
    assert all(values(host, book.work) != book.before for book in books)
    as_bob(host, "undo_import", import_id=filled.whole_import)
    for book in books:
        assert values(host, book.work) == book.before
        assert on_shelves(host, book.work) == 1


# What is under way goes on


def a_half_read_import_goes_on(host: HostApp, filled: Filled) -> None:
    """The whole file is sent once more: the lines that were read answer as they did, the others are read, and
    no book, shelf or queue row is there twice."""
    file = filled.half_import_file
    as_they_were = [row["work_id"] for row in import_rows(host, filled)]
    for _ in range(2):
        lines = send(host, filled)
        assert [line["outcome"] for line in lines] == ["created", "created", "created", "duplicate"]
    works = [str(line["work_id"]) for line in lines]
    assert works[:2] == as_they_were
    assert works[3] == works[0]
    (state,) = host.call("enrichment_import", import_id=filled.half_import)
    assert (state["rows"], state["expected_rows"]) == (len(file), len(file))
    titles = [row["title"] for row in file]
    found = host.query("select id from public.works where title = any(%s)", titles)
    assert {str(row["id"]) for row in found} == set(works)
    assert len(found) == 3
    assert [on_shelves(host, work) for work in works] == [1, 1, 1, 1]
    waiting = rows_of_import(host, filled.half_import)
    assert Counter(str(row["work_id"]) for row in waiting) == Counter(set(works))
    assert {row["wait_reason"] for row in waiting} == {"auto_disabled"}


def a_queued_cover_is_stored(host: HostApp, filled: Filled) -> None:
    """What was in line for the bucket is claimed, and the work shows the stored copy."""
    book = filled.queued_cover
    claimed = {row["work_id"]: row for row in host.call("claim_covers", worker_name=WORKER, batch_size=100)}
    assert book.work in claimed
    stored = cover_answer(claimed.pop(book.work), "c")
    for other in claimed.values():
        host.call(
            "release_cover", cover_id=other["cover_id"], claim_token=other["claim_token"], reason="stopped"
        )
    assert_cover_is_taken(host, book, stored)


def an_old_claim_on_a_cover_holds(host: HostApp, filled: Filled) -> None:
    """A worker that was uploading a cover during the upgrade hands it in after it."""
    assert_cover_is_taken(host, filled.held_cover, filled.held_cover_answer)


# What is true of every row


def what_was_done_is_still_told(host: HostApp, filled: Filled) -> None:
    """The history of a book names the approval, as ada's to her and as another's to bob; hers to undo, as
    versions from 3 on say."""
    tells_what_is_undoable = host.query(
        "select 1 from pg_attribute where attrelid = to_regclass('enrichment.history_line')"
        " and attname = 'is_undoable'"
    )
    for lines, is_adas in (
        (as_ada(host, "enrichment_history", work_id=filled.shared.work), True),
        (as_bob(host, "enrichment_history", work_id=filled.shared.work), False),
    ):
        mine = {line["action"]: line["is_mine"] for line in lines}
        assert mine == {"queued_review": False, "approved": is_adas}
        if tells_what_is_undoable:
            undoable = {line["action"]: line["is_undoable"] for line in lines}
            assert undoable == {"queued_review": False, "approved": is_adas}


def each_reader_sees_the_own_rows(host: HostApp, filled: Filled) -> None:
    """A reader sees the queue rows and the log of the own books, not of another's."""
    for table in ("enrichment_queue", "enrichment_audit_log"):
        with host.connect("authenticated", BOB) as connection:
            seen = connection.execute(f"select work_id from public.{table}").fetchall()
        works = {row["work_id"] for row in seen}
        assert filled.shared.work in works
        assert filled.approved.work not in works


def the_database_refuses_what_must_not_be(host: HostApp, filled: Filled) -> None:
    """A second open row, a second undecided review and a transition that is not drawn are refused by the
    database itself, whoever tries."""
    insert = "insert into public.enrichment_queue (work_id, trigger_source) values (%(work)s, 'manual_bulk')"
    claim = """
    update public.enrichment_queue
    set status = 'in_progress', claim_token = gen_random_uuid(), wait_reason = null
    where work_id = %(work)s and status = 'pending'
    """
    propose = """
    update public.enrichment_queue set status = 'needs_review', claim_token = null
    where work_id = %(work)s and status = 'in_progress'
    """
    finish = "update public.enrichment_queue set status = 'completed' where work_id = %(work)s"
    work = filled.unknown.work
    assert refusal(host, work, insert, insert) == UNIQUE_VIOLATION
    assert refusal(host, work, *(insert, claim, propose) * 2) == UNIQUE_VIOLATION
    assert refusal(host, work, finish) == "PT409"


def every_row_is_in_one_state_and_says_why(host: HostApp, filled: Filled) -> None:
    """One open row and one undecided review per work at most; who waits says why and until when; who is
    claimed has a token; who has ended says when."""
    broken = host.query(
        """
        select work_id, 'two open rows' as what from public.enrichment_queue
        where status in ('pending', 'in_progress') group by work_id having count(*) > 1
        union all
        select work_id, 'two undecided reviews' from public.enrichment_queue
        where status = 'needs_review' group by work_id having count(*) > 1
        union all
        select work_id, 'a row waits in silence' from public.enrichment_queue
        where status = 'pending' and (coalesce(wait_reason, '') = '' or next_attempt_after is null)
        union all
        select work_id, 'a claim without a token' from public.enrichment_queue
        where status = 'in_progress' and claim_token is null
        union all
        select work_id, 'an end without a time' from public.enrichment_queue
        where status in ('completed', 'failed', 'skipped') and finished_at is null
        """
    )
    assert broken == []


# What several of them assert


def refusal(host: HostApp, work: uuid.UUID, *statements: str) -> str | None:
    """The SQLSTATE with which the owner's statements about a work are refused; null where they are not."""
    try:
        with host.connect() as connection, connection.transaction(force_rollback=True):
            for statement in statements:
                connection.execute(statement, {"work": work})
    except psycopg.Error as error:
        return error.sqlstate
    return None


def assert_undone(host: HostApp, book: Book) -> None:
    """Ada undoes the row: it had written something, and now every value is the one of before."""
    assert values(host, book.work) != book.before
    as_ada(host, "undo_enrichment", queue_id=book.row)
    assert values(host, book.work) == book.before


def assert_cover_is_taken(host: HostApp, book: Book, stored: dict[str, Any]) -> None:
    """The stored copy is accepted, and shown."""
    (taken,) = host.call("apply_covers", results=[stored])
    assert (taken["outcome"], taken["status"]) == ("applied", "completed"), taken
    assert shown_cover(host, book) == stored["cover_url"]
    assert values(host, book.work)["work"]["default_cover_storage_path"] == stored["storage_path"]


PROMISES = (
    settings_and_limits_are_the_operators,
    what_was_done_is_still_told,
    each_reader_sees_the_own_rows,
    a_due_row_is_served,
    an_old_claim_is_answered_once,
    an_old_claim_is_given_back,
    what_failed_is_asked_for_anew,
    a_lock_holds_against_a_worker,
    a_lock_holds_against_the_sweep,
    what_was_dismissed_is_not_proposed_again,
    what_was_passed_over_is_no_rival_again,
    what_was_undone_is_not_filled_again,
    what_was_left_unticked_is_not_filled_again,
    a_proposal_can_be_approved,
    a_rival_can_be_chosen,
    another_reader_may_not_take_it_back,
    what_was_applied_can_be_undone,
    what_was_approved_can_be_undone,
    a_stored_cover_can_be_undone,
    a_whole_import_can_be_undone,
    a_half_read_import_goes_on,
    a_queued_cover_is_stored,
    an_old_claim_on_a_cover_holds,
    the_database_refuses_what_must_not_be,
    every_row_is_in_one_state_and_says_why,
)
