"""The app's life: its worker, its sleep, a database that comes and goes, a second app beside it."""

import asyncio
import re
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from fastapi import FastAPI

import open_library
from book_enrichment.handshake import needed_version
from book_enrichment.router import ReaderDatabase, create_router, enrichment_fields
from book_enrichment.settings import Settings
from measure_calls import isbn13

from .conftest import PREFIX, Server, eventually
from .test_uploads import DEMO

CONTACT = "tests@example.org"


@pytest.fixture
async def library() -> AsyncIterator[Any]:
    """The Open Library stand-in, listening."""
    async with open_library.serve() as library:
        yield library


@pytest.fixture
def working(library) -> dict[str, Any]:
    """Settings of an app whose worker may do everything, at the stand-in."""
    return {
        "auto_enabled": True,
        "auto_apply_metadata": True,
        "provider_delay_ms": 0,
        "contact": CONTACT,
        "open_library_url": library.base_url,
    }


@pytest.fixture
async def add_books(connect):
    """`await add_books(5)` puts bare books in line."""

    async def add_books(number: int) -> None:
        connection = await connect()
        for each in range(number):
            work_id = uuid.uuid4()
            insert = "insert into public.works (id, title) values (%s, %s)"
            await connection.execute(insert, [work_id, f"Unheard {each}"])
            insert = "insert into public.editions (work_id, isbn13) values (%s, %s)"
            await connection.execute(insert, [work_id, isbn13(each)])
            await connection.execute("select * from enqueue_enrichment(array[%s::uuid])", [work_id])

    return add_books


@pytest.fixture
async def states(connect):
    """`await states()`: how many rows are in which state."""
    connection = await connect()
    await connection.execute(
        "update enrichment.providers set rate_per_second = 100, burst_size = 100, tokens = 100"
    )

    async def states() -> dict[str, int]:
        query = "select status::text, count(*) as n from public.enrichment_queue group by status"
        return {row["status"]: row["n"] for row in await (await connection.execute(query)).fetchall()}

    return states


async def health(server: Server) -> dict[str, Any]:
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        answer = await client.get(f"{server.url}/health")
    return answer.json() | {"http": answer.status_code}


async def test_what_was_left_over_is_done_at_the_start(
    settings_for, transport, working, serve, add_books, states, connect, grow_stale
) -> None:
    """Rows in line; and rows that a worker held when its app was put to sleep are in line again."""
    await add_books(4)
    connection = await connect()
    await connection.execute(
        "select configure_enrichment(%s)", ['{"auto_enabled": true, "contact": "a@b.c"}']
    )
    held = await (await connection.execute("select * from claim_enrichment('gone', 2)")).fetchall()
    assert len(held) == 2
    await grow_stale(connection)
    server = serve(settings_for(transport, **working), worker=True)
    assert (await health(server))["worker"] == "running"

    async def two_done() -> bool:
        return await states() in ({"pending": 2, "skipped": 2}, {"pending": 2, "failed": 2})

    await eventually(two_done)
    query = "select distinct wait_reason from public.enrichment_queue where status = 'pending'"
    assert await (await connection.execute(query)).fetchall() == [{"wait_reason": "stale"}]


async def test_an_import_wakes_the_worker(settings_for, transport, working, serve, sign_in, states) -> None:
    """Which would otherwise look every 30 seconds where the database cannot call it."""
    server = serve(settings_for(transport, **working), worker=True)
    ada = sign_in("ada")
    await asyncio.sleep(1)  # the worker has found nothing and sleeps
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        files = {"file": ("export.csv", DEMO, "text/csv")}
        answer = await client.post(f"{server.url}/import", files=files, headers=ada.headers)
        assert answer.status_code == 202, answer.text

    async def some_done() -> bool:
        return bool({"completed", "needs_review", "skipped"} & set(await states()))

    await eventually(some_done, patience=15)


async def test_a_worker_that_is_off_leaves_the_queue_alone(
    settings_for, transport, working, serve, add_books, states
) -> None:
    """By the setting or by the argument; the routes work all the same."""
    await add_books(2)
    server = serve(settings_for(transport, **working, worker_enabled=False), worker=None)
    assert (await health(server))["worker"] == "off"
    await asyncio.sleep(0.5)
    assert await states() == {"pending": 2}


async def test_two_apps_share_the_work(
    settings_for, transport, working, serve, add_books, states, library
) -> None:
    """Every row is settled once, no ISBN is asked twice."""
    await add_books(120)
    for _ in range(2):
        serve(settings_for(transport, **working), worker=True)

    async def all_done() -> bool:
        return not {"pending", "in_progress"} & set(await states())

    await eventually(all_done, patience=60)
    asked = Counter(
        isbn for call in library.calls for isbn in re.findall("[0-9]{13}", call["query"].get("q", ""))
    )
    assert len(asked) == 120
    assert set(asked.values()) == {1}


async def test_a_worker_that_was_refused_shows(settings_for, anon_key, serve) -> None:
    """A key that may not call the service verbs: the worker ends, the app goes on and says so."""
    server = serve(settings_for("postgrest", supabase_service_role_key=anon_key), worker=True)

    async def ended() -> bool:
        return (await health(server))["worker"] == "stopped"

    await eventually(ended)
    assert (await health(server))["status"] == "degraded"


async def test_an_app_without_a_service_key_serves_readers(settings_for, serve, sign_in, shelve) -> None:
    """No worker, no imports, and it says so; everything else is the reader's own."""
    server = serve(settings_for("postgrest", supabase_service_role_key=None), worker=True)
    assert await health(server) == {
        "status": "ok",
        "database": "ok",
        "migrations": "ok",
        "problem": None,
        "worker": "not_configured",
        "version": (await health(server))["version"],
        "http": 200,
    }
    ada = sign_in("ada")
    work_id = await shelve(ada, "Dune")
    async with httpx.AsyncClient(trust_env=False, base_url=server.url, headers=ada.headers) as client:
        answer = await client.post("/import", files={"file": ("a.csv", DEMO, "text/csv")})
        assert (answer.status_code, answer.json()["title"]) == (501, "Not Implemented")
        assert "SUPABASE_SERVICE_ROLE_KEY" in answer.json()["hint"]
        answer = await client.post("/trigger", json={"work_ids": [str(work_id)]})
        assert answer.json()["outcomes"] == {"enqueued": 1}


@asynccontextmanager
async def forwarded(port: int, target: str) -> AsyncIterator[None]:
    """Whoever connects to the port talks to the target, while the block runs."""
    there = urlsplit(target)
    opened: list[asyncio.StreamWriter] = []

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(there.hostname, there.port)
        opened.extend([writer, far_writer])
        await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer), return_exceptions=True)

    server = await asyncio.start_server(connected, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()
        for writer in opened:
            writer.transport.abort()


async def test_an_app_starts_without_its_database_and_recovers(
    settings_for, transport, working, serve, sign_in, free_port, supabase_url, database_url, add_books, states
) -> None:
    """Health says so, readers get 503 with Retry-After, and the worker waits for it."""
    await add_books(1)
    target = supabase_url if transport == "postgrest" else database_url
    away = target.replace(f":{urlsplit(target).port}", f":{free_port}")
    changes = {"supabase_url": away} if transport == "postgrest" else {"database_url": away}
    changes["supabase_jwt_issuer"] = f"{supabase_url}/auth/v1"
    server = serve(settings_for(transport, **(working | changes)), worker=True)
    ada = sign_in("ada")
    found = await health(server)
    assert (found["http"], found["status"], found["database"]) == (503, "unavailable", "unreachable")
    async with httpx.AsyncClient(trust_env=False, base_url=server.url, timeout=30) as client:
        answer = await client.get("/queue", headers=ada.headers)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert str(free_port) not in answer.text
        async with forwarded(free_port, target):

            async def well() -> bool:
                return (await health(server))["status"] == "ok"

            await eventually(well, patience=45)
            assert (await client.get("/queue", headers=ada.headers)).status_code == 200

            async def all_done() -> bool:
                return not {"pending", "in_progress"} & set(await states())

            await eventually(all_done, patience=60)


HEAD = needed_version()
OLDER = f"delete from enrichment.schema_versions where version = {HEAD}"
NEWER = f"""
insert into enrichment.schema_versions (version, name, checksum, works_with)
values ({HEAD + 1}, '20990101000000_later', 'x', {HEAD + 1})
"""


@pytest.mark.parametrize(
    ("statement", "migrations", "told"),
    [
        (None, "missing", f"this package needs {HEAD}: run book-enrichment migrate"),
        (
            OLDER,
            "other_version",
            f"the database is at {HEAD - 1}, this package needs {HEAD}: run book-enrichment",
        ),
        (NEWER, "other_version", "pip install --upgrade book-enrichment"),
    ],
    ids=["without us", "older", "too new"],
)
async def test_a_database_that_does_not_fit_is_not_healthy(
    settings_for, serve, stack, statement, migrations, told
) -> None:
    """503 so that a platform's check turns red, and the sentence for whoever looks."""
    name = f"throwaway_{uuid.uuid4().hex[:8]}"
    url = stack.create_database(name, template=stack.migrated_template() if statement else "blank")
    try:
        if statement:
            with psycopg.connect(url) as connection:
                connection.execute(statement)
        server = serve(settings_for("postgres", database_url=url))
        found = await health(server)
        assert (found["http"], found["status"], found["migrations"]) == (503, "unavailable", migrations)
        assert told in found["problem"]
        server.stop()
    finally:
        stack.drop_database(name)


async def test_the_router_brings_everything_into_another_app(
    settings_for, transport, sign_in, shelve
) -> None:
    """One line; the host's own routes may use the reader's database as well."""
    started: list[str] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        started.append("host")
        yield {"own": "state"}

    host = FastAPI(lifespan=lifespan)
    host.include_router(create_router(settings_for(transport), with_worker=True))

    @host.get("/books/{work_id}")
    async def book(work_id: uuid.UUID, enrichment: ReaderDatabase) -> dict[str, Any]:
        return {"title": "Dune", **(await enrichment_fields(enrichment, [work_id])).get(work_id, {})}

    server = Server(host).start()
    try:
        ada = sign_in("ada")
        dune = await shelve(ada, "Dune")
        address = server.url.removesuffix(PREFIX)
        async with httpx.AsyncClient(trust_env=False, base_url=address) as client:
            assert (await client.get(f"{PREFIX}/health")).json()["worker"] == "running"
            answer = await client.get(f"/books/{dune}", headers=ada.headers)
            assert answer.json() == {
                "title": "Dune",
                "enrichment_status": None,
                "enrichment_confidence": None,
                "enrichment_wait_reason": None,
                "enrichment_queue_id": None,
                "last_enriched_at": None,
            }
            answer = await client.get(f"/books/{dune}")
            assert (answer.status_code, answer.json()) == (401, {"detail": "no token was sent"})
            assert answer.headers["www-authenticate"] == "Bearer"
            refused = await client.get(f"{PREFIX}/queue")
            assert refused.headers["content-type"] == "application/problem+json"
        assert started == ["host"]
    finally:
        server.stop()


def test_settings_can_turn_the_worker_off(monkeypatch) -> None:
    """ENRICHMENT_WORKER_ENABLED."""
    monkeypatch.setenv("ENRICHMENT_WORKER_ENABLED", "false")
    assert Settings(_env_file=None).worker_enabled is False
