"""Workers that are killed in the middle: real processes, ended by SIGKILL, and what becomes of their rows."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import open_library

HANGING_WORKER = """
    import sys, time, psycopg
    connection = psycopg.connect(sys.argv[1], autocommit=True)
    rows = connection.execute("select queue_id from public.claim_enrichment('doomed', 10)").fetchall()
    print(len(rows), flush=True)
    time.sleep(60)
"""
BOOK_ENRICHMENT = Path(sys.executable).with_name("book-enrichment")

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """`start(command, **environment)`: a process of ours, without this clone's .env; ended after the test."""
    processes: list[subprocess.Popen[str]] = []

    def start(command: list[Any], **environment: str) -> subprocess.Popen[str]:
        with (tmp_path / f"{len(processes)}.err").open("w") as errors:
            process = subprocess.Popen(
                [str(word) for word in command],
                cwd=tmp_path,
                env={"PATH": os.environ["PATH"], **environment},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def kill(process: subprocess.Popen[str]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL


async def states(main: Any) -> dict[str, int]:
    rows = await main.execute(
        "select status::text, count(*)::integer as rows from public.enrichment_queue group by 1"
    )
    return {row["status"]: row["rows"] for row in await rows.fetchall()}


async def make_due(main: Any) -> None:
    """Every backoff is over."""
    await main.execute(
        "update public.enrichment_queue set next_attempt_after = now() where status = 'pending'"
    )


async def catalogue(main: Any) -> list[dict[str, Any]]:
    """All our works, as the stand-in for Open Library keeps them."""
    books = await main.execute(
        "select w.title, e.isbn13 from public.works w join public.editions e on e.work_id = w.id order by 2"
    )
    return [
        {
            "key": f"/works/OL{number}W",
            "title": book["title"],
            "authors": [],
            "cover": number,
            "editions": [{"key": f"/books/OL{number}M", "isbns": [book["isbn13"]]}],
        }
        for number, book in enumerate(await books.fetchall(), start=1)
    ]


async def test_the_rows_of_a_killed_process_come_back(
    main, database_url, call, add_works, drain, each_ended_once, start, grow_stale
) -> None:
    """It claims ten and is killed. Its claims hold until they are stale, then another worker ends all 25
    works, each once; the crash has cost an attempt."""
    work_ids = await add_works(main, 25)
    process = start([sys.executable, "-c", textwrap.dedent(HANGING_WORKER), database_url])
    assert await asyncio.to_thread(process.stdout.readline) == "10\n"
    kill(process)
    assert await drain(main) == 15
    assert await call(main, "reset_stale_enrichment") == []
    assert await states(main) == {"in_progress": 10, "completed": 15}

    await grow_stale(main)
    reset = await call(main, "reset_stale_enrichment")
    assert {(row["status"], row["wait_reason"], row["attempt_count"]) for row in reset} == {
        ("pending", "stale", 1)
    }
    assert await drain(main) == 0, "a row that met a crash waits a while"
    await make_due(main)
    assert await drain(main) == 10
    await each_ended_once(main, work_ids)


async def test_a_killed_book_enrichment_run_loses_nothing(
    main, database_url, call, add_works, each_ended_once, start, grow_stale
) -> None:
    """The real program, killed while Open Library keeps it waiting; the next one ends what it held."""
    asked, killed = asyncio.Event(), asyncio.Event()

    async def hang(request: Any) -> Any:
        asked.set()
        await killed.wait()
        return open_library.not_found()

    async with open_library.serve() as library:
        work_ids = await add_works(main, 12)
        library.works = await catalogue(main)
        run = [BOOK_ENRICHMENT, "run", "--drain", "--patience", "1"]
        environment = {
            "DATABASE_URL": database_url,
            "ENRICHMENT_CONTACT": "tests@example.org",
            "ENRICHMENT_OPEN_LIBRARY_URL": library.base_url,
            "ENRICHMENT_PROVIDER_DELAY_MS": "0",
        }
        library.misbehave(hang)
        first = start(run, **environment)
        await asyncio.wait_for(asked.wait(), 30)
        assert (await states(main))["in_progress"] == 12
        kill(first)
        killed.set()

        await grow_stale(main)
        await call(main, "reset_stale_enrichment")
        await make_due(main)
        second = start(run, **environment)
        assert await asyncio.to_thread(second.wait, 30) == 0
    await each_ended_once(main, work_ids)


async def test_a_book_that_kills_its_worker_every_time_fails(
    main, call, add_works, grow_stale, setting
) -> None:
    """A few attempts, each with a longer wait behind it; then failed, logged once, and nobody gets it
    again."""
    (work_id,) = await add_works(main, 1)
    last = await setting(main, "max_attempts")
    for attempt in range(1, last + 1):
        (row,) = await call(main, "claim_enrichment", worker_name="doomed")
        assert row["attempt_count"] == attempt
        await grow_stale(main)
        (state,) = await call(main, "reset_stale_enrichment")
        assert state["status"] == ("failed" if attempt == last else "pending")
        assert state["last_error"] == "the worker did not come back"
        await make_due(main)
    assert await call(main, "claim_enrichment", worker_name="doomed") == []
    assert await call(main, "reset_stale_enrichment") == []
    log = await main.execute("select action from public.enrichment_audit_log where work_id = %s", [work_id])
    assert await log.fetchall() == [{"action": "failed"}]
    work = await main.execute("select enrichment_status from public.works where id = %s", [work_id])
    assert await work.fetchall() == [{"enrichment_status": "failed"}]
    (again,) = await call(main, "enqueue_enrichment", work_ids=[work_id])
    assert again["outcome"] == "enqueued", "a person may ask again"


async def test_a_backoff_doubles(main, call, add_works, grow_stale, setting) -> None:
    """The wait after the second crash is twice the wait after the first."""
    first = await setting(main, "backoff_base_seconds")
    await add_works(main, 1)
    waits = []
    for _ in range(2):
        await call(main, "claim_enrichment", worker_name="doomed")
        await grow_stale(main)
        await call(main, "reset_stale_enrichment")
        wait = await main.execute(
            "select extract(epoch from next_attempt_after - updated_at)::integer as s from enrichment_queue"
        )
        waits += await wait.fetchall()
        await make_due(main)
    assert waits == [{"s": first}, {"s": 2 * first}]
