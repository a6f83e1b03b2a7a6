"""A worker over a real database, and real HTTP to a library of our own."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

import open_library
from book_enrichment.settings import Settings
from book_enrichment.work import Worker, open_worker

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
