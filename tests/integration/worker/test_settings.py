"""Who asks, and by which flags: what the environment says is written first, what the database says counts."""

import asyncio
import json
from typing import Any

import pytest

from book_enrichment.database import NotConfigured
from book_enrichment.errors import EnrichmentError
from book_enrichment.settings import Settings
from book_enrichment.work import open_worker, running

from .conftest import CONTACT, eventually


def without_contact(settings: Settings) -> Settings:
    """Those of a worker whose environment names nobody."""
    return settings.model_copy(update={"contact": None})


async def configure(connect: Any, **changes: Any) -> None:
    """As an operator does, on the command line or in the dashboard."""
    await (await connect()).execute("select public.configure_enrichment(%s)", [json.dumps(changes)])


async def test_it_says_who_asks(worker, add_books, library) -> None:
    """The contact of the settings is in every User-Agent."""
    await add_books()
    await worker.run(drain=True, patience=5)
    assert library.calls
    assert all(CONTACT in call["user_agent"] for call in library.calls)


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


async def test_a_contact_that_comes_between_look_and_claim_pauses_nobody(
    settings, add_books, library, connect, monkeypatch
) -> None:
    """The rows that waited for it are claimed by a worker that has not heard of it: they come again, and the
    provider is not said to have refused us."""
    await add_books()
    async with open_worker(without_contact(settings)) as worker:
        sweep, claimed_first = worker.database.sweep_enrichment, asyncio.Event()

        async def sweeping() -> Any:
            if not claimed_first.is_set():
                claimed_first.set()
                await configure(connect, contact="shelf@readers.dev")
            return await sweep()

        monkeypatch.setattr(worker.database, "sweep_enrichment", sweeping)
        stats = await worker.run(drain=True, patience=5)
    assert (stats.covers, stats.failed) == (4, 0)
    query = "select paused_reason from enrichment.providers where provider = 'openlibrary'"
    assert await (await (await connect()).execute(query)).fetchall() == [{"paused_reason": None}]


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


async def test_flags_of_the_environment_are_written_first(worker, connect) -> None:
    """Only those that are set; here batch_size is not."""
    connection = await connect()
    await connection.execute("update enrichment.settings set batch_size = 3")
    await worker.run(drain=True, patience=0)
    values = await (await connection.execute("select * from enrichment.settings")).fetchone()
    assert (values["auto_enabled"], values["auto_apply_metadata"]) == (True, True)
    assert (values["provider_delay_ms"], values["contact"], values["batch_size"]) == (0, CONTACT, 3)


@pytest.mark.parametrize("drain", [True, False])
async def test_a_flag_that_the_database_refuses_ends_the_worker(settings, drain) -> None:
    """With what it takes, and the variable's name; waiting would not change it."""
    async with open_worker(settings.model_copy(update={"batch_size": 0})) as worker:
        with pytest.raises(NotConfigured, match="it takes batch_size >= 1 and batch_size <= 100") as refused:
            await worker.run(drain=drain)
    assert "ENRICHMENT_BATCH_SIZE" in (refused.value.hint or "")


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
