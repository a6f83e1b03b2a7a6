"""The database, opened: in the service role for who works there, and as each reader may see it.

One pool or one HTTP client serves all sessions. `open_database` is for workers and the command line; an app
that answers readers opens theirs with `open_sessions`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
from postgrest import AsyncPostgrestClient
from psycopg.abc import Buffer
from psycopg.rows import dict_row
from psycopg.types.datetime import TimestamptzLoader
from psycopg_pool import AsyncConnectionPool
from supabase import AsyncClientOptions, acreate_client

from book_enrichment.database.client import Database
from book_enrichment.database.transports import Pool, PostgresTransport, PostgrestTransport
from book_enrichment.errors import EnrichmentError
from book_enrichment.settings import Settings

# Longest wait for one answer and for one connection. Hosted service_role statements end after 8 s; an import
# of 500 rows and a sweep of 500 works stay well under that.
ANSWER_SECONDS = 30.0
CONNECT_SECONDS = 5.0
# Connections for answering readers; a free project has 60 for everybody.
READER_CONNECTIONS = 8
LOCAL_STACK = 'for the local stack: eval "$(make -s env)"'


class NotConfigured(EnrichmentError):
    """The environment does not say where the database is."""


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """The database the settings name: straight when DATABASE_URL is set, otherwise by HTTP through PostgREST.

    Raises:
        NotConfigured: the settings name none.
    """
    if settings.database_url is not None:
        async with postgres_pool(settings.database_url.get_secret_value()) as pool:
            yield Database(PostgresTransport(pool))
        return
    async with _http() as http:
        if service := await _service_session(settings, http):
            yield service
            return
    missing = "SUPABASE_SERVICE_ROLE_KEY" if settings.supabase_url else "SUPABASE_URL"
    has_half = settings.supabase_url is not None or settings.supabase_service_role_key is not None
    raise NotConfigured(
        f"{missing} is not set" if has_half else "no database is configured",
        hint=f"set DATABASE_URL, or SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY; {LOCAL_STACK}",
    )


@dataclass(frozen=True, slots=True)
class Sessions:
    """Ways into one database."""

    reader: Callable[[str, Mapping[str, Any]], Database]
    """For a reader's verified token and its claims: row level security and auth.uid() apply."""
    service: Database | None
    """In the service role; None where the settings give no key for that."""
    own: Database
    """Of the app itself, for asking how the database is: in the service role, or as nobody."""


@asynccontextmanager
async def open_sessions(settings: Settings) -> AsyncIterator[Sessions]:
    """The ways in that the settings allow. Opens even while the database is away; calls then say so.

    Raises:
        NotConfigured: there is no way to act as a reader.
    """
    refuse_unusable(settings)
    if settings.database_url is not None:
        async with postgres_pool(settings.database_url.get_secret_value(), READER_CONNECTIONS) as pool:
            transport = PostgresTransport(pool)
            own = Database(transport)
            yield Sessions(lambda token, claims: Database(transport.as_reader(claims)), own, own)
    else:
        # Two clients, so that no header of the service key can ever travel with a reader's call.
        async with _http() as readers, _http() as services:
            reader, service = _reader_session(settings, readers), await _service_session(settings, services)
            yield Sessions(reader, service, service or reader(settings.supabase_anon_key or "", {}))


def refuse_unusable(settings: Settings) -> None:
    """Raises NotConfigured when these settings cannot let a reader in."""
    if settings.database_url is None and (
        settings.supabase_url is None or settings.supabase_anon_key is None
    ):
        raise NotConfigured(
            "readers cannot be let in",
            hint=f"set SUPABASE_URL and SUPABASE_ANON_KEY, or DATABASE_URL; {LOCAL_STACK}",
        )


def _http() -> httpx.AsyncClient:
    # `retries` are for connections that were refused: nothing was sent, so repeating is safe.
    transport = httpx.AsyncHTTPTransport(retries=2)
    return httpx.AsyncClient(
        transport=transport, timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
    )


def _reader_session(
    settings: Settings, http: httpx.AsyncClient
) -> Callable[[str, Mapping[str, Any]], Database]:
    address = f"{(settings.supabase_url or '').rstrip('/')}/rest/v1"
    anon_key = settings.supabase_anon_key or ""

    def reader(token: str, claims: Mapping[str, Any]) -> Database:
        headers = {"apikey": anon_key, "Authorization": f"Bearer {token}"}
        return Database(PostgrestTransport(AsyncPostgrestClient(address, headers=headers, http_client=http)))

    return reader


async def _service_session(settings: Settings, http: httpx.AsyncClient) -> Database | None:
    if settings.supabase_url is None or settings.supabase_service_role_key is None:
        return None
    key = settings.supabase_service_role_key.get_secret_value()
    client = await acreate_client(settings.supabase_url, key, AsyncClientOptions(httpx_client=http))
    return Database(PostgrestTransport(client))


class _MomentOrNever(TimestamptzLoader):
    """`infinity` is later than any Python datetime; it arrives as the word, as it does through PostgREST."""

    def load(self, data: Buffer) -> Any:
        return "infinity" if data == b"infinity" else super().load(data)


async def _configure(connection: psycopg.AsyncConnection[Any]) -> None:
    connection.adapters.register_loader("timestamptz", _MomentOrNever)


@asynccontextmanager
async def postgres_pool(conninfo: str, max_size: int = 4) -> AsyncIterator[Pool]:
    """Connections that live behind a transaction pooler, too: nothing prepared, a call is a transaction.

    A connection is looked at before it is used, so that a restarted server costs no call.
    """
    pool: Pool = AsyncConnectionPool(
        conninfo,
        open=False,
        min_size=1,
        max_size=max_size,
        timeout=CONNECT_SECONDS,
        check=AsyncConnectionPool.check_connection,
        configure=_configure,
        kwargs={"autocommit": True, "prepare_threshold": None, "row_factory": dict_row, "connect_timeout": 5},
    )
    async with pool:
        yield pool
