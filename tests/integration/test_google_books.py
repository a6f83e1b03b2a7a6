"""Google Books beside Open Library, through worker and database: when it is asked, and when no longer."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

import google_books
import open_library
from book_enrichment.settings import Settings
from book_enrichment.work import open_worker
from google_books import KEY, Shop, error, quota

HUNGER_GAMES = "9780439023481"


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with google_books.serve() as running:
        yield running


@pytest.fixture
async def library() -> AsyncIterator[open_library.Library]:
    async with open_library.serve() as library:
        yield library


@pytest.fixture
def settings(database_url: str, library: open_library.Library, shop: Shop) -> Settings:
    return Settings(
        _env_file=None,
        database_url=database_url,
        auto_enabled=True,
        auto_apply_metadata=True,
        provider_delay_ms=0,
        contact="tests@example.org",
        open_library_url=library.base_url,
        google_books_url=shop.base_url,
        google_books_api_key=KEY,
    )


@pytest.fixture
async def queue_book(connect, settings: Settings, create_reader) -> Callable[[], Awaitable[None]]:
    """`await queue_book()`: The Hunger Games, without a cover, for a reader who opted in to Google."""
    connection = await connect()
    ada, _ = create_reader("ada")
    await connection.execute("update users set enable_google_books = true")
    await connection.execute("update enrichment.settings set provider_keys = '{googlebooks}'")

    async def queue_book() -> None:
        work = uuid.uuid4()
        await connection.execute("insert into works (id, title) values (%s, 'The Hunger Games')", [work])
        await connection.execute("insert into authors (id, name) values (%s, 'Suzanne Collins')", [work])
        await connection.execute("insert into work_authors values (%s, %s)", [work, work])
        await connection.execute(
            "insert into editions (work_id, isbn13) values (%s, %s)", [work, HUNGER_GAMES]
        )
        await connection.execute("select public.enqueue_enrichment(%s, 'manual_bulk', %s)", [[work], ada])

    return queue_book


async def one(connect: Any, query: str) -> dict[str, Any]:
    row: dict[str, Any] = await (await (await connect()).execute(query)).fetchone()
    return row


async def test_google_is_asked_for_what_open_library_left_open(
    connect, settings: Settings, queue_book, library, shop: Shop
) -> None:
    """The library knows no number of pages for a search; Google does. The cover stays Open Library's."""
    await queue_book()
    async with open_worker(settings) as worker:
        await worker.run(drain=True, patience=5)

    assert [call["query"]["q"] for call in shop.calls] == [f"isbn:{HUNGER_GAMES}"]
    book = await one(connect, "select * from works join editions on editions.work_id = works.id")
    assert book["total_pages"] == 374
    assert book["default_cover_url"].startswith("https://covers.openlibrary.org/")
    row = await one(connect, "select * from enrichment_queue")
    assert row["status"] == "completed"
    assert sorted(row["providers_attempted"]) == ["googlebooks", "openlibrary"]


async def test_a_book_only_google_knows_gets_its_cover(
    connect, settings: Settings, queue_book, library, shop: Shop
) -> None:
    """Linked at Google, https and zoom 1; never downloaded."""
    library.works.clear()
    library.by_isbn.clear()
    await queue_book()
    async with open_worker(settings) as worker:
        await worker.run(drain=True, patience=5)

    book = await one(connect, "select * from works")
    assert book["default_cover_url"] == (
        "https://books.google.com/books/content?id=G900000001&printsec=frontcover&img=1&zoom=1&source=gbs_api"
    )


async def test_without_a_key_google_is_not_asked(connect, settings: Settings, queue_book, shop: Shop) -> None:
    """Rows that another worker's key would serve stay for that one."""
    await queue_book()
    async with open_worker(settings.model_copy(update={"google_books_api_key": None})) as worker:
        assert list(worker.providers) == ["openlibrary"]
        await worker.run(drain=True, patience=0)

    assert shop.calls == []


async def test_the_database_learns_that_there_is_a_key(
    connect, settings: Settings, queue_book, shop: Shop
) -> None:
    """And never which."""
    await (await connect()).execute("update enrichment.settings set provider_keys = '{}'")
    async with open_worker(settings) as worker:
        await worker.run(drain=True, patience=0)

    assert (await one(connect, "select * from enrichment.settings"))["provider_keys"] == ["googlebooks"]
    assert KEY not in str(await one(connect, "select s::text from enrichment.settings as s"))


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (error(400, "API_KEY_INVALID", "API key not valid."), 400, "bad_key"),
        (quota("0", "d"), 429, "quota_zero"),
        (quota("1000", "d"), 429, "daily"),
        (error(403, "unknownLocation", ""), 403, "unknown_location"),
    ],
)
async def test_a_refusal_that_no_retry_cures_pauses_google(
    connect, settings: Settings, queue_book, shop: Shop, body: Any, status: int, reason: str
) -> None:
    """One call finds out; the reason is on record, the breaker stays shut, and no attempt is spent."""
    for _ in range(2):
        shop.misbehave(open_library.canned(status, body))
    await queue_book()
    async with open_worker(settings) as worker:
        await asyncio.wait_for(worker.run(drain=True, patience=0), 30)

    state = await one(connect, "select * from enrichment.providers where provider = 'googlebooks'")
    assert (state["paused_reason"], state["failures"], state["open_until"]) == (reason, 0, None)
    assert state["last_error"].startswith(f"googlebooks: {reason}: HTTP {status} ")
    row = await one(connect, "select * from enrichment_queue")
    assert (row["attempt_count"], row["last_error"]) in ((0, None), (1, None))
    assert len(shop.calls) == 1
