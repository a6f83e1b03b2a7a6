"""Who gets which row, when several ask at once."""

import asyncio
import json
import random
import time
from itertools import chain
from typing import Any

import psycopg
import pytest

CLOSED = {"completed", "needs_review", "skipped", "failed"}


async def claim_until_empty(connection: Any, call: Any, name: str, batch_size: int) -> list[Any]:
    claimed = []
    while rows := await call(connection, "claim_enrichment", worker_name=name, batch_size=batch_size):
        assert len(rows) <= batch_size
        claimed += [row["queue_id"] for row in rows]
    return claimed


async def test_claimers_never_share_a_row(main, connect, call, add_works) -> None:
    """Four claimers in batches of seven: each of 400 rows is handed out exactly once, to one of them."""
    await add_works(main, 400)
    claimers = [claim_until_empty(await connect(), call, f"claimer {n}", 7) for n in range(4)]
    claimed = await asyncio.gather(*claimers)
    every_row = await (await main.execute("select id from public.enrichment_queue order by id")).fetchall()
    assert sorted(chain.from_iterable(claimed)) == [row["id"] for row in every_row]
    assert sum(bool(each) for each in claimed) > 1
    states = await (
        await main.execute("select distinct status::text, attempt_count from public.enrichment_queue")
    ).fetchall()
    assert states == [{"status": "in_progress", "attempt_count": 1}]


async def test_a_claimer_does_not_wait_for_another(main, connect, call, add_works) -> None:
    """Rows that somebody is just claiming are passed over, not waited for."""
    await add_works(main, 20)
    slow, quick = await connect(autocommit=False), await connect()
    first = await call(slow, "claim_enrichment", worker_name="slow", batch_size=10)
    await quick.execute("set lock_timeout = '1s'")
    second = await call(quick, "claim_enrichment", worker_name="quick", batch_size=15)
    await slow.commit()
    assert (len(first), len(second)) == (10, 10)
    assert not {row["queue_id"] for row in first} & {row["queue_id"] for row in second}


@pytest.mark.parametrize("batch_size", [1, 10])
async def test_a_claim_of_n_takes_n_when_the_statistics_are_stale(
    main, call, add_works, drain, batch_size
) -> None:
    """The planner knows a few rows, all of them closed, when 2,000 come in: a claim takes what it says."""
    await add_works(main, 20)
    await drain(main)
    await main.execute("analyze")
    await add_works(main, 2000)
    claimed = await call(main, "claim_enrichment", worker_name="ada", batch_size=batch_size)
    taken = "select count(*)::integer as rows from public.enrichment_queue where status = 'in_progress'"
    assert len(claimed) == batch_size
    assert await (await main.execute(taken)).fetchall() == [{"rows": batch_size}]


async def test_a_sweep_of_n_takes_n_when_the_statistics_are_stale(main, call, add_works) -> None:
    """The same for the cached lane, and it does not take minutes over it."""
    await add_works(main, 20, cached=True)
    await call(main, "sweep_enrichment")
    await main.execute("analyze")
    await add_works(main, 1000, cached=True)
    await main.execute("set statement_timeout = '8s'")
    swept = await call(main, "sweep_enrichment", batch_size=10)
    closed = "select count(*)::integer as rows from public.enrichment_queue where finished_at is not null"
    assert len(swept) == 10
    assert await (await main.execute(closed)).fetchall() == [{"rows": 30}]


class Crowd:
    """Everybody who has to do with one work, and what each was told."""

    def __init__(self, call: Any, answer: Any, work_id: Any) -> None:
        self.call, self.answer, self.work_id = call, answer, work_id
        self.seen: dict[str, set[str]] = {}
        self.claims: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.applied = 0

    def note(self, verb: str, outcomes: list[dict[str, Any]], column: str = "outcome") -> None:
        self.seen.setdefault(verb, set()).update(row[column] for row in outcomes)

    async def enqueue(self, connection: Any) -> None:
        asked = {"work_ids": [self.work_id], "priority": random.randint(0, 200)}
        self.note("enqueue", await self.call(connection, "enqueue_enrichment", **asked))

    async def claim(self, connection: Any) -> None:
        for row in await self.call(connection, "claim_enrichment", worker_name="ada", batch_size=1):
            self.claims.put_nowait(row)

    async def apply(self, connection: Any) -> None:
        if self.claims.empty():
            return
        element = self.answer(self.claims.get_nowait())
        if random.random() < 0.5:
            element["lookups"] = [
                {key: lookup[key] for key in ("provider", "kind", "key")} | {"no_match": True}
                for lookup in element["lookups"]
            ]
        outcomes = await self.call(connection, "apply_enrichment", results=json.dumps([element]))
        self.note("apply", outcomes)
        self.applied += sum(row["outcome"] == "applied" for row in outcomes)

    async def sweep(self, connection: Any) -> None:
        self.note("sweep", await self.call(connection, "sweep_enrichment"), "status")

    async def reset(self, connection: Any) -> None:
        if random.random() < 0.1:
            outcomes = await self.call(connection, "reset_stale_enrichment", older_than="0 s")
            self.note("reset", outcomes, "status")

    async def review(self, connection: Any) -> None:
        query = "select id from public.enrichment_queue where is_in_review"
        for row in await (await connection.execute(query)).fetchall():
            verb = random.choice(["approve_enrichment", "dismiss_enrichment"])
            self.note("review", await self.call(connection, verb, queue_id=row["id"]), "status")

    async def host(self, connection: Any) -> None:
        """The host's own edits, and everything running out that runs out in time."""
        for statement in (
            "update public.works set default_cover_url = null, description = null where id = %(id)s",
            "update public.works set title = 'Chronicle ' || (random() * 2)::integer where id = %(id)s",
            "delete from public.source_records",
            "delete from enrichment.filled_fields",
            "delete from enrichment.rejected_candidates",
            "update public.enrichment_queue set next_attempt_after = now() where status = 'pending'",
        ):
            await connection.execute(statement, {"id": self.work_id})

    async def watch(self, connection: Any) -> None:
        query = """
        select count(*)::integer as open from public.enrichment_queue
        where status in ('pending', 'in_progress')
        """
        (row,) = await (await connection.execute(query)).fetchall()
        self.note("watch", [{"outcome": str(row["open"])}])

    @property
    def actions(self) -> list[Any]:
        """What they do at once, some of it by two."""
        twice = [self.enqueue, self.claim, self.apply]
        return [*twice, *twice, self.sweep, self.reset, self.review, self.host, self.watch]


async def test_everything_at_once_on_one_work(main, connect, call, add_works, answer) -> None:
    """Enqueue, claim, apply, sweep, stale reset and the host's own edits for three seconds and more on one
    work: at most one open row at any time, and no error anybody would have to handle."""
    (work_id,) = await add_works(main, 1)
    ends_at, at_the_latest = time.monotonic() + 3, time.monotonic() + 30
    crowd = Crowd(call, answer, work_id)

    async def repeat(action: Any) -> None:
        connection = await connect()
        while time.monotonic() < ends_at or (crowd.applied <= 10 and time.monotonic() < at_the_latest):
            await action(connection)
            await asyncio.sleep(random.random() / 100)

    await asyncio.gather(*(repeat(action) for action in crowd.actions))
    assert crowd.seen["enqueue"] >= {"enqueued", "already_open"}
    assert crowd.seen["enqueue"] <= {"enqueued", "already_open", "in_review", "known_miss", "complete"}
    assert crowd.seen["apply"] <= {"applied", "stale_claim"}
    assert crowd.seen["watch"] <= {"0", "1"}
    assert crowd.applied > 10
    rows = await (
        await main.execute("select status::text from public.enrichment_queue where not is_open")
    ).fetchall()
    assert {row["status"] for row in rows} <= CLOSED


async def test_an_answer_to_a_claim_that_was_reset_changes_nothing(
    main, call, add_works, answer, grow_stale
) -> None:
    """A worker that slept too long is told so (stale_claim, PT409); the row, its new holder and the catalogue
    stay as they are."""
    await add_works(main, 1)
    (late,) = await call(main, "claim_enrichment", worker_name="late")
    await grow_stale(main)
    (reset,) = await call(main, "reset_stale_enrichment")
    assert (reset["status"], reset["wait_reason"], reset["attempt_count"]) == ("pending", "stale", 1)

    async def everything() -> list[Any]:
        tables = ["public.enrichment_queue", "public.works", "public.editions", "public.source_records"]
        tables += ["public.enrichment_audit_log", "enrichment.candidates", "enrichment.filled_fields"]
        return [
            await (await main.execute(f"select * from {table} order by 1")).fetchall() for table in tables
        ]

    async def is_refused() -> None:
        before = await everything()
        (outcome,) = await call(main, "apply_enrichment", results=json.dumps([answer(late)]))
        assert (outcome["outcome"], outcome["fields_applied"]) == ("stale_claim", None)
        claim = {"queue_id": late["queue_id"], "claim_token": late["claim_token"]}
        with pytest.raises(psycopg.Error) as failing:
            await call(main, "fail_enrichment", **claim, error="too late")
        with pytest.raises(psycopg.Error) as releasing:
            await call(main, "release_enrichment", **claim, reason="too late")
        assert (failing.value.sqlstate, releasing.value.sqlstate) == ("PT409", "PT409")
        assert await everything() == before

    await is_refused()
    await main.execute("update public.enrichment_queue set next_attempt_after = now()")
    (row,) = await call(main, "claim_enrichment", worker_name="next")
    await is_refused()
    (outcome,) = await call(main, "apply_enrichment", results=json.dumps([answer(row)]))
    assert (outcome["outcome"], outcome["status"]) == ("applied", "completed")


async def test_of_two_answers_to_one_claim_one_counts(main, connect, call, add_works, answer) -> None:
    """Sent twice at the same moment, as after a lost reply: applied once, logged once."""
    await add_works(main, 20)
    rows = await call(main, "claim_enrichment", worker_name="ada", batch_size=20)
    results = json.dumps([answer(row) for row in rows])
    connections = [await connect() for _ in range(2)]
    replies = await asyncio.gather(
        *(call(connection, "apply_enrichment", results=results) for connection in connections)
    )
    outcomes = sorted(row["outcome"] for reply in replies for row in reply)
    assert outcomes == ["applied"] * 20 + ["stale_claim"] * 20
    logged = "select count(*)::integer as rows from public.enrichment_audit_log"
    assert await (await main.execute(logged)).fetchall() == [{"rows": 20}]
