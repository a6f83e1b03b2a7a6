"""A server that covers come from, images nobody drew, and a worker between them and the Storage stand-in."""

from __future__ import annotations

import asyncio
import io
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image, ImageDraw, ImageFilter

from book_enrichment.database import Database, open_database
from book_enrichment.images import Downloader, SupabaseStorage, open_storage
from book_enrichment.settings import Settings
from book_enrichment.work import CoverWorker

CONTACT = "tests@example.org"
COVERS = "https://covers.openlibrary.org"

Reply = bytes | tuple[int, dict[str, str], bytes]


def picture(seed: int = 1, size: tuple[int, int] = (333, 500)) -> Image.Image:
    """A cover as a publisher might have it: a gradient, some shapes, type, and the grain of print."""
    chance = random.Random(seed)
    width, height = size
    colours = [tuple(chance.randrange(256) for _ in range(3)) for _ in range(9)]
    ramp = Image.linear_gradient("L").resize(size)
    image = Image.composite(Image.new("RGB", size, colours[0]), Image.new("RGB", size, colours[1]), ramp)
    draw = ImageDraw.Draw(image)
    for colour in colours[2:7]:
        x, y = chance.randrange(width), chance.randrange(height)
        reach = chance.randrange(width // 8, width // 2)
        draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill=colour)
    image = image.filter(ImageFilter.GaussianBlur(chance.choice((0, 1, 6))))
    draw = ImageDraw.Draw(image)
    for line in range(6):
        text = "".join(chance.choice("ETAOINSHRDLU ") for _ in range(14))
        draw.text(
            (width // 12, height // 10 + line * height // 7), text, fill=colours[8], font_size=width // 9
        )
    grain = Image.effect_noise(size, chance.choice((8, 20, 40))).convert("RGB")
    return Image.blend(image, grain, chance.choice((0.0, 0.06, 0.15)))


def encoded(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@dataclass
class CoverServer:
    """Answers a path with what `replies` says, or 404; `requests` are (host, path) as they came."""

    url: str = ""
    replies: dict[str, Reply] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            path = head[0].split(" ")[1]
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])}
            self.requests.append((headers["host"], path))
            self.agents.add(headers.get("user-agent", ""))
            reply = self.replies.get(path, (404, {}, b"no such cover"))
            status, extra, body = (200, {}, reply) if isinstance(reply, bytes) else reply
            extra = {"content-length": str(len(body)), "connection": "close", **extra}
            lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in extra.items())]
            writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def cover_server() -> AsyncIterator[CoverServer]:
    server = CoverServer()
    listening = await asyncio.start_server(server.connected, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listening.close()


@pytest.fixture
async def server() -> AsyncIterator[CoverServer]:
    """Where covers come from in these tests, listening."""
    async with cover_server() as server:
        yield server


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


@pytest.fixture
def files(stack: Any, database: str, supabase_url: str) -> Callable[[], list[str]]:
    """`files()`: paths in the bucket covers, emptied for this test."""
    folder = stack._door(database).files / "covers"

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
