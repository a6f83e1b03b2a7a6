"""Readers who import the same books at the same time, also while the queue is being worked on."""

import asyncio
import json
import random
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

BOOKS = 500


@pytest.fixture
async def file(main) -> list[dict[str, Any]]:
    """The rows of one CSV file: half of the books have an ISBN, the others only title and author."""
    isbns = await main.execute(
        "select enrichment.isbn13_of('978' || lpad(n::text, 9, '0')) as isbn from generate_series(1, %s) n",
        [BOOKS],
    )
    return [
        {
            "row_number": number,
            "title": f"Chronicle {number}",
            "authors": [f"Author {number % 40}"],
            "isbn": row["isbn"] if number % 2 else None,
            "publisher": "Harbour Press",
            "first_publish_year": 1990,
            "status": "to_read",
        }
        for number, row in enumerate(await isbns.fetchall(), start=2)
    ]


def shuffled(file: list[dict[str, Any]], seed: int) -> str:
    """The same books as another reader has them: in another order, under other ids."""
    rows = random.Random(seed).sample(file, len(file))
    return json.dumps(
        [
            row | {"row_number": number, "external_id": f"goodreads:{seed}-{row['title']}"}
            for number, row in enumerate(rows, start=2)
        ]
    )


async def test_overlapping_imports_make_one_work_a_book(main, connect, call, create_reader, file) -> None:
    """Three readers import 500 books in different order at once: no deadlock, no book twice, all on each
    shelf."""
    readers = [create_reader(handle)[0] for handle in ("ada", "bob", "eve")]
    connections = [await connect() for _ in readers]
    outcomes = await asyncio.gather(
        *(
            call(
                connection,
                "import_library",
                user_id=reader,
                import_source="goodreads",
                rows=shuffled(file, seed),
            )
            for seed, (connection, reader) in enumerate(zip(connections, readers, strict=True))
        )
    )
    assert Counter(row["outcome"] for each in outcomes for row in each) == {
        "created": BOOKS,
        "matched": 2 * BOOKS,
    }
    counts = await main.execute(
        """
        select
            (select count(*)::integer from public.works) as works,
            (select count(distinct title)::integer from public.works) as titles,
            (select count(*)::integer from public.editions) as editions,
            (select count(*)::integer from public.library_items) as items,
            (select count(*)::integer from public.enrichment_queue where is_open) as queued
        """
    )
    assert await counts.fetchall() == [
        {"works": BOOKS, "titles": BOOKS, "editions": BOOKS, "items": 3 * BOOKS, "queued": BOOKS}
    ]


async def test_one_file_sent_twice_at_once_is_imported_once(main, connect, call, create_reader, file) -> None:
    """As after a lost reply: the second call waits for the first and answers the same, row by row."""
    reader, _ = create_reader("ada")
    sent = {
        "user_id": reader,
        "import_source": "goodreads",
        "rows": shuffled(file[:50], 1),
        "import_id": uuid.uuid4(),
    }
    connections = [await connect() for _ in range(2)]
    first, second = await asyncio.gather(
        *(call(connection, "import_library", **sent) for connection in connections)
    )
    assert first == second
    assert Counter(row["outcome"] for row in first) == {"created": 50}


def chunks_of(rows: list[dict[str, Any]], seed: int) -> Iterator[list[dict[str, Any]]]:
    """The rows twenty at a time, in an order and under ids of the reader's own."""
    mine = random.Random(seed).sample(rows, len(rows))
    for start in range(0, len(mine), 20):
        yield [{**row, "external_id": f"goodreads:{seed}-{row['isbn']}"} for row in mine[start : start + 20]]


async def test_imports_and_the_queue_do_not_stop_each_other(
    main, connect, call, create_reader, add_works, answer, drain, each_ended_once
) -> None:
    """Books in line are imported by two readers, with a year of their own, while they are swept, claimed,
    applied and asked for again: no deadlock, and each work ends once."""
    work_ids = await add_works(main, 100, cached=True) + await add_works(main, 100)
    await main.execute("update public.enrichment_queue set priority = 500")
    books = await main.execute(
        "select w.title, e.isbn13 as isbn from public.works as w join public.editions e on e.work_id = w.id"
    )
    rows = [
        {"row_number": number, "first_publish_year": 1985, **book}
        for number, book in enumerate(await books.fetchall(), start=2)
    ]
    readers = [create_reader(handle)[0] for handle in ("ada", "bob")]
    imported = asyncio.Event()

    async def import_in_chunks(reader: uuid.UUID, seed: int) -> None:
        connection = await connect()
        for chunk in chunks_of(rows, seed):
            sent = {"user_id": reader, "import_source": "goodreads", "rows": json.dumps(chunk)}
            outcomes = await call(connection, "import_library", **sent)
            assert {row["outcome"] for row in outcomes} == {"matched"}

    async def sweep() -> None:
        connection = await connect()
        while not imported.is_set():
            await call(connection, "sweep_enrichment", batch_size=20)

    async def work() -> None:
        connection = await connect()
        while not imported.is_set():
            await drain(connection, batch_size=7)

    async def ask_again() -> None:
        connection = await connect()
        while not imported.is_set():
            some = random.sample(work_ids, 20)
            await call(connection, "enqueue_enrichment", work_ids=some, priority=random.randint(0, 400))

    async def import_all() -> None:
        await asyncio.gather(*(import_in_chunks(reader, seed) for seed, reader in enumerate(readers)))
        imported.set()

    async with asyncio.TaskGroup() as tasks:
        for task in (import_all(), sweep(), work(), ask_again()):
            tasks.create_task(task)
    await call(main, "sweep_enrichment", batch_size=1000)
    await drain(main, batch_size=100)
    await main.execute(
        "delete from public.enrichment_queue where status = 'completed' and fields_applied = '{}'"
    )
    await each_ended_once(main, work_ids)
