"""Looking ahead beside those who work: nobody waits in a circle, and what was foretold comes true."""

import asyncio
from typing import Any


async def preview_until(done: asyncio.Event, connection: Any, call: Any, work_ids: list[Any]) -> int:
    looked = 0
    while not done.is_set():
        looked += len(await call(connection, "preview_enrichment", work_ids=work_ids))
        await call(connection, "explain_enrichment", work_id=work_ids[looked % len(work_ids)])
    return looked


async def test_previews_do_not_hinder_sweeps_and_workers(
    main, connect, call, add_works, drain, each_ended_once
) -> None:
    """Two readers look at the same 120 works, half of them not queued, in opposite order, while a sweep, a
    worker and a button are at them: each work is filled once, and no call fails."""
    queued = await add_works(main, 60, cached=True)
    waiting = await add_works(main, 60, cached=True, queued=False)
    works = queued + waiting
    done = asyncio.Event()
    looking = [
        asyncio.create_task(preview_until(done, await connect(), call, order))
        for order in (works, works[::-1])
    ]
    sweeper, button = await connect(), await connect()
    for start in range(0, len(waiting), 10):
        await call(button, "enqueue_enrichment", work_ids=waiting[start : start + 10])
        await call(sweeper, "sweep_enrichment", batch_size=17)
    await asyncio.gather(drain(await connect(), batch_size=7), drain(main))
    done.set()
    assert min(await asyncio.gather(*looking)) >= len(works)
    await each_ended_once(main, works)


async def test_what_was_foretold_comes_true(main, call, add_works) -> None:
    """The state, the sentence and every value of a hundred works."""
    works = await add_works(main, 100, cached=True, queued=False)
    foretold = await call(main, "preview_enrichment", work_ids=works)
    await call(main, "enqueue_enrichment", work_ids=works)
    await call(main, "sweep_enrichment", batch_size=1000)
    come = await (
        await main.execute(
            """
            select q.work_id, q.status::text, q.match_details ->> 'sentence' as sentence,
                (select jsonb_object_agg(c.key, c.value ->> 'new')
                 from public.enrichment_audit_log as a cross join lateral jsonb_each(a.fields_changed) as c
                 where a.work_id = q.work_id) as values
            from public.enrichment_queue as q
            """
        )
    ).fetchall()
    by_work = {row["work_id"]: row for row in come}
    assert {row["status"] for row in foretold} == {"completed"}
    for row in foretold:
        values = {field: offer["value"] for field, offer in row["values"].items() if offer["is_applied"]}
        told = {name: row[name] for name in ("work_id", "status", "sentence")} | {"values": values}
        assert told == by_work[row["work_id"]]
