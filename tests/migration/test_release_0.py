"""What upgrades start from: release 0, filled with decisions, and the assertions about them, each of which
notices its loss."""

import copy
import hashlib
from collections.abc import Callable

import psycopg
import pytest

import release_0
from decisions import PROMISES, assert_decisions_stand
from mistakes import MISTAKES
from snapshots import MAY_GROW, Snapshot, assert_rows_are_kept, snapshot

LOST = (AssertionError, psycopg.Error, pytest.fail.Exception)


def test_release_0_is_what_was_released() -> None:
    """22 files, to the byte."""
    files = release_0.files()
    assert len(files) == 22
    assert list(files) == sorted(files)
    digest = hashlib.sha256("".join(files.values()).encode()).hexdigest()
    assert digest == "63110945c7c31dae4cae8e5b39553b0ff667d04091051c40233995bcf736b5e2"


@pytest.mark.parametrize("history", release_0.HISTORIES)
def test_each_history_tells_of_it_in_its_own_way(copied_host, history) -> None:
    """Our runner has written down whole files, the Supabase CLI statements, and who pasted them nothing."""
    with copied_host.connect() as connection:
        release_0.write_history(connection, history)
    if history == "none":
        assert copied_host.query("select to_regnamespace('supabase_migrations') as id") == [{"id": None}]
        return
    recorded = copied_host.query(
        "select version || '_' || name || '.sql' as file, statements"
        " from supabase_migrations.schema_migrations order by version"
    )
    assert [row["file"] for row in recorded] == list(release_0.files())
    if history == "single":
        assert [row["statements"] for row in recorded] == [[text] for text in release_0.files().values()]
    else:
        assert all(len(row["statements"]) > 1 for row in recorded)


def test_statement_by_statement_it_is_the_same(make_host, filled_host) -> None:
    """What the Supabase CLI installs is, to pg_dump, what our runner installs."""
    host = make_host()
    release_0.install(host.url, "cli")
    assert host.schema() == filled_host[0].schema()


def test_every_state_is_there(filled_host) -> None:
    """Each state of a queue row, each action in the log, covers before, under way and stored; rows that are
    due, back off, or wait for the switch."""
    _, filled = filled_host
    queue = filled.rows["public.enrichment_queue"]
    assert {row["status"] for row in queue} == {
        "pending",
        "in_progress",
        "completed",
        "needs_review",
        "failed",
        "skipped",
    }
    waiting = {row["wait_reason"] for row in queue if row["status"] == "pending"}
    assert waiting == {"queued", "backoff", "auto_disabled"}
    actions = {row["action"] for row in filled.rows["public.enrichment_audit_log"]}
    assert actions == {
        "auto_applied",
        "queued_review",
        "skipped",
        "failed",
        "approved",
        "dismissed",
        "undone",
    }
    covers = {row["status"] for row in filled.rows["enrichment.cover_queue"]}
    assert covers == {"pending", "in_progress", "completed"}
    assert [table for table, rows in filled.rows.items() if not rows] == []
    assert {row["is_dismissed"] for row in filled.rows["enrichment.rejected_candidates"]} == {True, False}


def test_everything_stands_where_nothing_happened(copied_host, filled_host) -> None:
    """Without an upgrade, every row is kept and every promise holds."""
    _, filled = filled_host
    assert_decisions_stand(copied_host, filled)


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_each_promise_holds_alone(filled_host, promise) -> None:
    """No promise leans on another, so one that fails has failed by itself."""
    host, filled = filled_host
    with host.rehearsal() as rehearsed:
        promise(rehearsed, filled)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_noticed(filled_host, mistake) -> None:
    """The promise that a careless upgrade would break, fails."""
    host, filled = filled_host
    statements, promise = MISTAKES[mistake]
    with host.rehearsal() as rehearsed:
        with rehearsed.connect() as connection:
            connection.execute(statements)
        with pytest.raises(LOST):
            promise(rehearsed, filled)


def test_what_is_rehearsed_never_happens(filled_host) -> None:
    """Promises and mistakes leave the database as it was filled."""
    host, filled = filled_host
    with host.rehearsal() as rehearsed:
        assert_decisions_stand(rehearsed, filled)
        assert snapshot(rehearsed) != filled.rows
    assert snapshot(host) == filled.rows


def test_each_promise_can_be_broken() -> None:
    """No promise is so weak that none of the mistakes breaks it."""
    assert {promise for _, promise in MISTAKES.values()} == set(PROMISES)


def lose(rows: list) -> None:
    """A row is gone."""
    rows.pop()


def double(rows: list) -> None:
    """A row is there twice."""
    rows.append(rows[0])


def change(rows: list) -> None:
    """One value of one row is another one."""
    rows[-1][list(rows[-1])[-1]] = "another value"


def drop(rows: list) -> None:
    """A column is gone."""
    for row in rows:
        row.popitem()


@pytest.mark.parametrize("deed", [lose, double, change, drop])
def test_a_change_of_any_table_is_noticed(filled_host, deed: Callable[[list], None]) -> None:
    """In each table, a row that is lost or doubled, a value that changed, a column that is gone."""
    _, filled = filled_host
    for table in filled.rows:
        after = changed(filled.rows, table, deed)
        if deed is double and table in MAY_GROW:
            assert_rows_are_kept(filled.rows, after)
            continue
        with pytest.raises(AssertionError, match=table):
            assert_rows_are_kept(filled.rows, after)


def test_new_columns_may_come(filled_host) -> None:
    """A later release may know more of each row."""
    _, filled = filled_host
    for table in filled.rows:
        more = changed(filled.rows, table, lambda rows: [row.update(since_release_1=True) for row in rows])
        assert_rows_are_kept(filled.rows, more)


def changed(rows: Snapshot, table: str, deed: Callable[[list], object]) -> Snapshot:
    """The snapshot after something happened to one table."""
    after = {**rows, table: copy.deepcopy(rows[table])}
    deed(after[table])
    return after
