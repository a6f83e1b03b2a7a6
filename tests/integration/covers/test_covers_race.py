"""Many connections at once on the same covers: nothing deadlocks, nothing is lost, the totals stay right."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

SECONDS = 4.0
WORKS = 60


@contextmanager
def refused(code: str) -> Iterator[None]:
    """A refusal with that code is fine, another one is not."""
    try:
        yield
    except psycopg.Error as error:
        if error.sqlstate != code:
            raise


def element(cover, image: int) -> dict:
    digest = f"{image:032x}" + "0" * 32
    path = f"openlibrary/{digest[:32]}.webp"
    return {
        "cover_id": str(cover["cover_id"]),
        "claim_token": str(cover["claim_token"]),
        "sha256": digest,
        "storage_path": path,
        "cover_url": f"https://project.supabase.co/storage/v1/object/public/covers/{path}",
        "bytes": 1000 + image,
        "width": 240,
        "height": 360,
    }


class Race:
    """Two workers, somebody who resets their claims, and somebody who gives works new covers."""

    def __init__(self, connect: Any) -> None:
        self.connect = connect
        self.began = time.monotonic()
        self.outcomes: Counter[str] = Counter()
        self.claimed: list[Any] = []

    def goes_on(self) -> bool:
        """For four seconds; on a slow machine until something has happened."""
        seconds = SECONDS if self.outcomes["applied"] > 50 else 10 * SECONDS
        return time.monotonic() < self.began + seconds

    async def work(self, name: str) -> None:
        """Claims ten, fails one, releases one, answers the rest."""
        connection = await self.connect()
        draw = random.Random(name)
        while self.goes_on():
            cursor = await connection.execute("select * from public.claim_covers(%s, 10)", [name])
            covers = await cursor.fetchall()
            self.claimed.extend(cover["claim_token"] for cover in covers)
            draw.shuffle(covers)
            results = json.dumps([element(cover, draw.randrange(20)) for cover in covers[2:]])
            cursor = await connection.execute("select * from public.apply_covers(%s)", [results])
            self.outcomes.update(row["outcome"] for row in await cursor.fetchall())
            for cover, call in zip(
                covers, ("fail_cover(%s, %s, 'x')", "release_cover(%s, %s, 'x')"), strict=False
            ):
                # It may have been reset under us.
                with refused("PT409"):
                    await connection.execute(
                        f"select public.{call}", [cover["cover_id"], cover["claim_token"]]
                    )

    async def change(self) -> None:
        """Gives works new covers."""
        connection = await self.connect()
        draw = random.Random(1)
        while self.goes_on():
            async with connection.transaction():
                # As the enrichment does it: works locked in order, written, and the log last.
                await connection.execute(
                    """
                    with picked as (
                        select w.id from public.works as w where random() < 0.3
                        order by w.id for no key update
                    ),
                    written as (
                        update public.works as w
                        set default_cover_url = 'https://covers.openlibrary.org/' || %s::text || '.jpg'
                        from picked where w.id = picked.id returning w.id
                    )
                    insert into public.enrichment_audit_log (work_id, action, provider, fields_changed)
                    select id, 'auto_applied', 'openlibrary', '{"work.cover_url": {}}' from written
                    """,
                    [draw.randrange(10**9)],
                )
            await asyncio.sleep(0.01)

    async def reset(self) -> None:
        """Takes claims from those who hold them."""
        connection = await self.connect()
        while self.goes_on():
            await connection.execute("select public.reset_stale_enrichment(interval '5 milliseconds')")
            # The clock moves on for what waits; whatever somebody else is at may wait for the next round.
            await connection.execute(
                """
                with waiting as (
                    select q.id from enrichment.cover_queue as q where q.wait_reason = 'stale'
                    for update skip locked
                )
                update enrichment.cover_queue as q set next_attempt_after = now()
                from waiting where q.id = waiting.id
                """
            )
            await asyncio.sleep(0.02)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for name in ("ada", "bob"):
                group.create_task(self.work(name))
            group.create_task(self.change())
            group.create_task(self.reset())


async def test_claims_answers_resets_and_new_covers_at_once(service, show, query, connect) -> None:
    """Two workers claim, apply, fail and release; claims are reset under them; works get new covers."""
    for number in range(WORKS):
        await show(f"/{number}.jpg")
    await query("update enrichment.cover_queue set max_attempts = 20")
    await query("update enrichment.settings set max_attempts = 20")
    race = Race(connect)
    await race.run()
    assert race.outcomes["applied"] > 50
    assert race.outcomes["rejected"] == race.outcomes["failed"] == 0
    assert len(race.claimed) == len(set(race.claimed))
    await assert_totals_are_right(query)
    await assert_no_cover_is_lost(query)


async def assert_totals_are_right(query) -> None:
    """Images and bytes are those that are stored, and no work stands in line twice."""
    (total,) = await query("select images, bytes from enrichment.cover_storage")
    (sums,) = await query(
        "select count(*) as images, sum(bytes)::bigint as bytes from enrichment.stored_covers"
    )
    assert total == sums
    assert (
        await query("select work_id from enrichment.cover_queue where is_open group by 1 having count(*) > 1")
        == []
    )


async def assert_no_cover_is_lost(query) -> None:
    """A work shows a stored cover, or its hot-link is in line or ended with a reason."""
    stored = """
        select 1 from public.works as w
        where w.default_cover_url like '%%/covers/openlibrary/%%'
            and w.default_cover_url not like '%%' || w.default_cover_storage_path
    """
    assert await query(stored) == []
    # Where it changed while the image before was under way, that one's answer puts it in line.
    left = """
        select w.id from public.works as w
        where w.default_cover_url like 'https://covers.openlibrary.org/%%' and not exists (
            select 1 from enrichment.cover_queue as c
            where c.work_id = w.id and c.source_url = w.default_cover_url
        )
    """
    lost = await query(left)
    unsettled = await query("select work_id as id from enrichment.cover_queue where is_open")
    assert {row["id"] for row in lost} <= {row["id"] for row in unsettled}
