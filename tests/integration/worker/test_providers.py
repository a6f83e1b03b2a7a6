"""Whom a worker may ask: nobody, somebody it does not know, a second one that refuses or whose day ends."""

import json
from collections.abc import AsyncIterator
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from book_enrichment.database import open_database
from book_enrichment.providers import Answer, OpenLibrary, ProviderUnavailable
from book_enrichment.work import Worker

from .conftest import CONTACT


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
