"""Eight processes call one server under one limit, and nothing that happens to them lets a call too many
through: not a kill -9, not a crash of the database, not a server that fails."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

RATE, BURST, A_DAY, RESERVE = 40, 10, 250, 20  # a second; at once; calls a day; what stays of them
GRANT_LIVES = 2  # seconds within which a grant is used or thrown away
MICROSECOND = Fraction(1, 1_000_000)

# Reserves a call, writes the grant down in the transaction that made it, makes the call, reports it. Ends
# when the budget of the day is spent or the breaker is open.
CALLER = """
    import http.client, os, sys, time, psycopg
    url, port = sys.argv[1], int(sys.argv[2])
    connection = None
    while True:
        try:
            connection = connection or psycopg.connect(url, autocommit=True, connect_timeout=2)
            asked_at = time.monotonic()
            with connection.transaction():
                reserve = "select * from public.reserve_provider_calls('openlibrary')"
                granted, retry_after, reason = connection.execute(reserve).fetchone()
                if granted:
                    note = "insert into grants (at) select refilled_at from enrichment.providers"
                    connection.execute(note + " where provider = 'openlibrary'")
            if reason in ("daily", "breaker"):
                break
            if not granted:
                time.sleep(min(float(retry_after), 0.1))
            elif time.monotonic() - asked_at < 1.5:
                server = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                server.request("GET", f"/{os.getpid()}")
                went_well = server.getresponse().status == 200
                report = "select public.report_provider_calls('openlibrary', succeeded => %s, failed => %s)"
                connection.execute(report, [int(went_well), int(not went_well)])
        except psycopg.OperationalError:
            connection = None
            time.sleep(0.05)
"""

Start = Callable[[str, int], list[subprocess.Popen[bytes]]]


@dataclass
class Server:
    """Counts: when each call came, and from which process."""

    port: int = 0
    status: int = 200
    log: list[tuple[Fraction, int]] = field(default_factory=list)
    hold: asyncio.Event | None = None  # answers nobody before this is set

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        self.log.append((time.time_ns() // 1000 * MICROSECOND, int(line.split()[1].strip(b"/"))))
        if self.hold:
            await self.hold.wait()
        await asyncio.sleep(0.1 if len(self.log) % 10 == 0 else 0.01)
        with contextlib.suppress(ConnectionError):
            writer.write(b"HTTP/1.1 %d Said\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % self.status)
            await writer.drain()
            writer.close()

    async def has_seen(self, calls: int, seconds: float) -> None:
        async with asyncio.timeout(seconds):
            while len(self.log) < calls:
                await asyncio.sleep(0.005)


@asynccontextmanager
async def counting_server() -> AsyncIterator[Server]:
    server = Server()
    listening = await asyncio.start_server(server.answer, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        if server.hold:
            server.hold.set()
        listening.close()


@pytest.fixture
def start_eight() -> Iterator[Start]:
    """`start_eight(database_url, port)`: eight callers, each a process of its own; ended after the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start_eight(url: str, port: int) -> list[subprocess.Popen[bytes]]:
        command = [sys.executable, "-c", textwrap.dedent(CALLER), url, str(port)]
        started.extend(subprocess.Popen(command) for _ in range(8))
        return started[-8:]

    yield start_eight
    for process in started:
        process.kill()
        process.wait()


async def connect_to(url: str) -> psycopg.AsyncConnection[dict[str, Any]]:
    return await psycopg.AsyncConnection.connect(url, autocommit=True, row_factory=dict_row)


async def set_limits(connection: Any, **columns: Any) -> None:
    """Of Open Library's row; its day is that of a zone where it is noon, so that no midnight comes by."""
    zone = f"Etc/GMT{datetime.now(UTC).hour - 12:+d}"
    columns = {"reset_time_zone": zone, "refilled_at": datetime.now(UTC), **columns}
    names = ", ".join(f"{name} = %({name})s" for name in columns)
    await connection.execute(
        f"update enrichment.providers set {names} where provider = 'openlibrary'", columns
    )
    contact = json.dumps({"contact": "tests@example.org"})
    await connection.execute("select public.configure_enrichment(%s)", [contact])
    await connection.execute("create table if not exists public.grants (at timestamptz not null)")
    await connection.execute("truncate public.grants")


async def ends(process: subprocess.Popen[bytes], seconds: float) -> int:
    return await asyncio.to_thread(process.wait, seconds)


def closest_window(moments: Iterable[Fraction], allowance: int) -> tuple[Fraction, int, Fraction]:
    """Of all windows that begin and end with a call, the one nearest to its limit: limit, calls, seconds."""
    times = sorted(moments)
    windows = (
        (BURST + RATE * (times[j] - times[i] + allowance), j - i + 1, times[j] - times[i])
        for i in range(len(times))
        for j in range(i, len(times))
    )
    return min(windows, key=lambda window: window[0] - window[1])


def microseconds(moment: datetime) -> Fraction:
    return (moment - datetime(2000, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * MICROSECOND


async def test_no_window_holds_a_call_too_many(crash_stack, start_eight, capsys) -> None:
    """Eight processes use up a day's budget. One is killed on the way, and the database
    crashes and comes back. Every window of the grants keeps burst + rate × window exactly, every window of
    the server's log with the two seconds a grant may live, and the day ends with its very last call."""
    url = crash_stack.database_url()
    connection = await connect_to(url)
    await set_limits(
        connection,
        rate_per_second=RATE,
        burst_size=BURST,
        tokens=BURST,
        daily_limit=A_DAY + RESERVE,
        daily_reserve=RESERVE,
    )
    async with counting_server() as server:
        processes = start_eight(url, server.port)
        await server.has_seen(1, 30)
        await server.has_seen(60, 30)
        victim = next(each for each in processes if each.pid == server.log[-1][1])
        os.kill(victim.pid, signal.SIGKILL)
        await server.has_seen(120, 30)
        await asyncio.to_thread(crash_stack.stop_immediate)
        before_the_crash = len(server.log)
        await asyncio.to_thread(crash_stack.start)
        codes = [await ends(each, 30) for each in processes]
    assert codes.count(-signal.SIGKILL) == 1
    assert codes.count(0) == 7, "the others went on after the crash and ended with the budget"
    assert before_the_crash < len(server.log) <= A_DAY

    connection = await connect_to(url)
    grants = await (await connection.execute("select at from public.grants")).fetchall()
    query = "select used_today from enrichment.providers where provider = 'openlibrary'"
    used = await (await connection.execute(query)).fetchall()
    assert (len(grants), used) == (A_DAY, [{"used_today": A_DAY}])

    by_grant = closest_window((microseconds(row["at"]) for row in grants), allowance=0)
    by_server = closest_window((at for at, _ in server.log), allowance=GRANT_LIVES)
    with capsys.disabled():
        for what, (limit, calls, seconds) in (("granted", by_grant), ("served", by_server)):
            print(
                f"\nclosest window: {calls} calls {what} in {float(seconds):.6f} s, limit {float(limit):.3f}"
            )
    assert by_grant[1] <= by_grant[0]
    assert by_server[1] <= by_server[0]
    await connection.close()


async def test_a_server_that_fails_is_left_in_peace(main, database_url, call, start_eight) -> None:
    """Five failures in a row and the breaker is open for a minute: of eight processes at most the calls that
    were under way still go out. After that one call is tried; its process is killed, so nobody ever reports
    it, and it lapses."""
    await set_limits(main, rate_per_second=100, burst_size=20, tokens=20)
    async with counting_server() as server:
        server.status = 500
        codes = [await ends(process, 30) for process in start_eight(database_url, server.port)]
        assert codes == [0] * 8
        assert 5 <= len(server.log) <= 5 + 7
        (refused,) = await call(main, "reserve_provider_calls", provider="openlibrary")
        assert (refused["granted"], refused["reason"]) == (0, "breaker")
        assert 50 < refused["retry_after"] <= 60

        server.log.clear()
        server.hold = asyncio.Event()
        over = "update enrichment.providers set {} = clock_timestamp() where provider = 'openlibrary'"
        await main.execute(over.format("open_until"))
        processes = start_eight(database_url, server.port)
        await server.has_seen(1, 30)
        (probing,) = [each for each in processes if each.pid == server.log[0][1]]
        assert [await ends(each, 30) for each in processes if each is not probing] == [0] * 7
        os.kill(probing.pid, signal.SIGKILL)
        assert len(server.log) == 1, "one probe among eight"

    (refused,) = await call(main, "reserve_provider_calls", provider="openlibrary")
    assert (refused["granted"], refused["reason"]) == (0, "breaker")
    await main.execute(over.format("probe_until"))
    reservations = [await call(main, "reserve_provider_calls", provider="openlibrary", calls=5) for _ in "ab"]
    assert [row["granted"] for (row,) in reservations] == [1, 0], "the next probe, again one"
    await call(main, "report_provider_calls", provider="openlibrary", succeeded=1)
    (closed,) = await call(main, "reserve_provider_calls", provider="openlibrary", calls=5)
    assert closed["granted"] == 5
