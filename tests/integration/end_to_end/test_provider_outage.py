"""No provider can be reached, for as long as it takes; and what happens when it is back.

The worker is the real one and its calls are real HTTP. Time is moved by back-dating what the rows wait for.
"""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

import open_library
from book_enrichment.database import open_database
from book_enrichment.settings import Settings
from book_enrichment.work import Worker, open_worker

ROUNDS = 12  # four times as many as a row has attempts
CATALOGUED = {
    "9780439023481": "The Hunger Games",
    "9780061120084": "To Kill a Mockingbird",
    "9780451524935": "1984",
    "9780743273565": "The Great Gatsby",
}
UNKNOWN = {"9780000000019": "A Book Nobody Has"}


@pytest.fixture
def settings(database_url: str, free_port: int) -> Settings:
    """A worker's settings; the provider is at `free_port`, when it is."""
    return Settings(
        _env_file=None,
        database_url=database_url,
        auto_enabled=True,
        auto_apply_metadata=True,
        provider_delay_ms=0,
        contact="tests@example.org",
        open_library_url=f"http://127.0.0.1:{free_port}",
    )


@pytest.fixture
async def worker(settings: Settings) -> AsyncIterator[Worker]:
    """A worker that has not begun."""
    async with open_worker(settings, name="ada") as worker:
        yield worker


@pytest.fixture
async def import_books(settings: Settings, create_reader: Any) -> Any:
    """`await import_books()`: a reader imports the books, as from a CSV file."""

    async def import_books() -> None:
        reader, _ = create_reader("ada")
        rows = [
            {"row_number": number, "title": title, "authors": [], "isbn": isbn, "status": "to_read"}
            for number, (isbn, title) in enumerate((CATALOGUED | UNKNOWN).items(), start=2)
        ]
        async with open_database(settings) as database:
            outcomes = await database.import_library(reader, "goodreads", rows, uuid.uuid4())
        assert {outcome.outcome for outcome in outcomes} == {"created"}

    return import_books


async def rows_of(connection: psycopg.AsyncConnection[dict[str, Any]]) -> list[dict[str, Any]]:
    query = """
    select w.title, q.status::text, q.attempt_count, q.wait_reason, q.next_attempt_after, q.finished_at
    from public.enrichment_queue as q join public.works as w on w.id = q.work_id order by w.title
    """
    return await (await connection.execute(query)).fetchall()


async def let_time_pass(connection: psycopg.AsyncConnection[dict[str, Any]]) -> None:
    """Every wait is over: the rows' own, the breaker's, and the bucket is full again."""
    await connection.execute("update public.enrichment_queue set next_attempt_after = now() where is_open")
    await connection.execute(
        """
        update enrichment.providers
        set open_until = open_until - interval '2 minutes', probe_until = null, retry_at = null,
            tokens = burst_size
        """
    )


async def test_an_outage_of_any_length_costs_no_row(worker, connect, import_books, free_port) -> None:
    """Round after round nobody answers: each row stays pending, with a reason, a time to come, and all its
    attempts. When the provider is back, all end, and none had to be asked for again."""
    await import_books()
    connection = await connect()
    for number in range(ROUNDS):
        await let_time_pass(connection)
        stats = await worker.run(drain=True, patience=0)
        rows = await rows_of(connection)
        assert {(row["status"], row["attempt_count"]) for row in rows} == {("pending", 0)}, number
        assert {row["wait_reason"] for row in rows} <= {"unreachable", "breaker"}
        assert all(row["next_attempt_after"] > datetime.now(UTC) for row in rows)
        assert stats.failed == 0
    breaker = await connection.execute(
        "select failures, last_error from enrichment.providers where provider = 'openlibrary'"
    )
    (state,) = await breaker.fetchall()
    assert state["failures"] >= 5
    assert state["last_error"]
    assert 5 <= stats.calls["openlibrary"] <= 5 + ROUNDS, "five to open the breaker, then a probe a round"

    async with open_library.serve(port=free_port) as library:
        await let_time_pass(connection)
        await worker.run(drain=True, patience=5)
        assert library.calls
    ended = {row["title"]: row["status"] for row in await rows_of(connection)}
    assert ended == dict.fromkeys(CATALOGUED.values(), "completed") | dict.fromkeys(
        UNKNOWN.values(), "skipped"
    )
    covers = await connection.execute(
        "select count(*)::integer as rows from works where default_cover_url is not null"
    )
    assert await covers.fetchall() == [{"rows": len(CATALOGUED)}]


async def test_the_cache_answers_during_an_outage(worker, connect, import_books) -> None:
    """A book whose reply is stored is completed while nobody can be reached; the others wait."""
    await import_books()
    connection = await connect()
    await connection.execute(
        """
        insert into public.source_records (provider, entity_type, provider_id, raw)
        values ('openlibrary', 'isbn_lookup', '9780451524935', '{"docs": [
            {"key": "/works/OL1168083W", "title": "1984", "cover_i": 12, "first_publish_year": 1949,
             "editions": {"docs": [{"key": "/books/OL1M", "title": "1984", "isbn": ["9780451524935"]}]}}
        ]}')
        """
    )
    stats = await worker.run(drain=True, patience=0)
    ended = {row["title"]: row["status"] for row in await rows_of(connection)}
    assert ended == dict.fromkeys((CATALOGUED | UNKNOWN).values(), "pending") | {"1984": "completed"}
    assert stats.swept == 1


async def test_due_says_when_to_come_back(worker, connect, import_books) -> None:
    """During the outage enrichment_due() names the breaker's end, so that a worker sleeps and does not
    knock."""
    await import_books()
    connection = await connect()
    for _ in range(5):
        await connection.execute(
            "update public.enrichment_queue set next_attempt_after = now() where is_open"
        )
        await worker.run(drain=True, patience=0)
    due = await worker.database.enrichment_due()
    assert due.reason in ("unreachable", "breaker")
    assert 50 < due.due_in <= 60
    assert (due.pending, due.in_progress) == (5, 0)
