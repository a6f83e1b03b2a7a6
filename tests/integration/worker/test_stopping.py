"""Stopped, cancelled or ended by a signal, a worker gives its rows back and applies what was answered."""

import asyncio
import contextlib
import os
import signal
import time
from typing import Any

from book_enrichment.work import stopping_on_signals


async def test_stop_gives_the_rows_back(worker, add_books, queue, library) -> None:
    """In the middle of a slow call: the claims are released, saying so, and no attempt is spent."""
    asked = asyncio.Event()

    async def slow(request: Any) -> Any:
        asked.set()
        await asyncio.sleep(30)

    library.misbehave(slow)
    await add_books()
    task = asyncio.create_task(worker.run())
    await asyncio.wait_for(asked.wait(), 10)
    began = time.monotonic()
    worker.stop()
    stats = await asyncio.wait_for(task, 10)
    assert time.monotonic() - began < 2
    rows = await queue()
    assert {(row["status"], row["wait_reason"], row["attempt_count"]) for row in rows} == {
        ("pending", "stopped", 0)
    }
    assert stats.released == {"stopped": 4}


async def test_sigterm_stops_it(worker, add_books, queue, library) -> None:
    """As a hosting platform ends a process."""
    asked = asyncio.Event()

    async def slow(request: Any) -> Any:
        asked.set()
        await asyncio.sleep(30)

    library.misbehave(slow)
    await add_books()
    with stopping_on_signals(worker):
        task = asyncio.create_task(worker.run())
        await asyncio.wait_for(asked.wait(), 10)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(task, 10)
    assert {row["wait_reason"] for row in await queue()} == {"stopped"}


async def test_a_cancelled_run_gives_the_rows_back(worker, add_books, queue, library) -> None:
    """As asyncio.run does on Ctrl-C, or a framework with its tasks."""
    asked = asyncio.Event()

    async def slow(request: Any) -> Any:
        asked.set()
        await asyncio.sleep(30)

    library.misbehave(slow)
    await add_books()
    task = asyncio.create_task(worker.run())
    await asyncio.wait_for(asked.wait(), 10)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert {row["status"] for row in await queue()} == {"pending"}
    assert {row["attempt_count"] for row in await queue()} == {0}


async def test_answers_that_came_before_the_stop_are_applied(worker, add_books, queue, library) -> None:
    """They were paid for."""
    asked = asyncio.Event()

    async def slow(request: Any) -> Any:
        asked.set()
        await asyncio.sleep(30)

    await add_books({"9780439023481": "The Hunger Games", "a": "The Left Hand of Darkness"})
    library.misbehave(library.search)
    library.misbehave(slow)
    task = asyncio.create_task(worker.run())
    await asyncio.wait_for(asked.wait(), 10)
    worker.stop()
    await asyncio.wait_for(task, 10)
    without, with_isbn = sorted(await queue(), key=lambda row: row["cover_applied"])
    assert with_isbn["cover_applied"]
    assert (without["status"], without["wait_reason"]) == ("pending", "stopped")
