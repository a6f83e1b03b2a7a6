"""A worker that dies between upload and apply leaves nothing to tidy up: the next finds the same object."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from cover_server import encoded, picture

STATE = """
    select c.status::text, c.attempt_count::int as attempts, w.default_cover_url as url
    from enrichment.cover_queue as c join public.works as w on w.id = c.work_id
"""
WORKER = """
import asyncio, os, sys
from book_enrichment.work import open_covers
from book_enrichment.database import Database, open_database
from book_enrichment.settings import Settings

async def hang(self, results):
    print("uploaded", flush=True)
    await asyncio.sleep(60)

Database.apply_covers = hang

async def main():
    settings = Settings(_env_file=None)
    async with open_database(settings) as database, open_covers(settings, database) as covers:
        await covers.run()

asyncio.run(main())
"""


async def test_kill_9_between_upload_and_apply(
    worker, server, show, query, files, settings, connect, grow_stale
) -> None:
    """The image is in the bucket, the work still shows the hot-link; taken back, it is one object, shown."""
    server.replies["/1.jpg"] = encoded(picture(1))
    await show("/1.jpg")
    environment = os.environ | {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "SUPABASE_URL": settings.supabase_url,
        "SUPABASE_SERVICE_ROLE_KEY": settings.supabase_service_role_key.get_secret_value(),
        "ENRICHMENT_CONTACT": settings.contact,
        "ENRICHMENT_COVERS_URL": server.url,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WORKER, env=environment, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(30):
        assert await process.stdout.readline() == b"uploaded\n"
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()

    (first,) = files()
    assert await query(STATE) == [
        {"status": "in_progress", "attempts": 1, "url": "https://covers.openlibrary.org/1.jpg"}
    ]
    await worker.run()  # a claim that is not stale is nobody else's
    assert worker.stats.claimed == 0

    await grow_stale(await connect())
    await query("select public.reset_stale_enrichment()")
    await query("update enrichment.cover_queue set next_attempt_after = now()")
    await worker.run()
    assert files() == [first]
    assert await query("select images from enrichment.cover_storage") == [{"images": 1}]
    (row,) = await query(STATE)
    assert row == {"status": "completed", "attempts": 2, "url": row["url"]}
    assert row["url"].endswith("/covers/" + first)
