"""What readers, workers and the operator do, each by the public verb for it. Every step sees to it that the
database answered as expected."""

import uuid
from dataclasses import replace
from typing import Any

from books import AUTHOR, Book, add_book, isbn13, reply, values
from host_app import ADA, BOB, HostApp

WORKER = "worker of release 0"

# Readers


def as_ada(host: HostApp, verb: str, **arguments: Any) -> Any:
    """A verb, called by ada."""
    return host.call(verb, role="authenticated", reader=ADA, **arguments)


def as_bob(host: HostApp, verb: str, **arguments: Any) -> Any:
    """A verb, called by bob."""
    return host.call(verb, role="authenticated", reader=BOB, **arguments)


def ask(host: HostApp, book: Book) -> Book:
    """Ada presses the button."""
    (asked,) = as_ada(host, "trigger_enrichment", work_ids=[book.work])
    assert asked["outcome"] == "enqueued", asked
    return replace(book, row=asked["queue_id"])


def asked_for(host: HostApp, number: int, title: str, readers: tuple[str, ...] = (ADA,)) -> Book:
    """A book of the host's that ada asked for."""
    return ask(host, add_book(host, number, title, readers))


def approve(host: HostApp, book: Book, *unticked: str) -> Book:
    """Ada approves what is proposed, but for some fields."""
    (row,) = host.query("select match_details from public.enrichment_queue where id = %s", book.row)
    ticked = [field for field in row["match_details"]["proposals"] if field not in unticked]
    (approved,) = as_ada(host, "approve_enrichment", queue_id=book.row, fields=ticked)
    assert sorted(approved["fields_applied"]) == sorted(ticked)
    return book


def lock(host: HostApp, book: Book) -> Book:
    """Ada locks the cover and the publisher."""
    fields = ["work.cover_url", "edition.publisher"]
    locks = as_ada(host, "lock_fields", work_id=book.work, fields=fields, edition_id=book.edition)
    assert len(locks) == len(fields)
    return book


# Workers


def claim(host: HostApp, book: Book) -> dict[str, Any]:
    """The worker's claim on the one row that is due."""
    (claimed,) = host.call("claim_enrichment", worker_name=WORKER, batch_size=100)
    assert claimed["queue_id"] == book.row
    return claimed


def answer(claimed: dict[str, Any], raw: dict[str, Any]) -> dict[str, Any]:
    """What the worker hands in: the same reply to every look-up; {} for a miss."""
    found = {"raw": raw} if raw else {"no_match": True}
    return {
        "queue_id": str(claimed["queue_id"]),
        "claim_token": str(claimed["claim_token"]),
        "lookups": [
            {name: lookup[name] for name in ("provider", "kind", "key")} | found
            for lookup in claimed["lookups"]
        ],
    }


def answered(host: HostApp, book: Book, raw: dict[str, Any] | None = None) -> Book:
    """The row goes all its way: claimed and answered, look-up by look-up."""
    raw = reply(book) if raw is None else raw
    status = "pending"
    while status == "pending":
        (applied,) = host.call("apply_enrichment", results=[answer(claim(host, book), raw)])
        assert applied["outcome"] == "applied", applied
        status = applied["status"]
    return book


def fail(host: HostApp, book: Book, times: int) -> Book:
    """The worker's look-up meets a lasting error, again and again."""
    for attempt in range(times):
        if attempt:
            host.query(
                "update public.enrichment_queue set next_attempt_after = now() where id = %s returning 1",
                book.row,
            )
        token = claim(host, book)["claim_token"]
        host.call(
            "fail_enrichment", queue_id=book.row, claim_token=token, error="a reply that makes no sense"
        )
    return book


def claim_cover(host: HostApp, book: Book) -> dict[str, Any]:
    """The worker's claim on the one cover that is due."""
    (claimed,) = host.call("claim_covers", worker_name=WORKER, batch_size=1)
    assert claimed["work_id"] == book.work
    return claimed


def cover_answer(claimed: dict[str, Any], digit: str) -> dict[str, Any]:
    """What the worker hands in once the image is in the bucket; `digit` makes its hash."""
    path = f"openlibrary/{digit * 32}.webp"
    return {
        "cover_id": str(claimed["cover_id"]),
        "claim_token": str(claimed["claim_token"]),
        "sha256": digit * 64,
        "storage_path": path,
        "cover_url": f"https://project.supabase.co/storage/v1/object/public/covers/{path}",
        "bytes": 9000,
        "width": 240,
        "height": 360,
    }


# The operator, and who sends files


def configure(host: HostApp, **changes: Any) -> None:
    """Changes settings."""
    host.call("configure_enrichment", changes=changes)


def limit_provider(host: HostApp, provider: str, **limits: int) -> None:
    """The operator's own limits, which stand in the table itself."""
    columns = ", ".join(f"{column} = {value}" for column, value in limits.items())
    host.query(f"update enrichment.providers set {columns} where provider = %s returning 1", provider)


def csv_row(row_number: int, title: str, number: int, **more: Any) -> dict[str, Any]:
    """A line of a file as the client sends it."""
    return {
        "row_number": row_number,
        "external_id": f"goodreads:{7000 + number}",
        "title": title,
        "authors": [AUTHOR],
        "isbn": isbn13(number),
        "status": "completed",
    } | more


def import_whole(host: HostApp) -> tuple[uuid.UUID, Book, Book]:
    """Bob's file: a new book, one that the catalogue has, and the first again. Both get all their values."""
    import_id = uuid.uuid4()
    matched = add_book(host, 21, "Known Before the File", readers=())
    file = [
        csv_row(2, "Fresh From the File", 20),
        csv_row(3, matched.title, matched.number, publisher="The Publisher of the File"),
        csv_row(4, "Fresh From the File", 20),
    ]
    lines = host.call(
        "import_library",
        user_id=BOB,
        import_source="goodreads",
        rows=file,
        import_id=import_id,
        expected_rows=len(file),
    )
    assert [line["outcome"] for line in lines] == ["created", "matched", "duplicate"]
    matched = replace(matched, row=lines[1]["queue_id"])
    imported = Book(
        work=lines[0]["work_id"],
        edition=lines[0]["edition_id"],
        title=file[0]["title"],
        number=20,
        before=values(host, lines[0]["work_id"]),
        row=lines[0]["queue_id"],
    )
    replies = {imported.row: reply(imported), matched.row: reply(matched)}
    claimed = host.call("claim_enrichment", worker_name=WORKER, batch_size=100)
    results = [answer(each, replies[each["queue_id"]]) for each in claimed]
    applied = host.call("apply_enrichment", results=results)
    assert [each["status"] for each in applied] == ["completed", "completed"]
    return import_id, imported, matched


def import_half(host: HostApp) -> tuple[uuid.UUID, list[dict[str, Any]]]:
    """Ada's file, cut off on the way after two of four rows."""
    import_id = uuid.uuid4()
    file = [
        csv_row(2, "The First Line", 22, rating=8, tags=["winter"]),
        csv_row(3, "The Second Line", 23),
        csv_row(4, "The Third Line", 24),
        csv_row(5, "The First Line", 22),
    ]
    lines = host.call(
        "import_library",
        user_id=ADA,
        import_source="goodreads",
        rows=file[:2],
        import_id=import_id,
        expected_rows=len(file),
    )
    assert [line["outcome"] for line in lines] == ["created", "created"]
    return import_id, file
