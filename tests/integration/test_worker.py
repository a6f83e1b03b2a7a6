"""The worker, over a real database and real HTTP to a library of our own."""

import asyncio
import contextlib
import json
import os
import re
import signal
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from fastapi import BackgroundTasks, FastAPI

import open_library
from book_enrichment.database import Database, NotConfigured, open_database
from book_enrichment.errors import DatabaseUnavailable, EnrichmentError, Forbidden
from book_enrichment.providers import Answer, OpenLibrary, ProviderUnavailable
from book_enrichment.settings import Settings
from book_enrichment.work import Worker, open_worker, running, stopping_on_signals
from book_enrichment.work.loop import sleep_seconds
from measure_calls import isbn13

BOOKS = {
    "9780439023481": "The Hunger Games",
    "9780061120084": "To Kill a Mockingbird",
    "9780451524935": "1984",
    "9780743273565": "The Great Gatsby",
}

CONTACT = "tests@example.org"


@pytest.fixture
async def library() -> AsyncIterator[Any]:
    """The Open Library stand-in, listening."""
    async with open_library.serve() as library:
        yield library


@pytest.fixture
def settings(database_url: str, library: Any) -> Settings:
    """A worker's settings: covers and text are applied, the library is the stand-in, no gap between calls."""
    return Settings(
        _env_file=None,
        database_url=database_url,
        auto_enabled=True,
        auto_apply_metadata=True,
        provider_delay_ms=0,
        contact=CONTACT,
        open_library_url=library.base_url,
    )


@pytest.fixture
async def worker(settings: Settings) -> AsyncIterator[Worker]:
    """A worker that has not begun."""
    async with open_worker(settings, name="ada") as worker:
        yield worker


@pytest.fixture
async def add_books(connect) -> Callable[..., Awaitable[list[uuid.UUID]]]:
    """`await add_books({isbn: title, …})` puts bare books in line; a key that is a letter is no ISBN."""

    async def add_books(books: dict[str, str] = BOOKS) -> list[uuid.UUID]:
        connection = await connect()
        work_ids = []
        for isbn, title in books.items():
            work_ids.append(uuid.uuid4())
            await connection.execute(
                "insert into public.works (id, title) values (%s, %s)", [work_ids[-1], title]
            )
            if isbn.isdigit():
                insert = "insert into public.editions (work_id, isbn13) values (%s, %s)"
                await connection.execute(insert, [work_ids[-1], isbn])
        await connection.execute("select public.enqueue_enrichment(%s)", [work_ids])
        return work_ids

    return add_books


@pytest.fixture
async def queue(connect) -> Callable[[], Awaitable[list[dict[str, Any]]]]:
    """`await queue()`: all rows of the queue, oldest first."""

    async def queue() -> list[dict[str, Any]]:
        connection = await connect()
        return await (
            await connection.execute("select * from public.enrichment_queue order by id")
        ).fetchall()

    return queue


async def eventually(promise: Callable[[], Any], seconds: float = 10) -> None:
    """Wait for something that another task is about to do."""
    async with asyncio.timeout(seconds):
        while True:
            answer = promise()
            if await answer if asyncio.iscoroutine(answer) else answer:
                return
            await asyncio.sleep(0.02)


async def test_a_drained_queue_has_covers(worker, add_books, queue, library, connect) -> None:
    """Four books with ISBN are one call; every row is closed and every work has a cover."""
    await add_books()
    stats = await worker.run(drain=True, patience=5)
    assert [row["status"] for row in await queue()] == ["completed"] * 4
    assert (stats.covers, stats.claimed >= 4, stats.pending) == (4, True, 0)
    covers = await (await connect()).execute("select count(*) from works where default_cover_url is not null")
    assert (await covers.fetchone())["count"] == 4
    searches = [call for call in library.calls if call["path"] == "/search.json"]
    assert len(searches) == 1
    assert stats.calls["openlibrary"] == len(library.calls)


async def test_it_says_who_asks(worker, add_books, library) -> None:
    """The contact of the settings is in every User-Agent."""
    await add_books()
    await worker.run(drain=True, patience=5)
    assert library.calls
    assert all(CONTACT in call["user_agent"] for call in library.calls)


def without_contact(settings: Settings) -> Settings:
    """Those of a worker whose environment names nobody."""
    return settings.model_copy(update={"contact": None})


async def configure(connect: Any, **changes: Any) -> None:
    """As an operator does, on the command line or in the dashboard."""
    await (await connect()).execute("select public.configure_enrichment(%s)", [json.dumps(changes)])


async def test_it_says_who_asks_as_the_database_has_it(settings, add_books, library, connect) -> None:
    """A contact that was set there alone counts; the environment need not know it."""
    await configure(connect, contact="shelf@readers.dev")
    await add_books()
    async with open_worker(without_contact(settings)) as worker:
        await worker.run(drain=True, patience=5)
    assert library.calls
    assert all("shelf@readers.dev" in call["user_agent"] for call in library.calls)


async def test_a_contact_that_is_set_meanwhile_is_used_at_once(settings, add_books, library, connect) -> None:
    """The rows that waited for it wake the worker; it is not paused for having had none."""
    await add_books()
    async with open_worker(without_contact(settings)) as worker, running(worker):
        await eventually(lambda: worker.stats.wait_reason == "no_contact" or worker.stats.pending == 4)
        assert library.calls == []
        await configure(connect, contact="shelf@readers.dev")
        await eventually(lambda: worker.stats.covers == 4)
    assert all("shelf@readers.dev" in call["user_agent"] for call in library.calls)


async def test_nobody_is_asked_in_the_name_of_a_contact_that_is_none(
    settings, add_books, queue, library, connect
) -> None:
    """The provider would refuse us; its rows say what it would have said, and wait for another contact."""
    await configure(connect, contact="a friend")
    await add_books()
    async with open_worker(without_contact(settings)) as worker:
        await worker.run(drain=True, patience=0)
    assert library.calls == []
    assert {(row["wait_reason"], row["attempt_count"]) for row in await queue()} == {("identify", 0)}


@pytest.mark.parametrize("drain", [True, False])
async def test_a_flag_that_the_database_refuses_ends_the_worker(settings, drain) -> None:
    """With what it takes, and the variable's name; waiting would not change it."""
    async with open_worker(settings.model_copy(update={"batch_size": 0})) as worker:
        with pytest.raises(NotConfigured, match="it takes batch_size >= 1 and batch_size <= 100") as refused:
            await worker.run(drain=drain)
    assert "ENRICHMENT_BATCH_SIZE" in (refused.value.hint or "")


async def test_isbns_of_several_claims_share_a_call(settings, add_books, library, connect) -> None:
    """BATCH_SIZE is works per claim; what fits one call goes in one call."""
    await add_books()
    async with open_worker(settings.model_copy(update={"batch_size": 1})) as worker:
        await worker.database.configure_enrichment({"batch_size": 1})
        worker._configured = False
        await worker.run(drain=True, patience=5)
    assert len([call for call in library.calls if call["path"] == "/search.json"]) == 1


async def test_each_call_is_reserved_and_reported(worker, add_books, library, connect) -> None:
    """The database has counted exactly the calls that the library has seen, and knows that they went well."""
    await add_books({**BOOKS, "a": "The Left Hand of Darkness"})
    await worker.run(drain=True, patience=5)
    query = "select used_today, failures from enrichment.providers where provider = 'openlibrary'"
    provider = await (await (await connect()).execute(query)).fetchone()
    assert provider == {"used_today": len(library.calls), "failures": 0}


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


async def test_trouble_does_not_write_the_flags_again(settings, connect, monkeypatch) -> None:
    """They are set at the worker's start; what an operator changed since stands, whatever happened."""
    settings = settings.model_copy(update={"batch_size": 7})
    async with open_worker(settings) as worker:
        await worker.drain()
        await (await connect()).execute("update enrichment.settings set batch_size = 9")
        due, failed = worker.database.enrichment_due, asyncio.Event()

        async def failing_once() -> Any:
            if failed.is_set():
                return await due()
            failed.set()
            raise EnrichmentError("the database was upgraded")

        monkeypatch.setattr(worker.database, "enrichment_due", failing_once)
        async with running(worker):
            await failed.wait()
            await eventually(lambda: worker._fits is False)
            worker.wake()
            await eventually(lambda: worker._fits)
    row = await (await (await connect()).execute("select batch_size from enrichment.settings")).fetchone()
    assert row == {"batch_size": 9}


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


async def test_wake_ends_a_sleep(worker, add_books, queue) -> None:
    """An import need not wait for the next look."""
    async with running(worker):
        await eventually(lambda: worker.stats.seconds > 0)
        await asyncio.sleep(0.2)
        await add_books()
        worker.wake()

        async def done() -> bool:
            return {row["status"] for row in await queue()} == {"completed"}

        await eventually(done, 10)


@pytest.fixture
def count_calls(monkeypatch: pytest.MonkeyPatch) -> Callable[[Worker], list[str]]:
    """`count_calls(worker)`: the verbs it has called, one after the other, as the list grows."""

    def count_calls(worker: Worker) -> list[str]:
        verbs: list[str] = []
        call = worker.database.transport.call

        async def counted(function: str, arguments: Any) -> Any:
            answer = await call(function, arguments)
            verbs.append(function)
            return answer

        monkeypatch.setattr(worker.database.transport, "call", counted)
        return verbs

    return count_calls


async def test_the_database_wakes_a_worker_that_sleeps(
    settings, add_books, queue, library, monkeypatch, count_calls
) -> None:
    """Straight in Postgres: asleep for a minute, it is told of a new row and asks at once."""
    monkeypatch.setattr("book_enrichment.work.loop.LONGEST_SLEEP_SECONDS", 60)
    asked = asyncio.Event()

    async def search(request: Any) -> Any:
        asked.set()
        return await library.search(request)

    library.misbehave(search)
    async with open_worker(settings) as worker, running(worker):
        verbs = count_calls(worker)
        listening = (
            "select count(*) from pg_stat_activity where datname = current_database() and query like %s"
        )

        async def listens() -> bool:
            rows = await worker.database.transport._rows(listening, ['listen "enrichment"'])
            return rows == [{"count": 1}]

        await eventually(listens)
        await eventually(lambda: "enrichment_due" in verbs)
        await add_books({"9780439023481": "The Hunger Games"})
        await asyncio.wait_for(asked.wait(), 10)

        async def done() -> bool:
            return {row["status"] for row in await queue()} == {"completed"}

        await eventually(done)


async def test_one_import_calls_once(connect, add_books) -> None:
    """However many rows a statement brings, and however many statements a transaction."""
    listener = await connect()
    await listener.execute("listen enrichment")
    await add_books()
    other = await connect()
    await other.execute("select public.configure_enrichment('{\"auto_enabled\": true}')")
    async with other.transaction():
        for _ in range(2):
            await other.execute("insert into works (title) values ('One'), ('Two')")
            await other.execute("select public.enqueue_enrichment(array(select id from works))")
    await other.execute("notify enrichment, 'end of the test'")
    heard = []
    async for call in listener.notifies(timeout=10):
        heard.append(call.payload)
        if call.payload == "end of the test":
            break
    assert heard == ["queued", "queued", "end of the test"]


async def test_turning_the_switch_wakes_workers(connect, add_books) -> None:
    """Rows of an import wait for it; a setting that wakes no row calls nobody."""
    main, listener = await connect(), await connect()
    await listener.execute("listen enrichment")
    await main.execute("insert into works (title) values ('One')")
    await main.execute("select enqueue_enrichment(array(select id from works), 'post_import')")
    await main.execute("select configure_enrichment('{\"batch_size\": 7}')")
    await main.execute("select configure_enrichment('{\"auto_enabled\": true}')")
    await main.execute("notify enrichment, 'end of the test'")
    heard = []
    async for call in listener.notifies(timeout=10):
        heard.append(call.payload)
        if call.payload == "end of the test":
            break
    assert heard == ["queued", "woken", "end of the test"]


async def test_a_lost_listener_comes_back(settings, connect, add_books, library, monkeypatch) -> None:
    """The connection is cut; the worker listens again, and what came in meanwhile is seen at once."""
    monkeypatch.setattr("book_enrichment.work.loop.LONGEST_SLEEP_SECONDS", 3)
    connection = await connect()
    listeners = """
        select pid from pg_stat_activity
        where datname = current_database() and application_name = 'book-enrichment listener'
            and query like 'listen%'
    """

    async def listener() -> list[Any]:
        return await (await connection.execute(listeners)).fetchall()

    async with open_worker(settings) as worker, running(worker):
        await eventually(listener)
        (first,) = await listener()
        await connection.execute("select pg_terminate_backend(%s)", [first["pid"]])

        async def another() -> bool:
            return any(each != first for each in await listener())

        await eventually(another)
        monkeypatch.setattr("book_enrichment.work.loop.LONGEST_SLEEP_SECONDS", 60)
        await add_books()
        await eventually(lambda: worker.stats.covers == 4)


async def test_an_idle_worker_glances_once_a_poll(
    database_url, supabase_url, service_key, library, settings, monkeypatch, count_calls
) -> None:
    """Through PostgREST nothing can wake it: it asks one question a poll, and claims nothing."""
    monkeypatch.setattr("book_enrichment.work.loop.LONGEST_SLEEP_SECONDS", 0.2)
    transport = {"database_url": None, "supabase_url": supabase_url, "supabase_service_role_key": service_key}
    async with open_worker(Settings(_env_file=None, **{**settings.model_dump(), **transport})) as worker:
        worker.covers = None  # which polls for itself
        verbs = count_calls(worker)
        async with running(worker):
            await eventually(lambda: "enrichment_due" in verbs)
            first_round, began = len(verbs), time.monotonic()
            await eventually(lambda: len(verbs) >= first_round + 5)
            polls = (time.monotonic() - began) / 0.2
        assert set(verbs[first_round:]) == {"enrichment_due"}
        assert len(verbs) - first_round <= polls + 1
    assert library.calls == []


async def test_a_poll_finds_a_new_row(
    database_url, supabase_url, service_key, library, settings, add_books, monkeypatch
) -> None:
    """Through PostgREST: at the next glance."""
    monkeypatch.setattr("book_enrichment.work.loop.LONGEST_SLEEP_SECONDS", 0.5)
    transport = {"database_url": None, "supabase_url": supabase_url, "supabase_service_role_key": service_key}
    through_rest = Settings(_env_file=None, **{**settings.model_dump(), **transport})
    async with open_worker(through_rest) as worker, running(worker):
        await eventually(lambda: worker.stats.seconds > 0)
        await add_books()
        await eventually(lambda: worker.stats.covers == 4)


async def test_running_ends_with_its_block(worker) -> None:
    """As a FastAPI lifespan ends: the worker has let go when the block is left."""
    async with running(worker) as same:
        assert same is worker
    assert worker.stopped
    assert not worker._alone.locked()


async def test_drain_beside_a_running_worker_only_wakes_it(worker, add_books, queue) -> None:
    """A BackgroundTask after each request must not pile up workers."""
    async with running(worker):
        await eventually(worker._alone.locked)
        await add_books()
        await asyncio.wait_for(worker.drain(), 1)

        async def done() -> bool:
            return {row["status"] for row in await queue()} == {"completed"}

        await eventually(done, 10)


async def test_it_lives_in_a_fastapi_app(settings, connect) -> None:
    """Lifespan runs it; an endpoint puts a work in line and leaves the rest to a BackgroundTask."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_worker(settings) as app.state.worker, running(app.state.worker):
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/works/{work_id}/enrich")
    async def enrich(work_id: uuid.UUID, tasks: BackgroundTasks) -> str:
        (outcome,) = await app.state.worker.database.enqueue_enrichment([work_id])
        tasks.add_task(app.state.worker.drain)
        return str(outcome.outcome)

    connection = await connect()
    work_id = uuid.uuid4()
    insert = "insert into public.works (id, title) values (%s, 'The Left Hand of Darkness')"
    await connection.execute(insert, [work_id])
    await connection.execute("insert into authors (id, name) values (%s, 'Ursula K. Le Guin')", [work_id])
    await connection.execute("insert into work_authors (work_id, author_id) values (%s, %s)", [work_id] * 2)

    async def covered() -> bool:
        query = "select count(*) as covers from works where default_cover_url is not null"
        return (await (await connection.execute(query)).fetchone())["covers"] == 1

    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            assert (await client.post(f"/works/{work_id}/enrich")).json() == "enqueued"
        await eventually(covered)


async def test_flags_of_the_environment_are_written_first(worker, connect) -> None:
    """Only those that are set; here batch_size is not."""
    connection = await connect()
    await connection.execute("update enrichment.settings set batch_size = 3")
    await worker.run(drain=True, patience=0)
    values = await (await connection.execute("select * from enrichment.settings")).fetchone()
    assert (values["auto_enabled"], values["auto_apply_metadata"]) == (True, True)
    assert (values["provider_delay_ms"], values["contact"], values["batch_size"]) == (0, CONTACT, 3)


async def test_two_workers_share_the_work(settings, add_books, queue, library) -> None:
    """Every row is done once, and the calls of both are in one count."""
    await add_books()
    async with open_worker(settings, "ada") as ada, open_worker(settings, "bob") as bob:
        first, second = await asyncio.gather(ada.run(drain=True, patience=5), bob.run(drain=True, patience=5))
    assert {row["status"] for row in await queue()} == {"completed"}
    assert first.covers + second.covers == 4
    assert (first.calls + second.calls)["openlibrary"] == len(library.calls)


async def test_without_a_client_rows_stay_for_another_worker(settings, add_books, queue) -> None:
    """A worker that may ask nobody only lets the database use its cache."""
    await add_books()
    async with open_database(settings) as database:
        stats = await Worker(database, [], settings).run(drain=True, patience=0)
    assert stats.claimed == 0
    assert {row["status"] for row in await queue()} == {"pending"}


async def test_rows_for_an_unknown_provider_wait(settings, add_books, queue, library) -> None:
    """They say that nobody here can ask, and do not come back at once."""
    await add_books()
    async with open_database(settings) as database, httpx.AsyncClient() as client:
        other = OpenLibrary(client, library.base_url, CONTACT)
        worker = Worker(database, [other], settings)
        worker.providers = {"other": other}
        await worker.run(drain=True, patience=5)
    assert {row["wait_reason"] for row in await queue()} == {"no_client"}
    assert library.calls == []


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


async def test_draining_a_database_that_is_away_ends_with_the_patience() -> None:
    """`run --drain` in a cron job must not hang for ever."""
    settings = Settings(_env_file=None, database_url="postgresql://u:p@127.0.0.1:1/postgres")
    async with open_worker(settings) as worker:
        with pytest.raises(DatabaseUnavailable):
            await worker.run(drain=True, patience=0)


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


async def test_logs_carry_an_action_and_no_secret(settings, add_books, caplog) -> None:
    """Machines read `action`; nobody reads the password."""
    caplog.set_level("DEBUG")
    await add_books()
    async with open_worker(settings) as worker:
        await worker.run(drain=True, patience=5)
    ours = [record for record in caplog.records if record.name.startswith("book_enrichment")]
    assert ours
    assert all(record.action for record in ours)
    password = settings.database_url.get_secret_value().split("@")[0].split(":")[-1]
    assert password not in json.dumps([record.__dict__ for record in caplog.records], default=str)


@pytest.mark.parametrize(
    ("due_in", "idle", "seconds"),
    [(None, 0, 30), (5.0, 0, 5), (4000.0, 0, 30), (0.001, 0, 0.1), (0.0, 1, 1), (0.0, 2, 2), (0.0, 9, 30)],
)
def test_it_sleeps_until_the_time_the_database_named(due_in, idle, seconds) -> None:
    """At most half a minute; and longer and longer while rows are due that cannot be claimed."""
    assert sleep_seconds(due_in, idle) == seconds


async def test_calls_go_out_full(settings, add_books, library, connect, monkeypatch) -> None:
    """60 ISBNs, ten a claim: two calls of 25 in the first round, not one for the last few of each claim; what
    they did not show is asked for together. The rest is the second round's."""
    monkeypatch.setattr("book_enrichment.work.lookups.FULL_CALLS_PER_ROUND", 2)
    await add_books({isbn13(n): f"Chronicle {n}" for n in range(60)})
    async with open_worker(settings) as worker:
        await (await connect()).execute("update enrichment.providers set burst_size = 500, tokens = 500")
        await worker.run(drain=True, patience=0)
    calls = library.calls[: next(i for i, each in enumerate(library.calls) if "title" in each["query"])]
    asked = [(call["path"], len(re.findall("[0-9]{13}", str(call["query"])))) for call in calls]
    assert asked[:4] == [("/search.json", 25)] * 2 + [("/api/books", 25)] * 2
    assert asked[4:] == [("/search.json", 10), ("/api/books", 10)]


async def test_answers_are_applied_while_the_next_call_runs(
    settings, add_books, library, queue, monkeypatch, connect
) -> None:
    """The second call hangs; the books of the first one have their covers already."""
    monkeypatch.setattr("book_enrichment.work.lookups.ROWS_WORTH_APPLYING", 3)
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slow(request: Any) -> Any:
        asked.set()
        await go_on.wait()
        return await library.search(request)

    await add_books({**BOOKS, "a": "The Left Hand of Darkness"})
    library.misbehave(library.search)
    library.misbehave(slow)
    async with open_worker(settings) as worker, running(worker):
        await asyncio.wait_for(asked.wait(), 10)
        await eventually(lambda: worker.stats.covers == 4)
        states = sorted(row["status"] for row in await queue())
        assert states == ["completed"] * 4 + ["in_progress"]
        go_on.set()

        async def done() -> bool:
            return not any(row["is_open"] for row in await queue())

        await eventually(done)


async def test_no_transaction_is_open_while_a_provider_is_asked(
    settings, add_books, library, connect
) -> None:
    """A slow server holds a call; no connection of ours holds a transaction."""
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slow(request: Any) -> Any:
        asked.set()
        await go_on.wait()
        return await library.search(request)

    library.misbehave(slow)
    await add_books()
    connection = await connect()
    query = """
        select state, xact_start, query from pg_stat_activity
        where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()
            and (state like 'idle in transaction%' or xact_start is not null)
    """
    async with open_worker(settings) as worker, running(worker):
        await asyncio.wait_for(asked.wait(), 10)
        for _ in range(10):
            assert await (await connection.execute(query)).fetchall() == []
        go_on.set()
        await eventually(lambda: worker.stats.covers == 4)


class LaterProvider:
    """Google Books' place in line, and a book or a refusal for every question."""

    name, keys_per_call, has_key = "googlebooks", 1, True

    def __init__(self, trouble: ProviderUnavailable | None = None) -> None:
        self.trouble = trouble
        self.asked = 0

    async def answers(self, lookups: Any, permit: Any) -> AsyncIterator[Answer]:
        for lookup in lookups:
            if not await permit():
                return
            self.asked += 1
            if self.trouble:
                raise self.trouble
            yield Answer(lookup, None)


@pytest.mark.parametrize("reason", ["bad_key", "quota_zero"])
async def test_rows_do_without_a_provider_that_has_no_use_for_us_today(
    settings, add_books, queue, connect, library, reason
) -> None:
    """A refusal in the middle of a run: one call, and the rows finish with what Open Library knew."""
    later = LaterProvider(ProviderUnavailable("googlebooks", reason, "no"))
    await add_books()
    await (await connect()).execute("update enrichment.providers set needs_opt_in = false")
    async with open_database(settings) as database, httpx.AsyncClient() as client:
        first = OpenLibrary(client, library.base_url, CONTACT)
        await Worker(database, [first, later], settings).run(drain=True, patience=5)
    rows = await queue()
    assert {row["status"] for row in rows} == {"completed"}
    assert {json.dumps(row["match_details"]["not_asked"]) for row in rows} == {
        f'{{"googlebooks": "{reason}"}}'
    }
    assert later.asked == 1


async def test_a_budget_that_ends_in_the_middle_is_waited_for_if_the_settings_say_so(
    settings, add_books, queue, connect, library
) -> None:
    """Two of four rows are still asked for; the others wait for midnight and say so, no attempt spent."""
    later = LaterProvider()
    await add_books()
    connection = await connect()
    await connection.execute(
        """
        update enrichment.providers set needs_opt_in = false, daily_reserve = 0,
            daily_limit = case provider when 'googlebooks' then 2 end
        """
    )
    await connection.execute("select configure_enrichment('{\"finish_without_budget\": false}')")
    async with open_database(settings) as database, httpx.AsyncClient() as client:
        first = OpenLibrary(client, library.base_url, CONTACT)
        await Worker(database, [first, later], settings).run(drain=True, patience=5)
    waiting = [row for row in await queue() if row["status"] == "pending"]
    assert {(row["wait_reason"], row["attempt_count"]) for row in waiting} == {("daily", 0)}
    assert later.asked == 2
    assert len(waiting) >= 2
    (midnight,) = {row["next_attempt_after"] for row in waiting}
    assert midnight.astimezone(ZoneInfo("America/Los_Angeles")).hour == 0
