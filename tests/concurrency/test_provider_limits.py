"""What all workers together may ask of a provider: one bucket, one daily count, one breaker."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import combinations_with_replacement, pairwise
from typing import Any

import pytest

RATE, BURST = 40, 10  # per second; at once


@pytest.fixture
async def limits(main) -> Any:
    """`await limits(daily_limit=100)` changes columns of Open Library's row. It begins fast and with a full
    bucket, in a time zone where it is noon, so that no midnight comes in between."""

    async def limits(**columns: Any) -> None:
        for column, value in columns.items():
            update = f"update enrichment.providers set {column} = %s where provider = 'openlibrary'"
            await main.execute(update, [value])

    zone = f"Etc/GMT{datetime.now(UTC).hour - 12:+d}"
    await limits(rate_per_second=RATE, burst_size=BURST, tokens=BURST, reset_time_zone=zone)
    await main.execute("update enrichment.providers set refilled_at = clock_timestamp()")
    return limits


async def reserve_until(
    ends_at: float, connection: Any, call: Any, calls: int
) -> tuple[list[tuple[datetime, int]], list[tuple[datetime, str | None]]]:
    """Reserves as often as it can, at least until it is refused, and answers when it got how many, and when
    it was refused and why, by the database's own clock."""
    grants, refusals = [], []
    while time.monotonic() < ends_at or not refusals:
        async with connection.transaction():
            (reservation,) = await call(
                connection, "reserve_provider_calls", provider="openlibrary", calls=calls
            )
            # Still under the row's lock: the moment at which the bucket was counted.
            bucket = await connection.execute(
                "select refilled_at, clock_timestamp() as now from enrichment.providers"
                " where provider = 'openlibrary'"
            )
            (moment,) = await bucket.fetchall()
        if reservation["granted"]:
            grants.append((moment["refilled_at"], reservation["granted"]))
        else:
            refusals.append((moment["now"], reservation["reason"]))
            assert reservation["retry_after"] > 0
    return grants, refusals


async def test_no_window_grants_more_than_burst_and_rate(connect, call, limits) -> None:
    """Three workers reserve 1, 3 and 10 at a time, as fast as they can, for two seconds: between any two
    grants there were at most burst + rate × time calls, exactly, and the rate was used up."""
    ends_at = time.monotonic() + 2
    workers = [reserve_until(ends_at, await connect(), call, calls) for calls in (1, 3, 10)]
    results = await asyncio.gather(*workers)
    grants = sorted(grant for each, _ in results for grant in each)
    for (i, (first, _)), (j, (last, _)) in combinations_with_replacement(enumerate(grants), 2):
        window = Fraction((last - first) // timedelta(microseconds=1), 1_000_000)
        assert sum(calls for _, calls in grants[i : j + 1]) <= BURST + RATE * window
    refusals = [refusal for _, each in results for refusal in each]
    assert {reason for _, reason in refusals} == {"rate"}
    # While nobody asks, on a machine that was busy elsewhere, the bucket only fills up.
    asked = sorted(moment for moment, _ in [*grants, *refusals] if moment <= grants[-1][0])
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(asked)]
    seconds = sum(min(gap, BURST / RATE) for gap in gaps)
    assert sum(calls for _, calls in grants) >= 0.9 * (BURST + RATE * seconds)


async def test_the_daily_limit_is_exact(connect, call, limits) -> None:
    """Four workers ask for 3 at a time: together they get the limit less the reserve, and not one more."""
    await limits(rate_per_second=100_000, burst_size=50, daily_limit=210, daily_reserve=10)
    ends_at = time.monotonic() + 1
    results = await asyncio.gather(*[reserve_until(ends_at, await connect(), call, 3) for _ in range(4)])
    assert sum(calls for grants, _ in results for _, calls in grants) == 200
    assert {reason for _, refusals in results for _, reason in refusals} == {"daily"}


async def test_a_limit_of_nothing_grants_nothing(main, call, limits) -> None:
    """The first reservation of a day under a limit that its reserve uses up: refused with the reason and a
    time."""
    await limits(daily_limit=10, daily_reserve=50, used_on=None)
    (reservation,) = await call(main, "reserve_provider_calls", provider="openlibrary", calls=3)
    assert (reservation["granted"], reservation["reason"]) == (0, "daily")
    assert reservation["retry_after"] > 0


async def test_an_open_breaker_lets_one_probe_through(connect, main, call, limits) -> None:
    """Its time is over and ten workers ask at once: one call is granted, the others wait for how it ends."""
    (state,) = await call(main, "report_provider_calls", provider="openlibrary", failed=5)
    assert state["open_until"] is not None
    await limits(open_until=datetime.now(UTC) - timedelta(seconds=1))
    connections = [await connect() for _ in range(10)]
    reservations = await asyncio.gather(
        *(call(each, "reserve_provider_calls", provider="openlibrary", calls=5) for each in connections)
    )
    granted = sorted((row["granted"], row["reason"]) for (row,) in reservations if row["granted"])
    refused = {row["reason"] for (row,) in reservations if not row["granted"]}
    assert (granted, refused) == ([(1, None)], {"breaker"})

    await limits(probe_until=datetime.now(UTC) - timedelta(seconds=1))
    (after,) = await call(main, "reserve_provider_calls", provider="openlibrary", calls=5)
    assert after["granted"] == 1, "a probe that never reported lapses"
    await call(main, "report_provider_calls", provider="openlibrary", succeeded=1)
    (closed,) = await call(main, "reserve_provider_calls", provider="openlibrary", calls=5)
    assert closed["granted"] == 5


async def test_a_call_that_ended_well_does_not_shorten_a_pause(main, call, limits) -> None:
    """One worker is told to come back in ten minutes; another's call, sent before that, is reported after
    it."""
    told = await call(main, "report_provider_calls", provider="openlibrary", failed=1, retry_after=600)
    later = await call(main, "report_provider_calls", provider="openlibrary", succeeded=1)
    assert (later[0]["retry_at"], later[0]["paused_reason"]) == (told[0]["retry_at"], "retry_after")
    (reservation,) = await call(main, "reserve_provider_calls", provider="openlibrary")
    assert (reservation["granted"], reservation["reason"]) == (0, "retry_after")


async def test_a_failure_reported_by_each_worker_counts(connect, main, call, limits) -> None:
    """Five workers report one failure each at the same moment: five in a row, and the breaker opens."""
    connections = [await connect() for _ in range(5)]
    await asyncio.gather(
        *(call(each, "report_provider_calls", provider="openlibrary", failed=1) for each in connections)
    )
    (reservation,) = await call(main, "reserve_provider_calls", provider="openlibrary")
    assert (reservation["granted"], reservation["reason"]) == (0, "breaker")
    assert 55 < reservation["retry_after"] <= 60
