"""Whoever locks several rows locks them in the order of their keys, so that two who want the same rows never
wait for each other in a circle.

A connection holds the row with the lowest key. Whoever comes then waits for that row, and has none of the
others yet: a third connection can lock them all. Rows lie in another order than that of their keys, and are
asked for in another.
"""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest

Connection = psycopg.AsyncConnection[dict[str, Any]]
Waits = Callable[[str, list[Any], Callable[[Connection], Awaitable[Any]]], Awaitable[None]]
COUNT = 20


async def until_blocked(observer: Connection, waiter: Connection) -> None:
    query = "select cardinality(pg_blocking_pids(%s)) > 0 as is_blocked"
    async with asyncio.timeout(20):
        while not (await (await observer.execute(query, [waiter.info.backend_pid])).fetchone())["is_blocked"]:
            pass


@pytest.fixture
def waits_for_the_first(main: Connection, connect: Any) -> Waits:
    """`await waits_for_the_first("public.works", ids, call)`: while a call waits for the first of these rows,
    it has locked none of the others."""

    async def waits(table: str, ids: list[Any], act: Callable[[Connection], Awaitable[Any]]) -> None:
        first, *others = sorted(ids)
        holder, waiter, observer = await connect(autocommit=False), await connect(), await connect()
        await holder.execute(f"select 1 from {table} where id = %s for no key update", [first])
        acting = asyncio.create_task(act(waiter))
        await until_blocked(observer, waiter)
        free = f"select id from {table} where id = any(%s) for no key update skip locked"
        rows = await (await observer.execute(free, [others])).fetchall()
        await holder.rollback()
        await acting
        assert len(rows) == len(others)

    return waits


async def ids_of(connection: Connection, query: str) -> list[Any]:
    return [row["id"] for row in await (await connection.execute(query)).fetchall()]


async def shuffle(connection: Connection, table: str = "public.enrichment_queue") -> None:
    """Writes each row anew, so that they lie in an order that is not that of their ids."""
    ids = await ids_of(connection, f"select id from {table}")
    for row_id in random.Random(1).sample(ids, len(ids)):
        await connection.execute(f"update {table} set updated_at = now() where id = %s", [row_id])


async def test_apply_locks_queue_rows_in_order(main, call, add_works, answer, waits_for_the_first) -> None:
    await add_works(main, COUNT)
    rows = await call(main, "claim_enrichment", worker_name="ada", batch_size=COUNT)
    await shuffle(main)
    results = json.dumps([answer(row) for row in rows[::-1]])
    await waits_for_the_first(
        "public.enrichment_queue",
        [row["queue_id"] for row in rows],
        lambda connection: call(connection, "apply_enrichment", results=results),
    )


@pytest.mark.parametrize("table", ["public.works", "public.editions"])
async def test_a_sweep_locks_the_catalogue_in_order(
    main, call, add_works, waits_for_the_first, table
) -> None:
    await add_works(main, COUNT, cached=True)
    await waits_for_the_first(
        table,
        await ids_of(main, f"select id from {table}"),
        lambda connection: call(connection, "sweep_enrichment", batch_size=COUNT),
    )


async def test_rows_that_failed_lock_their_works_in_order(main, call, add_works, waits_for_the_first) -> None:
    works = await add_works(main, COUNT)
    await main.execute("update public.enrichment_queue set max_attempts = 1")
    await call(main, "claim_enrichment", worker_name="ada", batch_size=COUNT)
    await main.execute("update public.enrichment_queue set started_at = now() - interval '1 hour'")
    await waits_for_the_first(
        "public.works", works, lambda connection: call(connection, "reset_stale_enrichment")
    )


async def test_a_switch_wakes_rows_in_order(main, call, add_works, waits_for_the_first) -> None:
    await add_works(main, COUNT)
    await main.execute("update public.enrichment_queue set trigger_source = 'scheduled'")
    await shuffle(main)
    changes = json.dumps({"auto_enabled": False})
    await waits_for_the_first(
        "public.enrichment_queue",
        await ids_of(main, "select id from public.enrichment_queue"),
        lambda connection: call(connection, "configure_enrichment", changes=changes),
    )


@pytest.mark.parametrize("is_parsed", [True, False])
async def test_works_are_parsed_and_queued_in_order(main, connect, call, add_works, is_parsed) -> None:
    """Somebody else is queueing the first work; whoever waits for that has parsed and queued none of the
    others."""
    first, *others = sorted(await add_works(main, COUNT, queued=False))
    if is_parsed:
        await main.execute("select enrichment.parse_new_works()")
    holder, waiter, third = await connect(autocommit=False), await connect(), await connect()
    await call(holder, "enqueue_enrichment", work_ids=[first])
    acting = asyncio.create_task(call(waiter, "enqueue_enrichment", work_ids=[*others, first]))
    await until_blocked(third, waiter)
    await third.execute("set lock_timeout = '1s'")
    outcomes = await call(third, "enqueue_enrichment", work_ids=others)
    await holder.commit()
    assert {row["outcome"] for row in outcomes} == {"enqueued"}
    assert {row["outcome"] for row in await acting} == {"already_open"}


@pytest.fixture
async def imported(main, call, create_reader) -> dict[str, Any]:
    """What import_library takes: books that are known, in another order, with columns that they lack."""
    reader, _ = create_reader("ada")
    works = [f"Chronicle {n}" for n in range(COUNT)]
    for title in works:
        await main.execute(
            "with w as (insert into public.works (title) values (%s) returning id)"
            " insert into public.editions (work_id) select id from w",
            [title],
        )
    rows = [
        {
            "row_number": n,
            "title": title,
            "authors": [],
            "publisher": "Harbour Press",
            "first_publish_year": 1990,
        }
        for n, title in enumerate(works[::-1], start=2)
    ]
    return {"user_id": reader, "import_source": "goodreads", "rows": json.dumps(rows)}


@pytest.mark.parametrize("table", ["public.works", "public.editions"])
async def test_an_import_fills_in_order(main, call, imported, waits_for_the_first, table) -> None:
    await waits_for_the_first(
        table,
        await ids_of(main, f"select id from {table}"),
        lambda connection: call(connection, "import_library", **imported),
    )


@pytest.mark.parametrize("table", ["public.enrichment_queue", "public.works", "public.editions"])
async def test_undoing_an_import_locks_in_order(main, call, imported, waits_for_the_first, table) -> None:
    await call(main, "import_library", **imported)
    await shuffle(main)
    (import_id,) = await ids_of(main, "select id from enrichment.imports")
    await waits_for_the_first(
        table,
        await ids_of(main, f"select id from {table}"),
        lambda connection: call(connection, "undo_import", import_id=import_id),
    )


@pytest.fixture
async def covers(main, call, add_works) -> None:
    """Works that hot-link a cover each, in line to be stored."""
    await call(main, "configure_enrichment", changes=json.dumps({"cover_mode": "thumbnail"}))
    await main.execute("update enrichment.cover_backfill set next_work_id = null")
    await add_works(main, COUNT, queued=False)
    await main.execute(
        "update public.works set default_cover_url = 'https://covers.openlibrary.org/b/id/1-M.jpg'"
    )
    await main.execute("select enrichment.queue_covers(array(select id from public.works), null)")
    await shuffle(main, "enrichment.cover_queue")


async def test_the_mode_wakes_covers_in_order(main, call, covers, waits_for_the_first) -> None:
    changes = json.dumps({"cover_mode": "hotlink"})
    await waits_for_the_first(
        "enrichment.cover_queue",
        await ids_of(main, "select id from enrichment.cover_queue"),
        lambda connection: call(connection, "configure_enrichment", changes=changes),
    )


@pytest.mark.parametrize("table", ["public.works", "enrichment.cover_queue"])
async def test_covers_are_swapped_in_order(main, call, covers, waits_for_the_first, table) -> None:
    claimed = await call(main, "claim_covers", worker_name="ada", batch_size=COUNT)
    assert len(claimed) == COUNT
    await shuffle(main, "enrichment.cover_queue")
    path = f"openlibrary/{'a' * 32}.webp"
    image = {"sha256": "a" * 64, "storage_path": path, "bytes": 900, "width": 180, "height": 270}
    image["cover_url"] = f"https://example.org/storage/v1/object/public/covers/{path}"
    results = json.dumps(
        [image | {name: str(row[name]) for name in ("cover_id", "claim_token")} for row in claimed[::-1]]
    )
    await waits_for_the_first(
        table,
        await ids_of(main, f"select id from {table}"),
        lambda connection: call(connection, "apply_covers", results=results),
    )


async def test_covers_get_in_line_in_order(main, connect, call, covers) -> None:
    """The first work's cover is being queued by somebody else; whoever waits for that has queued no other."""
    await main.execute("delete from enrichment.cover_queue")
    first, *others = await ids_of(main, "select id from public.works order by id")
    holder, waiter, third = await connect(autocommit=False), await connect(), await connect()
    queue = "select enrichment.queue_covers(%s, null)"
    await holder.execute(queue, [[first]])
    acting = asyncio.create_task(waiter.execute(queue, [[*others[::-1], first]]))
    await until_blocked(third, waiter)
    await third.execute("set lock_timeout = '1s'")
    await third.execute(queue, [others])
    await holder.commit()
    await acting
    assert len(await ids_of(main, "select id from enrichment.cover_queue where is_open")) == COUNT


async def test_covers_leave_the_line_in_order(main, covers, waits_for_the_first) -> None:
    """As an undo of an import lets them."""
    forget = """
    select enrichment.forget_covers(array(
        select jsonb_populate_record(
            null::enrichment.written_value,
            jsonb_build_object('work_id', w.id, 'field', 'work.cover_url', 'is_ours', true)
        )
        from public.works as w
    ))
    """
    await waits_for_the_first(
        "enrichment.cover_queue",
        await ids_of(main, "select id from enrichment.cover_queue"),
        lambda connection: connection.execute(forget),
    )
    assert await ids_of(main, "select id from enrichment.cover_queue") == []
