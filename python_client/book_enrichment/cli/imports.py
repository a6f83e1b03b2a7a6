"""`imports`: how far each import is, and what became of its lines."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Annotated
from uuid import UUID

import typer
from rich.table import Table

from book_enrichment.cli.common import (
    BOOKS,
    AsJson,
    ForReader,
    acting_database,
    app,
    as_dicts,
    finish,
    from_now,
    out,
    print_json,
    spelled,
)
from book_enrichment.cli.import_ import show_rejected
from book_enrichment.database import Database
from book_enrichment.database.records import ImportLine, ImportState


@app.command(
    rich_help_panel=BOOKS, epilog="Example: book-enrichment imports   or   book-enrichment imports 5d3c…"
)
def imports(
    import_id: Annotated[
        UUID | None, typer.Argument(metavar="[IMPORT_ID]", help="One import, with its rejected lines.")
    ] = None,
    limit: Annotated[int, typer.Option(help="How many imports.", min=1, max=1000)] = 20,
    user: ForReader = None,
    as_json: AsJson = False,
) -> None:
    """Show imports, newest first: how many rows were read, and how far their books are."""

    async def work() -> tuple[list[ImportState], list[ImportLine]]:
        async with acting_database(user) as database:
            if import_id is None:
                return await database.enrichment_imports(limit), []
            return [await database.enrichment_import(import_id)], await _lines(database, import_id)

    found, lines = finish(work())
    if as_json and import_id is None:
        print_json({"items": as_dicts(found)})
    elif as_json:
        print_json({**dataclasses.asdict(found[0]), "items": as_dicts(lines)})
    elif found:
        out.print(import_table(found))
        show_rejected(lines)
    else:
        out.print("No import yet: [bold]book-enrichment import FILE --user HANDLE[/] makes one.")


async def _lines(database: Database, import_id: UUID) -> list[ImportLine]:
    lines: list[ImportLine] = []
    while page := await database.enrichment_import_rows(import_id, 1000, lines[-1].cursor if lines else None):
        lines += page
    return lines


def import_table(found: Iterable[ImportState]) -> Table:
    """A line per import."""
    table = Table("import", "rows", "books", "enrichment", "covers")
    table.columns[0].no_wrap = True
    for each in found:
        read = f"{each.rows} of {each.expected_rows}" if each.expected_rows is not None else str(each.rows)
        table.add_row(
            f"{each.import_id}\n{each.import_source}, {from_now(each.created_at)}",
            read,
            _told(each, "created", "matched", "duplicate", "rejected"),
            _told(each, "pending", "in_progress", "completed", "needs_review", "failed", "skipped", "undone"),
            str(each.covers_applied),
        )
    return table


def _told(each: ImportState, *names: str) -> str:
    counts = dataclasses.asdict(each)
    return "\n".join(f"{counts[name]} {spelled(name)}" for name in names if counts[name])
