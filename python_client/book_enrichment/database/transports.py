"""Two ways into the same database, with the same answers.

`PostgrestTransport` speaks HTTP through `supabase`: all that a hosted worker needs is the project's address
and key. `PostgresTransport` speaks to Postgres itself through `psycopg`. Both call a public function by name
with named arguments, leave out arguments that are None so that the SQL default holds, and raise the errors of
`book_enrichment.errors`. Neither repeats a call: only the one who sent it knows whether that is safe. A
refused connection is the exception, since nothing was sent.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

import httpx
import psycopg
from postgrest import AsyncPostgrestClient
from postgrest.exceptions import APIError
from psycopg import sql
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from supabase import AsyncClient

from book_enrichment.errors import DatabaseUnavailable, EnrichmentError, error_for

# Behind a router that forgets quiet connections, a listener notices within two minutes.
LISTENING: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 60,
    "keepalives_interval": 15,
    "keepalives_count": 4,
    "application_name": "book-enrichment listener",
}

# What a hosted project gives role authenticated for a statement through PostgREST.
READER_TIMEOUT = "8s"

Row = dict[str, Any]
Pool = AsyncConnectionPool[psycopg.AsyncConnection[DictRow]]


@dataclass(frozen=True, slots=True)
class Json:
    """An argument for a jsonb parameter. Named, because an empty list could as well be an empty array."""

    value: Any


class Transport(Protocol):
    """What `Database` needs."""

    async def call(self, function: str, arguments: Mapping[str, Any]) -> list[Row]:
        """The rows of `public.<function>`; raises an `EnrichmentError`."""
        ...

    async def user_id(self, handle: str) -> UUID | None:
        """The host's reader with that handle."""
        ...

    async def work_ids(self, after: UUID | None, limit: int) -> list[UUID]:
        """A page of the host's works in the order of their ids, from the one behind `after` on."""
        ...

    async def obstacle_for_readers(self) -> str | None:
        """Why a signed-in reader cannot look into the queue, tried; None where one can, or where no reader
        can be acted for."""
        ...

    def listen(self, channel: str) -> AsyncGenerator[None, None]:
        """Yields as soon as it listens, and whenever the database calls; ends at once where nothing can."""
        ...


class PostgrestTransport:
    """Through the project's HTTP interface, as whom its key names: the service role or a reader."""

    def __init__(self, client: AsyncClient | AsyncPostgrestClient) -> None:
        self._client = client

    async def call(self, function: str, arguments: Mapping[str, Any]) -> list[Row]:
        return await self._rows(self._client.rpc(function, _json_ready(dict(arguments))))

    async def user_id(self, handle: str) -> UUID | None:
        rows = await self._rows(self._client.table("users").select("id").eq("handle", handle).limit(1))
        return UUID(rows[0]["id"]) if rows else None

    async def work_ids(self, after: UUID | None, limit: int) -> list[UUID]:
        page = self._client.table("works").select("id").order("id").limit(limit)
        return [UUID(row["id"]) for row in await self._rows(page.gt("id", str(after)) if after else page)]

    async def obstacle_for_readers(self) -> str | None:
        """A key cannot act for a reader."""
        return None

    async def listen(self, channel: str) -> AsyncGenerator[None, None]:
        """PostgREST has no way to call us."""
        return
        yield

    async def _rows(self, request: Any) -> list[Row]:
        try:
            answer = await request.execute()
        except APIError as error:
            code = None if error.code is None else str(error.code)  # some versions have a number
            raise error_for(code, error.message, error.hint) from error
        except httpx.HTTPError as error:
            raise DatabaseUnavailable(f"PostgREST gave no answer: {_named(error)}") from error
        rows: list[Row] = answer.data or []
        return rows


class PostgresTransport:
    """Straight into Postgres. With `reader` (JWT claims) a call runs as PostgREST runs it for that reader."""

    def __init__(self, pool: Pool, reader: Mapping[str, Any] | None = None) -> None:
        self._pool = pool
        self._reader = None if reader is None else {"role": "authenticated", **reader}

    def as_reader(self, claims: Mapping[str, Any]) -> PostgresTransport:
        """The same pool, for one reader: `claims` carry at least `sub`, the reader's id."""
        return PostgresTransport(self._pool, claims)

    async def call(self, function: str, arguments: Mapping[str, Any]) -> list[Row]:
        statement = sql.SQL("select * from public.{function}({arguments})").format(
            function=sql.Identifier(function),
            arguments=sql.SQL(", ").join(
                sql.SQL("{} => {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in arguments
            ),
        )
        return await self._rows(statement, {name: _adapted(value) for name, value in arguments.items()})

    async def user_id(self, handle: str) -> UUID | None:
        statement = sql.SQL("select id from public.users where handle = %(handle)s")
        rows = await self._rows(statement, {"handle": handle})
        return rows[0]["id"] if rows else None

    async def work_ids(self, after: UUID | None, limit: int) -> list[UUID]:
        statement = sql.SQL(
            "select id from public.works where id > coalesce(%(after)s, %(zero)s) order by id limit %(limit)s"
        )
        return [
            row["id"]
            for row in await self._rows(statement, {"after": after, "zero": UUID(int=0), "limit": limit})
        ]

    async def obstacle_for_readers(self) -> str | None:
        """As Realtime looks: with the rights of role authenticated."""
        try:
            anybody = self.as_reader({"sub": str(UUID(int=0))})
            for table in ("enrichment_queue", "enrichment_audit_log"):
                look = sql.SQL("select id from public.{} limit 1").format(sql.Identifier(table))
                await anybody._rows(look, {})
        except EnrichmentError as error:
            return error.message
        return None

    async def listen(self, channel: str) -> AsyncGenerator[None, None]:
        """On a connection of its own, beside the pool. Raises DatabaseUnavailable when that is lost.

        Works on a direct connection and through Supabase's session pooler (port 5432). The transaction pooler
        (port 6543) takes LISTEN and never calls, so there a worker finds new rows when it polls.
        """
        try:
            connection = await psycopg.AsyncConnection.connect(
                str(self._pool.conninfo), autocommit=True, prepare_threshold=None, **LISTENING
            )
            async with connection:
                await connection.execute(sql.SQL("listen {}").format(sql.Identifier(channel)))
                yield
                async for _ in connection.notifies():
                    yield
        except psycopg.Error as error:
            raise DatabaseUnavailable(f"Postgres stopped calling: {_named(error)}") from error

    async def _rows(self, statement: sql.SQL | sql.Composed, arguments: Mapping[str, Any]) -> list[Row]:
        try:
            async with self._pool.connection() as connection, self._as_reader(connection):
                return await (await connection.execute(statement, arguments)).fetchall()
        except PoolTimeout as error:
            raise DatabaseUnavailable(f"Postgres gave no connection: {error}") from error
        except psycopg.Error as error:
            if error.sqlstate is None and isinstance(error, psycopg.OperationalError):
                raise DatabaseUnavailable(f"Postgres gave no answer: {_named(error)}") from error
            raise error_for(
                error.sqlstate, error.diag.message_primary or str(error), error.diag.message_hint
            ) from error

    @asynccontextmanager
    async def _as_reader(self, connection: psycopg.AsyncConnection[DictRow]) -> AsyncIterator[None]:
        if self._reader is None:
            yield
            return
        async with connection.transaction():
            await connection.execute(
                "select set_config('role', 'authenticated', true),"
                " set_config('request.jwt.claims', %s, true), set_config('statement_timeout', %s, true)",
                [json.dumps(_json_ready(self._reader)), READER_TIMEOUT],
            )
            yield


def _json_ready(value: Any) -> Any:
    """The value as JSON can carry it; the types are those that the verbs take."""
    if isinstance(value, Json):
        return _json_ready(value.value)
    if isinstance(value, Mapping):
        return {key: _json_ready(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json_ready(each) for each in value]
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return f"{value.total_seconds()} seconds"
    return value


def _adapted(value: Any) -> Any:
    """The value as psycopg should send it. A float would go as a double, which no numeric parameter takes."""
    if isinstance(value, Json):
        return Jsonb(_json_ready(value))
    if isinstance(value, float):
        return Decimal(str(value))
    if isinstance(value, tuple):
        return list(value)
    return value


def _named(error: Exception) -> str:
    """Some transport errors carry no text at all."""
    return f"{type(error).__name__}: {error}".rstrip(": \n")
