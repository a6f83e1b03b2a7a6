"""What a round brings home: claims share calls, answers are applied as they come, each row is done once."""

import asyncio
import json
import re
from typing import Any

from book_enrichment.work import open_worker, running
from measure_calls import isbn13

from .conftest import BOOKS, eventually


async def test_a_drained_queue_has_covers(worker, add_books, queue, library, connect) -> None:
    """Four books with ISBN are one call; every row is closed and every work has a cover."""
    await add_books()
    stats = await worker.run(drain=True, patience=5)
    assert [row["status"] for row in await queue()] == ["completed"] * 4
    assert (stats.covers, stats.claimed >= 4, stats.pending) == (4, True, 0)
    covers = await (await connect()).execute("select count(*) from works where default_cover_url is not null")
    assert (await covers.fetchone())["count"] == 4
    searches = [call for call in library.calls if call["path"] == "/search.json"]
    assert len(searches) == 1
    assert stats.calls["openlibrary"] == len(library.calls)


async def test_isbns_of_several_claims_share_a_call(settings, add_books, library, connect) -> None:
    """BATCH_SIZE is works per claim; what fits one call goes in one call."""
    await add_books()
    async with open_worker(settings.model_copy(update={"batch_size": 1})) as worker:
        await worker.database.configure_enrichment({"batch_size": 1})
        worker._configured = False
        await worker.run(drain=True, patience=5)
    assert len([call for call in library.calls if call["path"] == "/search.json"]) == 1


async def test_calls_go_out_full(settings, add_books, library, connect, monkeypatch) -> None:
    """60 ISBNs, ten a claim: two calls of 25 in the first round, not one for the last few of each claim; what
    they did not show is asked for together. The rest is the second round's."""
    monkeypatch.setattr("book_enrichment.work.lookups.FULL_CALLS_PER_ROUND", 2)
    await add_books({isbn13(n): f"Chronicle {n}" for n in range(60)})
    async with open_worker(settings) as worker:
        await (await connect()).execute("update enrichment.providers set burst_size = 500, tokens = 500")
        await worker.run(drain=True, patience=0)
    calls = library.calls[: next(i for i, each in enumerate(library.calls) if "title" in each["query"])]
    asked = [(call["path"], len(re.findall("[0-9]{13}", str(call["query"])))) for call in calls]
    assert asked[:4] == [("/search.json", 25)] * 2 + [("/api/books", 25)] * 2
    assert asked[4:] == [("/search.json", 10), ("/api/books", 10)]


async def test_each_call_is_reserved_and_reported(worker, add_books, library, connect) -> None:
    """The database has counted exactly the calls that the library has seen, and knows that they went well."""
    await add_books({**BOOKS, "a": "The Left Hand of Darkness"})
    await worker.run(drain=True, patience=5)
    query = "select used_today, failures from enrichment.providers where provider = 'openlibrary'"
    provider = await (await (await connect()).execute(query)).fetchone()
    assert provider == {"used_today": len(library.calls), "failures": 0}


async def test_answers_are_applied_while_the_next_call_runs(
    settings, add_books, library, queue, monkeypatch, connect
) -> None:
    """The second call hangs; the books of the first one have their covers already."""
    monkeypatch.setattr("book_enrichment.work.lookups.ROWS_WORTH_APPLYING", 3)
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slow(request: Any) -> Any:
        asked.set()
        await go_on.wait()
        return await library.search(request)

    await add_books({**BOOKS, "a": "The Left Hand of Darkness"})
    library.misbehave(library.search)
    library.misbehave(slow)
    async with open_worker(settings) as worker, running(worker):
        await asyncio.wait_for(asked.wait(), 10)
        await eventually(lambda: worker.stats.covers == 4)
        states = sorted(row["status"] for row in await queue())
        assert states == ["completed"] * 4 + ["in_progress"]
        go_on.set()

        async def done() -> bool:
            return not any(row["is_open"] for row in await queue())

        await eventually(done)


async def test_no_transaction_is_open_while_a_provider_is_asked(
    settings, add_books, library, connect
) -> None:
    """A slow server holds a call; no connection of ours holds a transaction."""
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slow(request: Any) -> Any:
        asked.set()
        await go_on.wait()
        return await library.search(request)

    library.misbehave(slow)
    await add_books()
    connection = await connect()
    query = """
        select state, xact_start, query from pg_stat_activity
        where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()
            and (state like 'idle in transaction%' or xact_start is not null)
    """
    async with open_worker(settings) as worker, running(worker):
        await asyncio.wait_for(asked.wait(), 10)
        for _ in range(10):
            assert await (await connection.execute(query)).fetchall() == []
        go_on.set()
        await eventually(lambda: worker.stats.covers == 4)


async def test_two_workers_share_the_work(settings, add_books, queue, library) -> None:
    """Every row is done once, and the calls of both are in one count."""
    await add_books()
    async with open_worker(settings, "ada") as ada, open_worker(settings, "bob") as bob:
        first, second = await asyncio.gather(ada.run(drain=True, patience=5), bob.run(drain=True, patience=5))
    assert {row["status"] for row in await queue()} == {"completed"}
    assert first.covers + second.covers == 4
    assert (first.calls + second.calls)["openlibrary"] == len(library.calls)


async def test_logs_carry_an_action_and_no_secret(settings, add_books, caplog) -> None:
    """Machines read `action`; nobody reads the password."""
    caplog.set_level("DEBUG")
    await add_books()
    async with open_worker(settings) as worker:
        await worker.run(drain=True, patience=5)
    ours = [record for record in caplog.records if record.name.startswith("book_enrichment")]
    assert ours
    assert all(record.action for record in ours)
    password = settings.database_url.get_secret_value().split("@")[0].split(":")[-1]
    assert password not in json.dumps([record.__dict__ for record in caplog.records], default=str)
