"""What is asked of an upgraded database: how things look there, and what a worker and a reader do next."""

from typing import Any

from books import Book, values
from deeds import answer, as_ada
from filling import Filled
from host_app import ADA, HostApp

WORKER = "worker after the upgrade"
MOST_LOOKUPS = 6  # more than any row needs, for a later release may ask more of them
COLUMNS = "id, work_id, status, wait_reason, attempt_count, match_details"


def queue_row(host: HostApp, row: Any) -> dict[str, Any]:
    """A queue row as it is."""
    (found,) = host.query(f"select {COLUMNS} from public.enrichment_queue where id = %s", row)
    return found


def rows_of_import(host: HostApp, import_id: Any) -> list[dict[str, Any]]:
    """The queue rows an import has made."""
    return host.query(f"select {COLUMNS} from public.enrichment_queue where import_id = %s", import_id)


def import_rows(host: HostApp, filled: Filled) -> list[dict[str, Any]]:
    """The lines of the half-read import, as they were before the upgrade."""
    rows = filled.rows["enrichment.import_rows"]
    return sorted(
        (row for row in rows if row["import_id"] == str(filled.half_import)),
        key=lambda row: row["row_number"],
    )


def shown_cover(host: HostApp, book: Book) -> str | None:
    """The cover that the work shows."""
    return values(host, book.work)["work"]["default_cover_url"]


def on_shelves(host: HostApp, work: Any) -> int:
    """On how many shelves a work stands."""
    (row,) = host.query("select count(*)::integer as n from public.library_items where work_id = %s", work)
    return row["n"]


def send(host: HostApp, filled: Filled) -> list[dict[str, Any]]:
    """Ada's client sends the whole half-read file."""
    file = filled.half_import_file
    return host.call(
        "import_library",
        user_id=ADA,
        import_source="goodreads",
        rows=file,
        import_id=filled.half_import,
        expected_rows=len(file),
    )


def claim_all(host: HostApp) -> list[dict[str, Any]]:
    """A worker claims whatever is due."""
    return host.call("claim_enrichment", worker_name=WORKER, batch_size=100)


def give_back(host: HostApp, claimed: list[dict[str, Any]]) -> None:
    """It gives rows back, due at once."""
    for row in claimed:
        host.call(
            "release_enrichment",
            queue_id=row["queue_id"],
            claim_token=row["claim_token"],
            reason="stopped",
        )


def serve(host: HostApp, row: Any, raw: dict[str, Any]) -> dict[str, Any]:
    """A worker answers each look-up of that one row with this reply, until nothing more is asked."""
    for _ in range(MOST_LOOKUPS):
        claimed = {each["queue_id"]: each for each in claim_all(host)}
        assert row in claimed, f"nobody can claim {queue_row(host, row)}"
        this = claimed.pop(row)
        give_back(host, list(claimed.values()))
        (applied,) = host.call("apply_enrichment", results=[answer(this, raw)])
        assert applied["outcome"] == "applied", applied
        if applied["status"] != "pending":
            return queue_row(host, row)
    raise AssertionError(f"queue row {row} asks for ever: {queue_row(host, row)}")


def ask_again(host: HostApp, book: Book, raw: dict[str, Any]) -> dict[str, Any]:
    """A month later ada asks for the book again, and the provider says what it says: the new queue row."""
    host.query(
        """
        update public.source_records set fetched_at = fetched_at - interval '30 days'
        where entity_type in ('isbn_lookup', 'title_lookup') returning id
        """
    )
    (asked,) = as_ada(host, "trigger_enrichment", work_ids=[book.work])
    assert asked["outcome"] == "enqueued", asked
    return serve(host, asked["queue_id"], raw)
