"""The database is stopped in the middle of its work (pg_ctl stop -m immediate), and comes back by
recovery."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

WORKS = 1000


Connection = psycopg.AsyncConnection[dict[str, Any]]


async def open_connection(crash_stack: Any) -> Connection:
    url = crash_stack.database_url()
    return await psycopg.AsyncConnection.connect(url, autocommit=True, row_factory=dict_row)


@pytest.fixture
async def connection(crash_stack: Any, call: Any) -> AsyncIterator[Connection]:
    """A connection to an empty database with enrichment switched on, and without pg_cron's help."""
    connection = await open_connection(crash_stack)
    await connection.execute("truncate public.works, public.source_records, public.external_ids cascade")
    await connection.execute("select cron.unschedule(jobname) from cron.job")
    settings = {"auto_enabled": True, "auto_apply_metadata": True, "contact": "tests@example.org"}
    await call(connection, "configure_enrichment", changes=json.dumps(settings))
    yield connection
    await connection.close()


async def count(connection: Any, condition: str) -> int:
    query = f"select count(*)::integer as rows from public.enrichment_queue where {condition}"
    (row,) = await (await connection.execute(query)).fetchall()
    return row["rows"]


def sweep_until_it_breaks(url: str, batch_size: int, ended: dict[str, Any]) -> None:
    """Sweeps without a pause until there is nothing left, or no database."""
    swept: list[Any] = []
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            while rows := connection.execute(
                "select queue_id from public.sweep_enrichment(%s)", [batch_size]
            ).fetchall():
                swept += [queue_id for (queue_id,) in rows]
    except psycopg.OperationalError as error:
        ended["error"] = error
    ended["swept"] = swept


async def test_a_crash_in_the_middle_of_a_sweep_loses_nothing(
    crash_stack, connection, call, add_works, each_ended_once
) -> None:
    """Two crashes while 1,000 works are swept. What a sweep had answered stands, what it was at is as
    before it, and in the end each work has one closed row and one cover, logged once."""
    work_ids = await add_works(connection, WORKS, cached=True)

    for crash in (1, 2):
        ended: dict[str, Any] = {}
        arguments = (crash_stack.database_url(), 40, ended)
        sweeper = threading.Thread(target=sweep_until_it_breaks, args=arguments)
        sweeper.start()
        deadline = time.monotonic() + 30
        while (
            await count(connection, "status = 'completed'") < crash * WORKS // 8
            and time.monotonic() < deadline
        ):
            await asyncio.sleep(0.01)
        await asyncio.to_thread(crash_stack.stop_immediate)
        await asyncio.to_thread(sweeper.join)
        assert isinstance(ended["error"], psycopg.OperationalError)
        with pytest.raises(psycopg.OperationalError):
            await connection.execute("select 1")

        await asyncio.to_thread(crash_stack.start)
        connection = await open_connection(crash_stack)
        assert await count(connection, "status = 'in_progress'") == 0, "a sweep is one transaction"
        closed = await count(connection, "status = 'completed'")
        assert 0 < closed < WORKS
        answered = await count(connection, "status = 'completed' and fields_applied <> '{}'")
        stands = await connection.execute(
            "select count(*) as rows from enrichment_queue where id = any(%s) and status = 'completed'",
            [ended["swept"]],
        )
        assert (await stands.fetchall())[0]["rows"] == len(ended["swept"]) <= answered == closed

    while await call(connection, "sweep_enrichment"):
        pass
    await each_ended_once(connection, work_ids)
    await connection.close()


async def test_a_crash_under_a_worker_leaves_its_claims(
    crash_stack, connection, call, add_works, answer, drain, each_ended_once, grow_stale
) -> None:
    """A claim outlives the crash: the worker that comes back with its answer and its token is heard; claims
    that nobody answers grow stale and go to the next."""
    work_ids = await add_works(connection, 20)
    claimed = await call(connection, "claim_enrichment", worker_name="ada", batch_size=20)
    await asyncio.to_thread(crash_stack.stop_immediate)
    await asyncio.to_thread(crash_stack.start)

    connection = await open_connection(crash_stack)
    results = json.dumps([answer(row) for row in claimed[:10]])
    outcomes = await call(connection, "apply_enrichment", results=results)
    assert {row["outcome"] for row in outcomes} == {"applied"}
    await grow_stale(connection)
    await call(connection, "reset_stale_enrichment")
    assert await count(connection, "wait_reason = 'stale' and attempt_count = 1") == 10
    await connection.execute("update public.enrichment_queue set next_attempt_after = now() where is_open")
    assert await drain(connection) == 10
    await each_ended_once(connection, work_ids)
    await connection.close()
