"""The whole way, server to catalogue, with providers that mean harm or are broken."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from book_enrichment.database import open_database
from book_enrichment.providers import (
    GoogleBooks,
    OpenLibrary,
    Provider,
    Timeouts,
)
from book_enrichment.settings import Settings
from book_enrichment.work import Stats, Worker

PROVIDERS = ("openlibrary", "googlebooks")
QUICK = Timeouts(connect=0.5, read=0.3, total=0.6)
PATIENT = Timeouts()
KEY = "a-key-that-is-nobodys-business"
TITLE, AUTHOR, ISBN = "The Glass Orchard", "Mina Voss", "9780439023481"
STORY = "Trees of glass."


def make_provider(
    name: str, client: httpx.AsyncClient, address: str, timeouts: Timeouts = PATIENT
) -> Provider:
    if name == "openlibrary":
        return OpenLibrary(client, address, "reader@example.org", timeouts=timeouts)
    return GoogleBooks(client, address, KEY, timeouts=timeouts)


Work = Callable[..., Awaitable[Stats]]
Rows = Callable[[str], Awaitable[list[dict[str, Any]]]]


@pytest.fixture
async def rows(connect) -> Rows:
    """`await rows("select …")`"""
    connection = await connect()

    async def rows(query: str) -> list[dict[str, Any]]:
        return await (await connection.execute(query)).fetchall()

    return rows


@pytest.fixture
async def work(connect, database_url: str) -> Work:
    """`await work("googlebooks", address)` puts books in line and lets a worker ask only that provider."""

    async def work(
        name: str, address: str, isbns: tuple[str, ...] = (ISBN,), timeouts: Timeouts = PATIENT
    ) -> Stats:
        connection = await connect()
        await connection.execute(
            "update enrichment.providers set is_enabled = provider = %s, needs_opt_in = false, tokens = 1000,"
            " rate_per_second = 1000, burst_size = 1000, daily_limit = null",
            [name],
        )
        await connection.execute("update enrichment.settings set provider_keys = '{googlebooks}'")
        author = uuid.uuid4()
        await connection.execute("insert into authors (id, name) values (%s, %s)", [author, AUTHOR])
        works = []
        for isbn in isbns:
            works.append(uuid.uuid4())
            await connection.execute("insert into works (id, title) values (%s, %s)", [works[-1], TITLE])
            await connection.execute(
                "insert into editions (work_id, isbn13) values (%s, %s)", [works[-1], isbn]
            )
            await connection.execute("insert into work_authors values (%s, %s)", [works[-1], author])
        await connection.execute("select public.enqueue_enrichment(%s)", [works])
        settings = Settings(
            _env_file=None,
            database_url=database_url,
            auto_enabled=True,
            auto_apply_metadata=True,
            provider_delay_ms=0,
            batch_size=100,
            contact="reader@example.org",
        )
        async with open_database(settings) as database, httpx.AsyncClient() as client:
            worker = Worker(database, [make_provider(name, client, address, timeouts)], settings)
            return await worker.run(drain=True, patience=0)

    return work
