"""The example of a third provider in supabase/docs is run as it stands there, and fills a book."""

from __future__ import annotations

import re
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from book_enrichment import providers
from book_enrichment.database import open_database
from book_enrichment.settings import Settings
from book_enrichment.work import Worker, open_providers
from open_library import listening

PAGE = (Path(__file__).parents[2] / "supabase" / "docs" / "embedding.md").read_text(encoding="utf-8")
SECTION = PAGE.split("## Adding a provider\n")[1].split("\n## ")[0]
ROW_AND_READER = re.search("```sql\n(.*?)```", SECTION, re.DOTALL)[1]
MODULE = re.search("```python\n(.*?)```", SECTION, re.DOTALL)[1]
ISBN = "9780439023481"


async def toys(request: Request) -> JSONResponse:
    """A shop that knows one book, by its ISBN."""
    if request.query_params["q"] != ISBN:
        return JSONResponse({})
    book = {
        "id": "t1",
        "name": "The Glass Orchard",
        "by": ["Mina Voss"],
        "isbn": ISBN,
        "blurb": "<p>Glass!</p>",
    }
    return JSONResponse(book | {"maker": "Toys & Sons", "colour": "red"})


@pytest.fixture
def toy_books() -> Any:
    """The class of the example."""
    names = {name: getattr(providers, name) for name in providers.__all__}
    names |= {"httpx": httpx, "AsyncIterator": AsyncIterator, "Iterable": Iterable, "suppress": suppress}
    exec("from __future__ import annotations\n" + MODULE, names)
    return names["ToyBooks"]


async def test_one_row_one_reader_one_class_fill_a_book(connect, database_url: str, toy_books: Any) -> None:
    """One book is filled from the toy shop, the other is a miss, by ISBN and then by title."""
    connection = await connect()
    await connection.execute(ROW_AND_READER)
    try:
        author = uuid.uuid4()
        await connection.execute("insert into authors (id, name) values (%s, 'Mina Voss')", [author])
        works = [uuid.uuid4(), uuid.uuid4()]
        for work, isbn, title in zip(
            works, (ISBN, "9780439023511"), ("The Glass Orchard", "Salt"), strict=True
        ):
            await connection.execute("insert into works (id, title) values (%s, %s)", [work, title])
            await connection.execute("insert into editions (work_id, isbn13) values (%s, %s)", [work, isbn])
            await connection.execute("insert into work_authors values (%s, %s)", [work, author])
        await connection.execute("update enrichment.providers set is_enabled = provider = 'toybooks'")
        await connection.execute("select public.enqueue_enrichment(%s)", [works])
        settings = Settings(
            _env_file=None, database_url=database_url, auto_apply_metadata=True, provider_delay_ms=0
        )
        app = Starlette(routes=[Route("/toys", toys)])
        async with (
            listening(app) as address,
            httpx.AsyncClient() as client,
            open_database(settings) as database,
        ):
            shops = [*open_providers(settings, client), toy_books(client, address)]
            stats = await Worker(database, shops, settings).run(drain=True, patience=5)
    finally:
        await connection.execute("drop function enrichment.read_toybooks")

    assert stats.calls == {"toybooks": 3}
    rows = await (
        await connection.execute(
            "select * from works join editions on editions.work_id = works.id order by title"
        )
    ).fetchall()
    assert [(row["description"], row["publisher"]) for row in rows] == [
        (None, None),
        ("Glass!", "Toys & Sons"),
    ]
    assert [row["enrichment_status"] for row in rows] == ["skipped", "completed"]
