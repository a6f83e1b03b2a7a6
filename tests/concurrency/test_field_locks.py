"""A lock that is confirmed holds: from that moment on nothing fills the field."""

import asyncio


async def test_a_lock_waits_for_the_batch_that_is_about_to_fill(main, connect, call, add_works) -> None:
    """A sweep has chosen what it will write and not yet written it. A lock set now is confirmed after that,
    so who locked sees what was filled; the next sweep keeps off."""
    (work,) = await add_works(main, 1, cached=True)
    sweeper, reader = await connect(), await connect()
    async with sweeper.transaction():
        queued = await (
            await sweeper.execute("select array_agg(id) as ids from public.enrichment_queue")
        ).fetchone()
        await sweeper.execute("select enrichment.lock_catalogue(%s)", [queued["ids"]])
        locking = asyncio.create_task(call(reader, "lock_fields", work_id=work, fields=["work.description"]))
        waits = (
            "select count(*) as n from pg_stat_activity"
            " where datname = current_database() and wait_event_type = 'Lock'"
        )
        while not (await (await main.execute(waits)).fetchone())["n"]:
            assert not locking.done()
            await asyncio.sleep(0.02)
        await call(sweeper, "sweep_enrichment", batch_size=10)
    await locking
    filled = await (
        await main.execute("select description from public.works where id = %s", [work])
    ).fetchone()
    assert filled == {"description": "The story of 1"}
    await main.execute("update public.works set description = null where id = %s", [work])
    await call(main, "enqueue_enrichment", work_ids=[work])
    await call(main, "sweep_enrichment", batch_size=10)
    emptied = await (
        await main.execute("select description from public.works where id = %s", [work])
    ).fetchone()
    assert emptied == {"description": None}
