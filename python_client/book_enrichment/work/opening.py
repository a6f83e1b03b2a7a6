"""Workers with everything they need, from the settings; run beside an application, or as the program itself.

from a shell                    book-enrichment run
from FastAPI's lifespan         async with open_worker(settings) as worker, running(worker): yield
from BackgroundTasks            background_tasks.add_task(worker.drain)
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import httpx

from book_enrichment.database import Database, open_database
from book_enrichment.images import Downloader, open_storage
from book_enrichment.providers import GoogleBooks, OpenLibrary, Provider
from book_enrichment.settings import Settings
from book_enrichment.work.covers import CoverWorker
from book_enrichment.work.lookups import Worker
from book_enrichment.work.loop import log_end


@asynccontextmanager
async def open_worker(settings: Settings, name: str | None = None) -> AsyncIterator[Worker]:
    """A worker with everything it needs, opened from the settings and closed behind it."""
    async with (
        open_database(settings) as database,
        httpx.AsyncClient() as client,
        open_covers(settings, database) as covers,
    ):
        yield Worker(database, open_providers(settings, client), settings, name, covers)


@asynccontextmanager
async def open_covers(settings: Settings, database: Database) -> AsyncIterator[CoverWorker]:
    """A cover worker with everything it needs, opened from the settings and closed behind it."""
    async with open_storage(settings) as storage, httpx.AsyncClient(trust_env=False) as client:
        yield CoverWorker(database, Downloader(client, stand_in=settings.covers_url), storage)


def open_providers(settings: Settings, client: httpx.AsyncClient) -> list[Provider]:
    """The providers that may be asked with these settings: Google Books only with a `google_books_api_key`.

    Open Library hears from the worker who asks: the contact that the database has, whoever set it there.
    """
    providers: list[Provider] = [OpenLibrary(client, settings.open_library_url)]
    if settings.google_books_api_key:
        key, country = settings.google_books_api_key.get_secret_value(), settings.google_books_country
        providers.append(GoogleBooks(client, settings.google_books_url, key, country=country))
    return providers


@asynccontextmanager
async def running(worker: Worker) -> AsyncIterator[Worker]:
    """The worker runs while the block does, and has let go of its rows when it ends.

    If the database refuses the worker, that is logged; the application around it goes on.
    """
    task = asyncio.create_task(worker.run(), name="the worker")
    task.add_done_callback(log_end)
    try:
        yield worker
    finally:
        worker.stop()
        await asyncio.wait({task})


@contextmanager
def stopping_on_signals(worker: Worker) -> Iterator[None]:
    """SIGTERM and SIGINT stop the worker cleanly while the block runs: for programs that only work."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for each in signals:
        loop.add_signal_handler(each, worker.stop)
    try:
        yield
    finally:
        for each in signals:
            loop.remove_signal_handler(each)
