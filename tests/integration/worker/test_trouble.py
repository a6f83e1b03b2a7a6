"""The library is down, the database away, an answer late: what the rows say of it, and what it costs them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import open_library
from book_enrichment.database import Database
from book_enrichment.errors import DatabaseUnavailable, Forbidden
from book_enrichment.work import Worker, open_worker

from .conftest import eventually


async def test_a_library_that_is_down_costs_no_attempt(worker, add_books, queue, library) -> None:
    """The rows wait with a reason and a time, and no attempt is spent."""
    library.misbehave(open_library.canned(503, {"error": "down"}))
    await add_books()
    stats = await worker.run(drain=True, patience=0)
    rows = await queue()
    assert [row["status"] for row in rows] == ["pending"] * 4
    assert [row["attempt_count"] for row in rows] == [0] * 4
    assert all(row["wait_reason"] == "server_error" for row in rows)
    assert all(row["next_attempt_after"] > datetime.now(UTC) for row in rows)
    assert stats.failed == 0
    assert stats.pending == 4


async def test_the_breaker_ends_the_calls(worker, add_books, library, monkeypatch) -> None:
    """After five failures in a row nobody calls for a minute."""
    monkeypatch.setattr("book_enrichment.work.leases.RETRY_SECONDS", 0.1)
    library.misbehave(open_library.canned(500, {"error": "down"}), times=50)
    await add_books()
    await worker.run(drain=True, patience=5)
    assert len(library.calls) == 5


async def test_retry_after_is_when_the_rows_are_due(worker, add_books, queue, library) -> None:
    """A 429 names its own time."""
    library.misbehave(open_library.canned(429, {"error": "slow down"}, retry_after="600"))
    await add_books()
    before = datetime.now(UTC)
    await worker.run(drain=True, patience=5)
    for row in await queue():
        assert timedelta(seconds=590) < row["next_attempt_after"] - before < timedelta(seconds=620)
    assert len(library.calls) == 1


async def test_what_was_refused_in_person_pauses_the_library(worker, add_books, queue, library) -> None:
    """A 403 to our User-Agent: no hammering, and the reason says what is wrong."""
    library.misbehave(open_library.canned(403, {"error": "identify yourself"}))
    await add_books()
    await worker.run(drain=True, patience=5)
    assert len(library.calls) == 1
    assert {row["wait_reason"] for row in await queue()} == {"identify"}


async def test_after_the_outage_the_rows_finish(worker, add_books, queue, library, monkeypatch) -> None:
    """Nothing has to be asked for again by hand."""
    monkeypatch.setattr("book_enrichment.work.leases.RETRY_SECONDS", 0.1)
    library.misbehave(open_library.canned(503, {"error": "down"}))
    await add_books()
    await worker.run(drain=True, patience=0)
    assert {row["status"] for row in await queue()} == {"pending"}
    await worker.run(drain=True, patience=5)
    assert {row["status"] for row in await queue()} == {"completed"}


async def test_a_lasting_error_spends_an_attempt(worker, add_books, queue, library) -> None:
    """A look-up that the library calls malformed is this row's own trouble."""
    library.misbehave(open_library.canned(400, {"error": "bad query"}))
    await add_books({"a": "The Left Hand of Darkness"})
    stats = await worker.run(drain=True, patience=5)
    (row,) = await queue()
    assert (row["status"], row["attempt_count"], row["wait_reason"]) == ("pending", 1, "backoff")
    assert row["last_error"]
    assert stats.failed == 1


async def test_a_fault_of_ours_spends_an_attempt(worker, add_books, queue, monkeypatch) -> None:
    """Otherwise the row that meets it would be taken again for ever; the worker itself goes on."""

    async def broken(lookups: Any, permit: Any) -> AsyncIterator[Any]:
        assert await permit()
        raise KeyError("docs")
        yield

    await add_books()
    monkeypatch.setattr(worker.providers["openlibrary"], "answers", broken)
    await worker.run(drain=True, patience=5)
    assert {(row["attempt_count"], row["last_error"]) for row in await queue()} == {(1, "KeyError: 'docs'")}


async def test_a_database_that_goes_away_is_waited_for(settings, add_books, queue, monkeypatch) -> None:
    """The worker logs, backs off and goes on; what was answered meanwhile is applied when it is back."""
    await add_books()
    async with open_worker(settings) as worker:
        apply, troubles = worker.database.apply_enrichment, iter([True, False])

        async def sometimes_away(results: Any) -> Any:
            if next(troubles, False):
                raise DatabaseUnavailable("gone")
            return await apply(results)

        monkeypatch.setattr(worker.database, "apply_enrichment", sometimes_away)
        stats = await worker.run(drain=True, patience=30)
    assert {row["status"] for row in await queue()} == {"completed"}
    assert stats.covers == 4


async def test_a_key_without_rights_ends_the_run(
    service: Database, as_reader, create_reader, settings
) -> None:
    """Waiting will not make it right."""
    ada = await as_reader(*create_reader("ada"))
    with pytest.raises(Forbidden):
        await Worker(ada, [], settings).run()


async def test_a_claim_that_was_reset_is_dropped(worker, add_books, queue, library, connect, caplog) -> None:
    """The late answer changes nothing, and is logged."""
    asked, reset = asyncio.Event(), asyncio.Event()

    async def slow(request: Any) -> Any:
        asked.set()
        await reset.wait()
        return await library.search(request)

    library.misbehave(slow)
    await add_books()
    task = asyncio.create_task(worker.run())
    await asyncio.wait_for(asked.wait(), 10)
    await (await connect()).execute("select public.reset_stale_enrichment(interval '-1 s')")
    reset.set()
    await eventually(lambda: worker.stats.dropped == 4)
    worker.stop()
    await task
    assert worker.stats.covers == 0
    assert {(row["status"], row["wait_reason"]) for row in await queue()} == {("pending", "stale")}
    assert any(getattr(record, "action", None) == "drop" for record in caplog.records)
