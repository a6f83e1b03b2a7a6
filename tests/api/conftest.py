"""The API as it is deployed: a real uvicorn, real PostgREST or Postgres behind it, real tokens."""

import asyncio
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from book_enrichment.api import create_app
from book_enrichment.settings import Settings

PREFIX = "/api/v1/enrichment"


@dataclass(frozen=True)
class Reader:
    """Someone with a library and a session."""

    id: uuid.UUID
    token: str

    @property
    def headers(self) -> dict[str, str]:
        """What a signed-in reader sends."""
        return {"Authorization": f"Bearer {self.token}"}


class Server:
    """An app behind uvicorn in a thread, until `stop`."""

    def __init__(self, app: FastAPI) -> None:
        config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="on")
        self.app = app
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def start(self) -> "Server":
        """Returns once it answers."""
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError("the app did not start")
            self._thread.join(0.01)
        return self

    @property
    def url(self) -> str:
        """The address of the API."""
        port = self._server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}{PREFIX}"

    def stop(self) -> None:
        """As SIGTERM would."""
        self._server.should_exit = True
        self._thread.join(30)
        assert not self._thread.is_alive(), "the app did not end"


Serve = Callable[..., Server]


@pytest.fixture(params=["postgrest", "postgres"])
def transport(request) -> str:
    """Each way the API may reach the database."""
    return request.param


@pytest.fixture
def settings_for(supabase_url, anon_key, service_key, jwt_secret, database_url) -> Callable[..., Settings]:
    """`settings_for("postgrest")`, `settings_for("postgres")`; keyword arguments change one of them."""

    def settings_for(transport: str = "postgrest", **changes: Any) -> Settings:
        values: dict[str, Any] = {
            "supabase_url": supabase_url,
            "supabase_anon_key": anon_key,
            "supabase_jwt_secret": jwt_secret,
            "supabase_service_role_key": service_key,
        }
        if transport == "postgres":
            values["database_url"] = database_url
        return Settings(_env_file=None, **(values | changes))

    return settings_for


@pytest.fixture
def serve() -> Iterator[Serve]:
    """`serve(settings, worker=False)` answers a running server."""
    running: list[Server] = []

    def serve(settings: Settings, worker: bool = False) -> Server:
        running.append(Server(create_app(settings, worker)).start())
        return running[-1]

    yield serve
    for server in running:
        server.stop()


@pytest.fixture
def settings(settings_for, transport) -> Settings:
    """Everything configured, through the transport of this test."""
    return settings_for(transport)


@pytest.fixture
async def api(serve, settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client for an API without a worker, through each transport."""
    server = serve(settings)
    async with httpx.AsyncClient(base_url=server.url, timeout=30, trust_env=False) as client:
        yield client


@pytest.fixture
def sign_in(stack, create_reader, supabase_url) -> Callable[[str], Reader]:
    """`sign_in("ada")` makes a reader with a session as Supabase Auth would issue it."""

    def sign_in(handle: str) -> Reader:
        reader, _ = create_reader(handle)
        return Reader(reader, stack.token("authenticated", str(reader), iss=f"{supabase_url}/auth/v1"))

    return sign_in


@pytest.fixture
def shelve(connect) -> Callable[..., Any]:
    """`await shelve(reader, "Dune")` puts a new book on the reader's shelf; answers its work's id."""

    async def shelve(reader: Reader, title: str) -> uuid.UUID:
        connection = await connect()
        cursor = await connection.execute(
            "insert into public.works (title) values (%s) returning id", [title]
        )
        row = await cursor.fetchone()
        await connection.execute(
            "insert into public.library_items (user_id, work_id, status, visibility)"
            " values (%s, %s, 'to_read', 'private')",
            [reader.id, row["id"]],
        )
        return row["id"]

    return shelve


async def eventually(question: Callable[[], Any], patience: float = 20.0) -> Any:
    """The first answer of `await question()` that is true."""
    async with asyncio.timeout(patience):
        while not (answer := await question()):
            await asyncio.sleep(0.05)
    return answer
