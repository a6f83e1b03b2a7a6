"""The cached lane beside workers: both take from one queue, none takes what the other has."""

import asyncio
import json
from itertools import chain
from typing import Any

import pytest


async def sweep_until_empty(connection: Any, call: Any, batch_size: int) -> list[Any]:
    swept = []
    while rows := await call(connection, "sweep_enrichment", batch_size=batch_size):
        swept += [row["queue_id"] for row in rows if row["status"] != "pending"]
    return swept


async def test_sweeps_and_workers_end_each_work_once(
    main, connect, call, add_works, drain, each_ended_once
) -> None:
    """Two sweeps and two workers share 300 works, half of them cached: each work is filled and logged
    once."""
    cached = await add_works(main, 150, cached=True)
    work_ids = cached + await add_works(main, 150)
    sweeps = [sweep_until_empty(await connect(), call, 20) for _ in range(2)]
    workers = [drain(await connect(), batch_size=7) for _ in range(2)]
    results = await asyncio.gather(*sweeps, *workers)
    await drain(main)  # what a sweep held at the moment when a worker looked
    swept = results[0] + results[1]
    assert len(swept) == len(set(swept))
    await each_ended_once(main, work_ids)


async def test_concurrent_sweeps_take_each_row_once(main, connect, call, add_works, each_ended_once) -> None:
    """pg_cron's next minute begins before the last sweep has ended, and a worker sweeps as well: three
    sweeps share the rows, none is answered twice."""
    work_ids = await add_works(main, 300, cached=True)
    swept = await asyncio.gather(*[sweep_until_empty(await connect(), call, 25) for _ in range(3)])
    answered = list(chain.from_iterable(swept))
    assert len(answered) == len(set(answered)) == 300
    await each_ended_once(main, work_ids)


async def test_a_sweep_passes_over_what_another_is_at(main, connect, call, add_works) -> None:
    """While one sweep is still writing its ten rows, the next neither waits nor comes back empty: it takes
    ten others."""
    await add_works(main, 25, cached=True)
    slow, quick = await connect(autocommit=False), await connect()
    first = await call(slow, "sweep_enrichment", batch_size=10)
    await quick.execute("set lock_timeout = '1s'")
    second = await call(quick, "sweep_enrichment", batch_size=10)
    await slow.commit()
    assert (len(first), len(second)) == (10, 10)
    assert not {row["queue_id"] for row in first} & {row["queue_id"] for row in second}


async def test_works_that_share_a_record_are_swept_side_by_side(main, connect, call, add_works) -> None:
    """Two works whose editions carry one ISBN are answered by one stored look-up, read by two sweeps at
    once."""
    await add_works(main, 40)
    await main.execute("update public.editions set isbn13 = '9780439023481'")
    await main.execute("update public.works set title = 'The Hunger Games'")
    await main.execute(
        """
        insert into public.source_records (provider, entity_type, provider_id, raw)
        values ('openlibrary', 'isbn_lookup', '9780439023481', '{"docs": [
            {"key": "/works/OL1W", "title": "The Hunger Games", "cover_i": 5, "editions": {"docs": [
                {"key": "/books/OL1M", "title": "The Hunger Games", "isbn": ["9780439023481"]}
            ]}}
        ]}')
        """
    )
    await asyncio.gather(*[sweep_until_empty(await connect(), call, 5) for _ in range(3)])
    covers = "select count(*)::integer as rows from public.works where default_cover_url like '%/5-M.jpg'"
    assert await (await main.execute(covers)).fetchall() == [{"rows": 40}]
    parsed = "select count(*)::integer as rows from enrichment.candidates where provider_id = '9780439023481'"
    assert (await (await main.execute(parsed)).fetchall())[0]["rows"] <= 2


async def until_somebody_waits(connection: Any) -> None:
    """Returns once a statement in this database waits for a lock."""
    waiting = """
    select count(*)::integer as sessions from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'
    """
    async with asyncio.timeout(10):
        while (await (await connection.execute(waiting)).fetchall())[0]["sessions"] == 0:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("lane", ["sweep", "apply"])
async def test_what_somebody_fills_meanwhile_stays(main, connect, call, add_works, answer, lane) -> None:
    """A reader saves a cover while the work is being answered: hers stays, the log does not claim
    otherwise, and the other gaps are filled."""
    (work_id,) = await add_works(main, 1, cached=lane == "sweep")
    verb, arguments = "sweep_enrichment", {}
    if lane == "apply":
        (row,) = await call(main, "claim_enrichment", worker_name="ada")
        verb, arguments = "apply_enrichment", {"results": json.dumps([answer(row)])}
    reader = await connect(autocommit=False)
    await reader.execute(
        "update public.works set default_cover_url = 'https://covers.example.org/her-own.jpg'"
    )
    answering = asyncio.create_task(call(await connect(), verb, **arguments))
    await until_somebody_waits(main)
    await reader.commit()

    (outcome,) = await answering
    assert outcome["status"] == "completed"
    assert "work.cover_url" not in outcome["fields_applied"]
    work = await main.execute(
        "select default_cover_url, description from public.works where id = %s", [work_id]
    )
    (filled,) = await work.fetchall()
    assert filled["default_cover_url"] == "https://covers.example.org/her-own.jpg"
    assert filled["description"]
    log = await main.execute("select fields_changed from public.enrichment_audit_log")
    assert [
        field for row in await log.fetchall() for field in row["fields_changed"] if field == "work.cover_url"
    ] == []


async def test_a_work_that_came_to_review_meanwhile_is_not_queued_again(
    main, connect, call, add_works
) -> None:
    """A button waits for a row that another is just queueing, and which is swept into review before that one
    commits: a second row could never join it there, so there is none."""
    await call(main, "configure_enrichment", changes=json.dumps({"auto_apply_metadata": False}))
    works = await add_works(main, 1, cached=True, queued=False)
    await main.execute("select enrichment.parse_new_works()")
    first, second = await connect(autocommit=False), await connect()
    await call(first, "enqueue_enrichment", work_ids=works)
    button = asyncio.create_task(call(second, "enqueue_enrichment", work_ids=works))
    waits = "select 1 from pg_stat_activity where pid = %s and wait_event_type = 'Lock'"
    while not await (await main.execute(waits, [second.info.backend_pid])).fetchone():
        await asyncio.sleep(0.01)
    swept = await call(first, "sweep_enrichment")
    await first.commit()
    assert [row["status"] for row in swept] == ["needs_review"]
    assert [row["outcome"] for row in await button] == ["in_review"]
