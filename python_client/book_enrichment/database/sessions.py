"""The database as each reader may see it: one pool or one HTTP client for all, a session per token.

`open_database` is for who works in the service role; an app that answers readers opens their sessions here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from postgrest import AsyncPostgrestClient
from supabase import AsyncClientOptions, acreate_client

from book_enrichment.database.client import (
    ANSWER_SECONDS,
    CONNECT_SECONDS,
    Database,
    NotConfigured,
    postgres_pool,
)
from book_enrichment.database.transports import PostgresTransport, PostgrestTransport
from book_enrichment.settings import Settings

# Connections for answering readers; a free project has 60 for everybody.
READER_CONNECTIONS = 8


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
            hint="set SUPABASE_URL and SUPABASE_ANON_KEY, or DATABASE_URL; "
            'for the local stack: eval "$(make -s env)"',
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
    if settings.supabase_service_role_key is None:
        return None
    key = settings.supabase_service_role_key.get_secret_value()
    client = await acreate_client(settings.supabase_url or "", key, AsyncClientOptions(httpx_client=http))
    return Database(PostgrestTransport(client))
