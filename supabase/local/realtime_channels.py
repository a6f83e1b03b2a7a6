"""Supabase Realtime, stand-in: tells a browser that rows have changed which its reader may see.

The gateway routes /realtime/v1/websocket here. It speaks Phoenix' protocol, version 2.0.0, and of Realtime
only `postgres_changes`: a channel names schema and table, and hears of changes as far as the table is in the
publication supabase_realtime and the reader's policies let the row through. Realtime reads the write-ahead
log; this looks at `updated_at` a few times a second, so deletions are not told.
"""

import asyncio
import contextlib
import json
import traceback
from typing import Any

import jwt
import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from starlette.websockets import WebSocket, WebSocketDisconnect

LOOK_SECONDS = 0.3


class Channels:
    """One browser's connection and the channels it has joined."""

    def __init__(self, socket: WebSocket, database_url: str, jwt_secret: str) -> None:
        self._socket = socket
        self._database_url = database_url
        self._jwt_secret = jwt_secret
        self._joined: dict[str, asyncio.Task[None]] = {}
        self._claims: dict[str, dict[str, Any]] = {}
        self._told: dict[tuple[str, Any], str] = {}  # the last thing told of each row

    async def run(self) -> None:
        """Until the browser goes."""
        try:
            while True:
                join_ref, ref, topic, event, payload = json.loads(await self._socket.receive_text())
                await self._hear(join_ref, ref, topic, event, payload)
        except WebSocketDisconnect:
            pass
        finally:
            for watching in self._joined.values():
                watching.cancel()
            await asyncio.gather(*self._joined.values(), return_exceptions=True)

    async def _hear(self, join_ref: Any, ref: Any, topic: str, event: str, payload: dict[str, Any]) -> None:
        reply: dict[str, Any] = {}
        status = "ok"
        match event:
            case "phx_join":
                wanted = payload["config"].get("postgres_changes", [])
                if self._let_in(topic, payload.get("access_token", "")):
                    reply = {"postgres_changes": [{"id": n, **each} for n, each in enumerate(wanted, 1)]}
                    self._leave(topic)
                    self._joined[topic] = asyncio.create_task(self._watch(join_ref, topic, wanted))
                    self._joined[topic].add_done_callback(show_failure)
                else:
                    status, reply = "error", {"reason": "InvalidJWTToken: the token is not valid"}
            case "access_token":
                self._let_in(topic, payload["access_token"])
                return
            case "phx_leave":
                self._leave(topic)
        await self._say(join_ref, ref, topic, "phx_reply", {"status": status, "response": reply})

    def _let_in(self, topic: str, token: str) -> bool:
        try:
            claims = jwt.decode(token, self._jwt_secret, algorithms=["HS256"], audience="authenticated")
        except jwt.InvalidTokenError:
            return False
        self._claims[topic] = claims
        return True

    def _leave(self, topic: str) -> None:
        if watching := self._joined.pop(topic, None):
            watching.cancel()

    async def _watch(self, join_ref: Any, topic: str, wanted: list[dict[str, Any]]) -> None:
        """Tells a channel what changes from now on."""
        connect = psycopg.AsyncConnection.connect(self._database_url, autocommit=True, row_factory=dict_row)
        async with await connect as connection:
            seen = await self._now(connection)
            told = {"channel": topic.removeprefix("realtime:"), "extension": "postgres_changes"}
            subscribed = {**told, "status": "ok", "message": "Subscribed to PostgreSQL"}
            await self._say(join_ref, None, topic, "system", subscribed)
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                now = await self._now(connection)
                for number, each in enumerate(wanted, 1):
                    for row in await self._changed(connection, topic, each, seen):
                        await self._say(join_ref, None, topic, "postgres_changes", change(number, each, row))
                seen = now

    async def _now(self, connection: psycopg.AsyncConnection[dict[str, Any]]) -> Any:
        row = await (await connection.execute("select clock_timestamp() as now")).fetchone()
        assert row is not None
        return row["now"]

    async def _changed(
        self,
        connection: psycopg.AsyncConnection[dict[str, Any]],
        topic: str,
        wanted: dict[str, Any],
        since: Any,
    ) -> list[dict[str, Any]]:
        """Rows that changed after `since`, with the columns and policies of the channel's reader."""
        schema, table = wanted["schema"], wanted["table"]
        published = await connection.execute(
            """
            select from pg_publication_tables
            where pubname = 'supabase_realtime' and schemaname = %s and tablename = %s
            """,
            [schema, table],
        )
        if not published.rowcount:
            return []
        columns = await connection.execute(
            """
            select attname::text as name from pg_attribute
            where attrelid = format('%%I.%%I', %s::text, %s::text)::regclass
                and attnum > 0 and not attisdropped
                and has_column_privilege('authenticated', attrelid, attnum, 'select')
            """,
            [schema, table],
        )
        names = sql.SQL(", ").join(sql.Identifier(row["name"]) for row in await columns.fetchall())
        async with connection.transaction():
            await connection.execute("set local role authenticated")
            claims = json.dumps(self._claims[topic])
            await connection.execute("select set_config('request.jwt.claims', %s, true)", [claims])
            # A transaction's rows carry the time it began, so one that took a while is looked for once more.
            query = sql.SQL(
                """
                select to_jsonb(changed) as changed
                from (select {} from {} where updated_at > %s - interval '2 seconds') as changed
                """
            )
            found = await connection.execute(query.format(names, sql.Identifier(schema, table)), [since])
            rows = [row["changed"] for row in await found.fetchall()]
        return [row for row in rows if self._is_news(topic, row)]

    def _is_news(self, topic: str, row: dict[str, Any]) -> bool:
        text = json.dumps(row)
        is_news = self._told.get((topic, row["id"])) != text
        self._told[topic, row["id"]] = text
        return is_news

    async def _say(self, join_ref: Any, ref: Any, topic: str, event: str, payload: dict[str, Any]) -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # it has just gone
            await self._socket.send_text(json.dumps([join_ref, ref, topic, event, payload]))


def show_failure(watching: asyncio.Task[None]) -> None:
    """A channel that fell silent would look like a database in which nothing happens."""
    if not watching.cancelled() and (error := watching.exception()):
        traceback.print_exception(error)


def change(number: int, wanted: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """A change as Realtime tells it."""
    data = {
        "schema": wanted["schema"],
        "table": wanted["table"],
        "type": "UPDATE",
        "commit_timestamp": row.get("updated_at"),
        "record": row,
        "old_record": {"id": row["id"]},
        "columns": [{"name": name, "type": "text"} for name in row],
        "errors": None,
    }
    return {"ids": [number], "data": data}
