"""What upgrades start from: release 0, filled with decisions."""

import hashlib

import pytest

import release_0


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
