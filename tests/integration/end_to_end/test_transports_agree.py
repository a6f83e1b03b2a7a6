"""The same story told through PostgREST and through psycopg, in two databases: nothing may tell them
apart."""

import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import asdict
from datetime import datetime
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from book_enrichment.database import Database, open_database
from book_enrichment.database.records import ClaimedRow
from book_enrichment.errors import EnrichmentError
from book_enrichment.settings import Settings

TRANSPORTS = ("postgrest", "postgres")
READER = uuid.UUID("aaaaaaaa-0000-4000-8000-000000000001")
IMPORT = uuid.UUID("aaaaaaaa-0000-4000-8000-000000000002")
# What is made anew in every database and every second.
NAMELESS = {
    "id",
    "queue_id",
    "work_id",
    "edition_id",
    "claim_token",
    "library_item_id",
    "cursor",
    "import_id",
    "author_id",
}
NAMELESS |= {"entity_id", "enrichment_queue_id", "preferred_edition_id", "user_id"}
BOOKS = [
    {"title": "The Hunger Games", "authors": ["Suzanne Collins"], "isbn": "9780439023481"},
    {
        "title": "Les Misérables",
        "authors": ["Victor Hugo"],
        "isbn": "9780451419439",
        "publisher": "Signet “Classics”",
    },
    {"title": "Mockingjay (The Hunger Games, #3)", "authors": ["Collins, Suzanne"], "isbn": "9780439023511"},
    {"title": "Unknown to Everybody", "authors": ["Nobody"], "isbn": "9780000000019"},
    {"title": "No ISBN At All", "authors": ["Jane Doe"], "total_pages": 17},
    {"title": "Somebody Else’s Title", "authors": ["X"], "isbn": "9780061120084"},
    {"title": "Left Half Way", "authors": [], "isbn": "9780451524935"},
    {"title": "Fails For Good", "authors": [], "isbn": "9780743273565"},
    {"title": "Comes Too Late", "authors": [], "isbn": "9780141439518"},
]


@pytest.fixture
async def transports(stack: Any) -> AsyncIterator[dict[str, Database]]:
    """The service role through both transports, each into a new database of its own with one reader."""
    async with AsyncExitStack() as opened:
        transports = {}
        for transport in TRANSPORTS:
            name = f"pytest_{os.getpid()}_{transport}"
            url = stack.create_database(name, template=stack.migrated_template())
            opened.callback(stack.drop_database, name)
            with psycopg.connect(url) as connection:
                connection.execute(
                    "insert into auth.users (id, email) values (%s, 'ada@example.org')", [READER]
                )
                connection.execute("insert into public.users (id, handle) values (%s, 'ada')", [READER])
            address = {"supabase_url": stack.rest(name).url, "supabase_service_role_key": stack.service_key}
            settings = Settings(
                _env_file=None, **(address if transport == "postgrest" else {"database_url": url})
            )
            transports[transport] = await opened.enter_async_context(open_database(settings))
        yield transports


@pytest.fixture
def rows_of(stack: Any) -> Any:
    """`rows_of("postgrest", "works")`: every row of a table, without what is made anew in every database."""

    def rows_of(transport: str, table: str) -> list[str]:
        url = stack.database_url(f"pytest_{os.getpid()}_{transport}")
        with psycopg.connect(url, row_factory=dict_row) as connection:
            rows = connection.execute(f"select to_jsonb(t) as row from {table} as t").fetchall()
        return sorted(repr(bare(row["row"])) for row in rows)

    return rows_of


def bare(row: dict[str, Any]) -> dict[str, Any]:
    """The row without names; of a time only that there is one."""
    return {
        column: bool(value)
        if isinstance(value, datetime) or column.endswith(("_at", "_after", "_until"))
        else value
        for column, value in sorted(row.items())
        if column not in NAMELESS and column not in ("due_in", "tokens", "used_on")
    }


def document(isbn: str, title: str, number: int) -> dict[str, Any]:
    edition = {"key": f"/books/OL{number}M", "title": title, "isbn": [isbn], "publisher": ["Éditions \\ “X”"]}
    return {
        "key": f"/works/OL{number}W",
        "title": title,
        "cover_i": number,
        "first_publish_year": 1900 + number,
        "description": 'Line one\nline "two" — <b>naïve</b> 😀',
        "editions": {"docs": [edition]},
    }


def answers_to(claimed: list[ClaimedRow]) -> list[dict[str, Any]]:
    """What a worker sends back: matches good and doubtful, a miss, and two answers to no claim."""
    lookups = [
        {"provider": row.lookups[0].provider, "kind": row.lookups[0].kind, "key": row.lookups[0].key}
        for row in claimed
    ]
    replies: list[dict[str, Any]] = [
        {"raw": {"docs": [document(lookups[0]["key"], "The Hunger Games", 1)]}},
        {"raw": {"docs": [document(lookups[1]["key"], "Les Miserables", 2)]}},
        {
            "raw": {
                "docs": [
                    document(lookups[2]["key"], "The Hunger Games", 1),
                    document("9780439023511", "Mockingjay", 3),
                ]
            }
        },
        {"no_match": True},
        {"raw": {"docs": [document("9780441478125", "No ISBN at All", 4) | {"author_name": ["Jane Doe"]}]}},
        {"raw": {"docs": [document(lookups[5]["key"], "To Kill a Mockingbird", 5)]}},
    ]
    elements: list[dict[str, Any]] = [
        {"queue_id": row.queue_id, "claim_token": row.claim_token, "lookups": [lookup | reply]}
        for row, lookup, reply in zip(claimed, lookups, replies, strict=False)
    ]
    elements.append({"queue_id": "not a uuid", "claim_token": None, "lookups": []})
    elements.append({"queue_id": claimed[8].queue_id, "claim_token": uuid.uuid4(), "lookups": []})
    return elements


async def refusal_of(verb: Callable[..., Awaitable[Any]], row: ClaimedRow) -> tuple[str, str | None, str]:
    """How a verb refuses a row that is somebody's no longer: class, code and message."""
    with pytest.raises(EnrichmentError) as refusal:
        await verb(row.queue_id, row.claim_token, "too late")
    plain = str(refusal.value).replace(str(row.queue_id), "row")
    return type(refusal.value).__name__, refusal.value.code, plain


async def tell(database: Database) -> list[tuple[str, Any]]:
    """Every verb of a worker's life, with what each said."""
    said: list[tuple[str, Any]] = []

    def note(verb: str, records: Any) -> Any:
        listed = records if isinstance(records, list) else [records]
        said.append((verb, sorted((bare(asdict(record)) for record in listed), key=repr)))
        return records

    flags = {
        "auto_enabled": True,
        "auto_apply_metadata": True,
        "contact": "tests@example.org",
        "batch_size": 25,
    }
    note("configure", await database.configure_enrichment(flags))
    rows = [
        {"row_number": number, "status": "to_read", "external_id": f"goodreads:{number}", **book}
        for number, book in enumerate(BOOKS, start=2)
    ]
    rows.append({"row_number": 99, "problem": "the line has 40 cells"})
    imported = note("import", await database.import_library(READER, "goodreads", rows, IMPORT))
    note("import again", await database.import_library(READER, "goodreads", rows, IMPORT))
    work_ids = [outcome.work_id for outcome in imported if outcome.work_id]
    note(
        "enqueue", await database.enqueue_enrichment([*work_ids, uuid.UUID(int=7)], "manual_bulk", READER, 10)
    )
    titles = [book["title"] for book in BOOKS]
    claimed = sorted(
        note("claim", await database.claim_enrichment("ada")), key=lambda row: titles.index(row.title)
    )
    assert len(claimed) == len(BOOKS)
    note("reserve", await database.reserve_provider_calls("openlibrary", 3))
    note(
        "report",
        await database.report_provider_calls("openlibrary", succeeded=2, failed=1, last_error="Ümlaut"),
    )
    note("report", await database.report_provider_calls("openlibrary", retry_after=600.25))

    elements = answers_to(claimed)
    note("apply", await database.apply_enrichment(elements))
    note("apply again", await database.apply_enrichment(elements))
    note("release", await database.release_enrichment(claimed[6].queue_id, claimed[6].claim_token, "rate"))
    note(
        "fail", await database.fail_enrichment(claimed[7].queue_id, claimed[7].claim_token, "HTTP 400: “bad”")
    )
    for verb in ("release", "fail"):
        said.append((verb, await refusal_of(getattr(database, f"{verb}_enrichment"), claimed[0])))
    note("sweep", await database.sweep_enrichment())
    note("status", await database.enrichment_status(work_ids))
    note("list", await database.list_enrichment())
    note("reset", await database.reset_stale_enrichment())
    note("overview", await database.enrichment_overview())
    note("due", await database.enrichment_due())
    return said


async def test_both_transports_tell_the_same_story(transports, rows_of) -> None:
    """Import, enqueue, claim, apply (with bad and late elements), fail, release and the reads: equal
    answers, equal errors, and in the end equal tables, but for ids, tokens and times."""
    told = {transport: await tell(database) for transport, database in transports.items()}
    for through_postgrest, through_postgres in zip(told["postgrest"], told["postgres"], strict=True):
        assert through_postgrest == through_postgres
    applied = [row for verb, rows in told["postgres"] if verb == "apply" for row in rows]
    statuses = {row["status"] for row in applied}
    assert statuses >= {"completed", "needs_review", "pending", None}, (
        "a story in which little happens proves little"
    )

    tables = ["works", "editions", "authors", "external_ids", "library_items", "source_records"]
    tables += [
        "enrichment_queue",
        "enrichment_audit_log",
        "enrichment.candidates",
        "enrichment.filled_fields",
    ]
    for table in [
        *tables,
        "enrichment.parsed_works",
        "enrichment.import_rows",
        "enrichment.settings",
        "enrichment.providers",
    ]:
        assert rows_of("postgrest", table) == rows_of("postgres", table), table
    assert len(rows_of("postgres", "enrichment_audit_log")) >= 4
