"""A worker between a server that covers come from and the Storage stand-in."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from book_enrichment.database import Database, open_database
from book_enrichment.images import Downloader, SupabaseStorage, open_storage
from book_enrichment.settings import Settings
from book_enrichment.work import CoverWorker
from cover_server import CONTACT, COVERS, CoverServer
from cover_server import client as client
from cover_server import server as server


@pytest.fixture
def files(stack: Any, database: str, supabase_url: str) -> Callable[[], list[str]]:
    """`files()`: paths in the bucket covers, emptied for this test."""
    folder = stack._rest(database).files / "covers"

    def paths() -> list[Path]:
        return [file for file in folder.rglob("*") if file.is_file()]

    for file in paths():
        file.unlink()
    return lambda: sorted(str(file.relative_to(folder)) for file in paths() if file.suffix != ".json")


@pytest.fixture
def settings(database_url: str, supabase_url: str, service_key: str, server: CoverServer) -> Settings:
    """Of a worker that stores covers: straight to the database, by HTTP to Storage."""
    return Settings(
        _env_file=None,
        database_url=database_url,
        supabase_url=supabase_url,
        supabase_service_role_key=service_key,
        contact=CONTACT,
        cover_mode="thumbnail",
        covers_url=server.url,
    )


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[Database]:
    """The database as the worker sees it, with the mode switched on."""
    async with open_database(settings) as database:
        await database.configure_enrichment({"cover_mode": "thumbnail", "contact": CONTACT})
        yield database


@pytest.fixture
async def worker(
    settings: Settings, service: Database, client: httpx.AsyncClient, server: CoverServer, connect: Any
) -> AsyncIterator[CoverWorker]:
    """A cover worker that has not begun, told to end once nothing is left to do soon."""
    connection = await connect()
    await connection.execute(
        "update enrichment.providers set rate_per_second = 100, burst_size = 100, tokens = 100"
        " where provider = 'openlibrary_covers'"
    )
    async with open_storage(settings) as storage:
        assert isinstance(storage, SupabaseStorage)
        downloader = Downloader(client, CONTACT, stand_in=server.url)
        worker = CoverWorker(service, downloader, storage, name="ada")
        worker.finish(patience=1)
        yield worker


@pytest.fixture
async def show(connect: Any) -> Callable[..., Awaitable[uuid.UUID]]:
    """`await show(path)`: a work that hot-links the cover at that path of the cover server."""

    async def show(path: str, root: str = COVERS) -> uuid.UUID:
        connection = await connect()
        work_id = uuid.uuid4()
        await connection.execute(
            "insert into public.works (id, title, default_cover_url) values (%s, %s, %s)",
            [work_id, f"Work {path}", root + path],
        )
        return work_id

    return show


@pytest.fixture
async def query(connect: Any) -> Callable[..., Awaitable[list[dict[str, Any]]]]:
    """`await query(sql, *arguments)`: rows as dicts."""
    connection = await connect()

    async def query(sql: str, *arguments: Any) -> list[dict[str, Any]]:
        cursor = await connection.execute(sql, arguments)
        return await cursor.fetchall() if cursor.description else []

    return query
