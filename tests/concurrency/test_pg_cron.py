"""The database alone: no app, no worker, no Python between the question and the answer."""

import asyncio
import json
import time
from typing import Any

# pg_cron 1.4 starts jobs when a minute begins; newer ones do so as well with our schedule.
LONGEST_WAIT_SECONDS = 75


async def test_pg_cron_answers_from_the_cache_and_takes_back_stale_claims(
    cron_database_url, connect, call, add_works, each_ended_once, grow_stale
) -> None:
    """Within a minute and a bit, works with cached records are completed and logged, the claim of a dead
    worker is back in line, and a work that nothing is known of still waits, saying why."""
    connection = await connect(cron_database_url)
    [row] = await (await connection.execute("select now() as begun_at")).fetchall()
    settings = {"auto_enabled": True, "auto_apply_metadata": True, "contact": "tests@example.org"}
    await call(connection, "configure_enrichment", changes=json.dumps(settings))
    (claimed,) = await add_works(connection, 1)
    await call(connection, "claim_enrichment", worker_name="doomed")
    await grow_stale(connection)
    (unknown,) = await add_works(connection, 1)
    cached = await add_works(connection, 30, cached=True)

    async def states() -> dict[Any, tuple[str, str | None]]:
        query = "select work_id, status::text, wait_reason from public.enrichment_queue"
        rows = await (await connection.execute(query)).fetchall()
        return {row["work_id"]: (row["status"], row["wait_reason"]) for row in rows}

    began = time.monotonic()
    done = {work_id: ("completed", None) for work_id in cached}
    done |= {claimed: ("pending", "stale"), unknown: ("pending", "queued")}
    while await states() != done and time.monotonic() - began < LONGEST_WAIT_SECONDS:
        await asyncio.sleep(0.5)
    assert await states() == done
    await each_ended_once(connection, cached)

    async def ended_runs() -> list[dict[str, Any]]:
        query = """
        select j.jobname, r.status, r.return_message
        from cron.job_run_details as r
        join cron.job as j using (jobid)
        where r.start_time > %(begun_at)s and r.status in ('failed', 'succeeded')
        """
        return await (await connection.execute(query, row)).fetchall()

    # What a job has written is seen a moment before it is noted that the job has ended.
    jobs = {"enrichment-sweep", "enrichment-reset-stale"}
    async with asyncio.timeout(10):
        while not jobs <= {row["jobname"] for row in await ended_runs()}:
            await asyncio.sleep(0.1)
    assert [row for row in await ended_runs() if row["status"] == "failed"] == []
