"""Books come in: a library export is read here, row by row, and sent to the database."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.table import Table

from book_enrichment.cli.common import (
    BAD_USAGE,
    BOOKS,
    AsJson,
    ForReader,
    acting_database,
    app,
    as_dicts,
    configured_database,
    find_reader,
    finish,
    from_now,
    give_up,
    out,
    print_json,
    progress_bar,
    spelled,
)
from book_enrichment.database import Database
from book_enrichment.imports import Export, ImportFileError, read_export_file
from book_enrichment.imports.sending import import_export
from book_enrichment.records import ImportLine, ImportOutcome, ImportState

REJECTED_ROWS_SHOWN = 20


class Source(StrEnum):
    """Whose export a file is."""

    goodreads = "goodreads"
    storygraph = "storygraph"


@app.command(
    "import",
    rich_help_panel=BOOKS,
    epilog="Example: book-enrichment import goodreads_library_export.csv --user alice",
)
def import_(
    file: Annotated[Path, typer.Argument(help="A Goodreads or StoryGraph export, .csv.")],
    user: Annotated[str, typer.Option(help="Whose library: the reader's id (uuid) or handle.")],
    source: Annotated[Source | None, typer.Option(help="Found out from the header when not given.")] = None,
    as_json: AsJson = False,
) -> None:
    """Import a library export. Books that lack something get in line for enrichment.

    Importing the same file again changes nothing."""
    try:
        export = read_export_file(file, source)
    except ImportFileError as error:
        give_up(BAD_USAGE, error.message, error.hint)

    async def work() -> list[ImportOutcome]:
        async with configured_database() as database:
            reader = await find_reader(database, user)
            with progress_bar() as progress:
                bar = progress.add_task("importing", total=len(export.rows))
                return await import_export(database, reader, export, lambda rows: progress.advance(bar, rows))

    _show_import(file, export, finish(work()), as_json)


def _show_import(file: Path, export: Export, outcomes: list[ImportOutcome], as_json: bool) -> None:
    counts = Counter(outcome.outcome for outcome in outcomes)
    if as_json:
        print_json(
            {
                "file": str(file),
                "source": export.source,
                "summary": {kind: counts[kind] for kind in ("created", "matched", "duplicate", "rejected")},
                "enrichment": Counter(each.enrichment for each in outcomes if each.enrichment),
                "notes": export.notes,
                "rows": as_dicts(outcomes),
            }
        )
        return
    table = Table("rows", "outcome", title=f"{file.name} ({export.source})")
    table.columns[0].justify = "right"
    meanings = {
        "created": "new books",
        "matched": "books we knew, new in this library",
        "duplicate": "already in this library",
        "rejected": "could not be imported",
    }
    for kind, meaning in meanings.items():
        table.add_row(str(counts[kind]), meaning)
    table.add_section()
    for kind, count in Counter(each.enrichment for each in outcomes if each.enrichment).most_common():
        table.add_row(str(count), f"enrichment: {spelled(kind)}")
    out.print(table)
    for note in export.notes:
        out.print(f"Note: {note}", highlight=False, markup=False)
    _show_rejected(outcomes)


def _show_rejected(lines: Iterable[ImportOutcome | ImportLine]) -> None:
    rejected = [line for line in lines if line.outcome == "rejected"]
    for line in rejected[:REJECTED_ROWS_SHOWN]:
        out.print(f"Row {line.row_number}: {line.reason}", highlight=False, markup=False)
    if len(rejected) > REJECTED_ROWS_SHOWN:
        out.print(f"… and {len(rejected) - REJECTED_ROWS_SHOWN} more; --json lists all of them.")


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
        _show_rejected(lines)
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
