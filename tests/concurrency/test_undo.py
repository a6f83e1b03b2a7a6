"""Taking back, and deciding about many rows, while others are at the same books."""

import asyncio
import json
from typing import Any

import psycopg
import pytest


async def attempt(connection: Any, call: Any, verb: str, **arguments: Any) -> Any:
    """The rows of a verb, or the error's code."""
    try:
        return await call(connection, verb, **arguments)
    except psycopg.Error as error:
        return error.sqlstate


async def finished_rows(main: Any, call: Any, add_works: Any, count: int) -> list[Any]:
    """Ids of queue rows that the sweep has completed, a cover and text fields each."""
    await add_works(main, count, cached=True)
    return [row["queue_id"] for row in await call(main, "sweep_enrichment", batch_size=count)]


async def test_a_row_is_undone_once(main, connect, call, add_works) -> None:
    """Two people press undo at the same moment: one takes it back, the other is told so."""
    rows = await finished_rows(main, call, add_works, 20)
    hands = [await connect(), await connect()]
    for row in rows:
        answers = await asyncio.gather(
            *[attempt(hand, call, "undo_enrichment", queue_id=row) for hand in hands]
        )
        assert sorted(type(answer).__name__ for answer in answers) == ["list", "str"]
        assert "PT409" in answers
    log = "select count(*)::integer as lines from public.enrichment_audit_log where action = 'undone'"
    assert await (await main.execute(log)).fetchall() == [{"lines": 20}]


async def test_undo_and_the_next_row_of_the_same_works_do_not_block_each_other(
    main, connect, call, add_works, drain
) -> None:
    """While finished rows are undone one by one, the works are queued anew, swept and worked on: no deadlock,
    and what the new rows write stays."""
    rows = await finished_rows(main, call, add_works, 60)
    await main.execute("update public.works set description = null")
    await main.execute("delete from enrichment.filled_fields where field = 'work.description'")
    # What else is told about these books, so that there is something to sweep.
    await main.execute("update public.source_records set fetched_at = now() + interval '1 second'")
    cursor = await main.execute("select work_id from public.enrichment_queue")
    works = [row["work_id"] for row in await cursor.fetchall()]

    async def undo_all() -> list[Any]:
        connection = await connect()
        return [await attempt(connection, call, "undo_enrichment", queue_id=row) for row in rows]

    async def queue_and_sweep() -> None:
        connection = await connect()
        for start in range(0, 60, 10):
            await call(connection, "enqueue_enrichment", work_ids=works[start : start + 10])
            await call(connection, "sweep_enrichment", batch_size=10)

    undone, _, _ = await asyncio.gather(undo_all(), queue_and_sweep(), drain(await connect()))
    await call(main, "sweep_enrichment")  # what somebody held at the moment when the others looked
    await drain(main)
    assert all(isinstance(answer, list) for answer in undone)
    # Somebody had emptied the descriptions; those that are there now are the new rows'.
    without = "select id from public.works where description is null"
    assert await (await main.execute(without)).fetchall() == []


@pytest.fixture
async def import_id(main, create_reader, call) -> Any:
    """An import of 200 books, half of which the cache can answer."""
    reader, _ = create_reader("ada")
    rows = [
        {"row_number": n, "title": f"Chronicle {n}", "authors": ["Farid Dahl"], "status": "to_read"}
        for n in range(2, 202)
    ]
    await call(main, "import_library", user_id=reader, import_source="goodreads", rows=json.dumps(rows))
    (imported,) = await (await main.execute("select id from enrichment.imports")).fetchall()
    await main.execute(
        """
        insert into public.source_records (provider, entity_type, provider_id, raw)
        select 'openlibrary', 'title_lookup', n.key, jsonb_build_object('docs', jsonb_build_array(
            jsonb_build_object('key', '/works/OL' || row_number() over () || 'W', 'title', n.title,
                'author_name', '["Farid Dahl"]'::jsonb, 'cover_i', 7, 'first_publish_year', 1990)
        ))
        from enrichment.needed_lookups as n where hashtext(n.title) % 2 = 0
        """
    )
    return imported["id"]


async def test_an_import_is_undone_while_it_is_worked_on(main, connect, call, drain, import_id) -> None:
    """Sweeps and workers go on while undo_import is called until it finds nothing more: no deadlock, every
    row has ended and is undone, and no book keeps anything."""

    async def sweep() -> None:
        connection = await connect()
        while await call(connection, "sweep_enrichment", batch_size=7):
            pass

    async def undo() -> None:
        connection = await connect()
        await asyncio.sleep(0)
        while rows := await call(connection, "undo_import", import_id=import_id):
            if all(row["reason"] for row in rows):
                await drain(connection)

    await asyncio.gather(sweep(), drain(await connect(), batch_size=3), undo())
    await undo()
    left = """
    select id from public.enrichment_queue
    where is_open or is_in_review or (fields_applied <> '{}' and undone_at is null)
    """
    assert await (await main.execute(left)).fetchall() == []
    kept = "select 1 from public.works where default_cover_url is not null or first_publish_year is not null"
    assert await (await main.execute(kept)).fetchall() == []


async def test_two_people_approve_all_at_once(main, connect, call, add_works) -> None:
    """Each row is approved once; what the other has in hand is skipped and counted, not waited for."""
    await call(main, "configure_enrichment", changes=json.dumps({"auto_apply_metadata": False}))
    await add_works(main, 60, cached=True)
    await call(main, "sweep_enrichment", batch_size=60)
    hands = [await connect(), await connect()]
    answers = await asyncio.gather(*[call(hand, "approve_matching", is_dry_run=False) for hand in hands])
    assert sum(row["changed"] for (row,) in answers) == 60
    assert all(row["changed"] + row["skipped"] + row["remaining"] == row["matched"] for (row,) in answers)
    log = """
    select count(*)::integer as lines, count(distinct work_id)::integer as works
    from public.enrichment_audit_log where action = 'approved'
    """
    assert await (await main.execute(log)).fetchall() == [{"lines": 60, "works": 60}]


async def test_a_row_somebody_has_in_hand_is_skipped(main, connect, call, add_works) -> None:
    """While one person decides about a row, everything else that fits is approved without waiting."""
    await call(main, "configure_enrichment", changes=json.dumps({"auto_apply_metadata": False}))
    await add_works(main, 5, cached=True)
    rows = await call(main, "sweep_enrichment", batch_size=5)
    slow = await connect(autocommit=False)
    await call(slow, "approve_enrichment", queue_id=rows[0]["queue_id"])
    await main.execute("set lock_timeout = '1s'")
    (answer,) = await call(main, "approve_matching", is_dry_run=False)
    await slow.commit()
    assert (answer["matched"], answer["changed"], answer["skipped"], answer["remaining"]) == (5, 4, 1, 0)
