"""`import`: a library export is read, row by row, and sent to the database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from book_enrichment.cli.common import (
    BAD_USAGE,
    BOOKS,
    AsJson,
    app,
    as_dicts,
    configured_database,
    find_reader,
    finish,
    give_up,
    out,
    print_json,
    progress_bar,
    spelled,
)
from book_enrichment.database.records import ImportLine, ImportOutcome
from book_enrichment.imports import Export, ImportFileError, read_export_file
from book_enrichment.imports.sending import import_export

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
    show_rejected(outcomes)


def show_rejected(lines: Iterable[ImportOutcome | ImportLine]) -> None:
    """Why rows are not in, of the first of them."""
    rejected = [line for line in lines if line.outcome == "rejected"]
    for line in rejected[:REJECTED_ROWS_SHOWN]:
        out.print(f"Row {line.row_number}: {line.reason}", highlight=False, markup=False)
    if len(rejected) > REJECTED_ROWS_SHOWN:
        out.print(f"… and {len(rejected) - REJECTED_ROWS_SHOWN} more; --json lists all of them.")
