"""`enqueue`: works are put in line by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

import typer

from book_enrichment.cli.common import (
    BAD_USAGE,
    BOOKS,
    AsJson,
    ForReader,
    acting_database,
    app,
    configured_database,
    counts_table,
    finish,
    give_up,
    out,
    print_json,
)
from book_enrichment.database import Database

ENQUEUE_WORKS = 1000  # what enqueue_enrichment takes in one call


@app.command(
    rich_help_panel=BOOKS,
    epilog="Example: book-enrichment enqueue 6f2c… 91aa…   or   book-enrichment enqueue --missing",
)
def enqueue(
    work_ids: Annotated[list[UUID] | None, typer.Argument(help="Works to enrich, by id.")] = None,
    missing: Annotated[
        bool, typer.Option("--missing", help="Every work of the catalogue (or library) that lacks something.")
    ] = False,
    user: ForReader = None,
    as_json: AsJson = False,
) -> None:
    """Put works in line, ahead of imports. What is in line, in review or complete stays as it is."""
    if missing == bool(work_ids):
        give_up(BAD_USAGE, "name works by id, or --missing, one of the two")

    async def work() -> Counter[str]:
        outcomes: Counter[str] = Counter()
        if user is not None:
            async with acting_database(user) as database:
                asked = (
                    database.trigger_missing_enrichment()
                    if missing
                    else database.trigger_enrichment(work_ids or [])
                )
                return Counter(each.outcome for each in await asked)
        async with configured_database() as database:
            async for page in _catalogue(database) if missing else _pages(work_ids or []):
                outcomes.update(each.outcome for each in await database.enqueue_enrichment(page))
        return outcomes

    outcomes = finish(work())
    if as_json:
        print_json({"outcomes": outcomes})
    else:
        out.print(counts_table("outcome", "works", outcomes))


async def _pages(work_ids: list[UUID]) -> AsyncIterator[list[UUID]]:
    for start in range(0, len(work_ids), ENQUEUE_WORKS):
        yield work_ids[start : start + ENQUEUE_WORKS]


async def _catalogue(database: Database) -> AsyncIterator[list[UUID]]:
    """Every work there is. The database knows which of them lack nothing, and leaves those alone."""
    page: list[UUID] = []
    while page := await database.transport.work_ids(page[-1] if page else None, ENQUEUE_WORKS):
        yield page
