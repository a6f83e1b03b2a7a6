"""What ends a worker's sleep: the database at once, a poll after a while; nothing that is no news."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from book_enrichment.settings import Settings
from book_enrichment.work import Worker, open_worker, running

from .conftest import eventually


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
