"""No call without a grant, and no claim held longer than it lives while one is waited for."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from book_enrichment.work import open_worker


async def test_a_provider_whose_next_grant_is_far_away_holds_no_rows(
    worker, add_books, queue, connect, library
) -> None:
    """More than a minute: not even claimed; the rows wait with the reason and the time, no attempt spent."""
    await add_books()
    update = (
        "update enrichment.providers set tokens = 0, rate_per_second = 0.01, refilled_at = clock_timestamp()"
    )
    await (await connect()).execute(update)
    began = time.monotonic()
    stats = await worker.run(drain=True, patience=5)
    assert time.monotonic() - began < 5
    rows = await queue()
    assert {(row["status"], row["wait_reason"], row["attempt_count"]) for row in rows} == {
        ("pending", "rate", 0)
    }
    assert all(row["next_attempt_after"] > datetime.now(UTC) + timedelta(seconds=60) for row in rows)
    assert (stats.claimed, library.calls) == (0, [])


async def test_no_call_is_waited_for_beyond_most_of_a_claims_life(
    worker, add_books, queue, connect, library
) -> None:
    """How long a claim lives is the database's to say: of 20 s, a call that is free in 18 is not waited for,
    and the row goes back before anybody takes its worker for dead."""
    await add_books({"a": "The Left Hand of Darkness", "b": "The Martian"})
    update = (
        "update enrichment.settings set stale_after_seconds = 20;"
        "update enrichment.providers set tokens = 1, rate_per_second = 0.055, refilled_at = clock_timestamp()"
    )
    await (await connect()).execute(update)
    began = time.monotonic()
    stats = await worker.run(drain=True, patience=5)
    assert time.monotonic() - began < 15
    assert worker.claim_seconds == 20
    assert (len(library.calls), stats.released) == (1, {"rate": 1})
    assert {row["attempt_count"] for row in await queue() if row["status"] == "pending"} == {0}


async def test_a_worker_with_a_slow_provider_keeps_its_claims(
    worker, add_books, queue, connect, library, clock
) -> None:
    """Claims live two minutes, and each call takes 25 s of them: what is not asked for in time goes back, so
    that no claim grows stale and no attempt is spent."""
    await add_books({letter: f"A Book Called {letter}" for letter in "abcdefgh"})
    main, reset = await connect(), []
    await main.execute(
        "update enrichment.settings set stale_after_seconds = 120;"
        "update enrichment.providers set burst_size = 100, tokens = 100"
    )

    async def slow(request: Any) -> Any:
        clock.seconds += 25
        await main.execute(
            "update enrichment_queue set started_at = started_at - interval '25 s'"
            " where status = 'in_progress'"
        )
        reset.extend(await (await main.execute("select * from reset_stale_enrichment()")).fetchall())
        return await library.search(request)

    library.misbehave(slow, times=8)
    stats = await worker.run(drain=True, patience=5)
    assert clock.seconds == 8 * 25
    assert (reset, stats.dropped) == ([], 0)
    assert stats.released["stopped"] > 0
    assert {(row["is_open"], row["attempt_count"]) for row in await queue()} == {(False, 1)}


async def test_rows_that_are_slow_to_claim_leave_time_for_their_calls(
    worker, add_books, connect, library, clock, monkeypatch
) -> None:
    """Claims live two minutes, and each takes 20 s to get: after two there is still time to ask, after four
    there would be none, round after round."""
    await add_books({letter: f"A Book Called {letter}" for letter in "abcdefgh"})
    await (await connect()).execute(
        "update enrichment.settings set stale_after_seconds = 120, batch_size = 1"
    )
    claim, claims_before_a_call = worker.database.claim_enrichment, []

    async def slow(*arguments: Any) -> Any:
        clock.seconds += 20
        if not library.calls:
            claims_before_a_call.append(arguments)
        return await claim(*arguments)

    monkeypatch.setattr(worker.database, "claim_enrichment", slow)
    await worker.run(drain=True, patience=5)
    assert len(claims_before_a_call) == 2
    assert library.calls


async def test_when_the_bucket_runs_dry_the_rest_goes_back_in_line(
    worker, add_books, queue, connect, library
) -> None:
    """One call is left and then none for a minute and more: what was claimed for them waits like the rest."""
    await add_books({"a": "The Left Hand of Darkness", "b": "The Martian", "c": "Dune"})
    update = (
        "update enrichment.providers set tokens = 1, rate_per_second = 0.01, refilled_at = clock_timestamp()"
    )
    await (await connect()).execute(update)
    stats = await worker.run(drain=True, patience=5)
    waiting = [row for row in await queue() if row["status"] == "pending"]
    assert {(row["wait_reason"], row["attempt_count"]) for row in waiting} == {("rate", 0)}
    assert all(row["next_attempt_after"] > datetime.now(UTC) + timedelta(seconds=60) for row in waiting)
    assert (len(waiting), len(library.calls), stats.released) == (2, 1, {"rate": 2})


async def test_a_grant_that_is_near_is_waited_for(worker, add_books, queue, connect) -> None:
    """A token every half second is worth waiting for."""
    await add_books()
    update = (
        "update enrichment.providers set tokens = 0, rate_per_second = 2, refilled_at = clock_timestamp()"
    )
    await (await connect()).execute(update)
    await worker.run(drain=True, patience=5)
    assert {row["status"] for row in await queue()} == {"completed"}


async def test_a_grant_that_comes_late_is_thrown_away(worker, add_books, library, monkeypatch) -> None:
    """A grant older than its two seconds would break the promise made to the provider."""
    await add_books()
    reserve = worker.database.reserve_provider_calls
    delays = iter([1.6])

    async def slow_reserve(provider: str, calls: int | None = None) -> Any:
        answer = await reserve(provider, calls)
        await asyncio.sleep(next(delays, 0))
        return answer

    monkeypatch.setattr(worker.database, "reserve_provider_calls", slow_reserve)
    stats = await worker.run(drain=True, patience=5)
    assert stats.calls["openlibrary"] == len(library.calls)
    assert stats.covers == 4


async def test_the_gap_between_two_calls_is_kept(settings, add_books, library) -> None:
    """PROVIDER_DELAY_MS is the least gap of one worker."""
    await add_books({"a": "The Left Hand of Darkness", "b": "The Martian", "c": "Dune"})
    async with open_worker(settings.model_copy(update={"provider_delay_ms": 300})) as worker:
        await worker.run(drain=True, patience=5)
    moments = [call["at"] for call in library.calls]
    assert len(moments) >= 3
    assert min(later - earlier for earlier, later in pairwise(moments)) >= 0.28
