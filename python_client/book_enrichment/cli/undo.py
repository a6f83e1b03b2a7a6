"""`undo`: what was written is taken back, and only that."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer
from rich.text import Text

from book_enrichment.cli.common import (
    BAD_USAGE,
    DECIDING,
    AsJson,
    ForReader,
    acting_database,
    app,
    as_dicts,
    finish,
    give_up,
    out,
    print_json,
)
from book_enrichment.cli.decisions import (
    Yes,
    can_ask,
)
from book_enrichment.cli.showing import fields_told, text
from book_enrichment.database import Database
from book_enrichment.database.records import UndoOutcome


@app.command(
    rich_help_panel=DECIDING,
    epilog="Example: book-enrichment undo 0199…   or   book-enrichment undo --import 5d3c…",
)
def undo(
    queue_id: Annotated[
        UUID | None, typer.Argument(metavar="[QUEUE_ID]", help="What this row has written.")
    ] = None,
    import_id: Annotated[
        UUID | None, typer.Option("--import", help="What this import and its rows have written.")
    ] = None,
    yes: Yes = False,
    user: ForReader = None,
    as_json: AsJson = False,
) -> None:
    """Take back what was written, and only that: a value that was edited since is kept, and named."""
    if (queue_id is None) == (import_id is None):
        give_up(BAD_USAGE, "name a row by its id, or --import ID, one of the two")

    async def work() -> list[UndoOutcome]:
        async with acting_database(user) as database:
            if import_id is not None:
                return await _undo_import(database, import_id)
            assert queue_id is not None
            outcome = await database.undo_enrichment(queue_id)
            return [outcome] if outcome else []

    if import_id is not None and not yes:
        if not can_ask():
            give_up(BAD_USAGE, "nobody can be asked whether the whole import is to be undone", "add --yes")
        if not typer.confirm("Undo all that this import has written? Its books stay on the shelf.", err=True):
            return
    outcomes = finish(work())
    if as_json:
        print_json({"items": as_dicts(outcomes)})
    else:
        for outcome in outcomes:
            out.print(Text(f"{outcome.queue_id or outcome.work_id}: ").append_text(undo_line(outcome)))
        if not outcomes:
            out.print("There is nothing to undo.")


async def _undo_import(database: Database, import_id: UUID) -> list[UndoOutcome]:
    """Call after call, 1,000 books each, until nothing changes any more; one line a book."""
    outcomes: dict[object, UndoOutcome] = {}
    while lines := await database.undo_import(import_id):
        for line in lines:
            outcomes.setdefault(line.queue_id or line.work_id, line)
        if all(line.reason for line in lines):
            break
    return list(outcomes.values())


def undo_line(outcome: UndoOutcome) -> Text:
    """What was taken back, what was kept, or why nothing was done."""
    if outcome.reason:
        return text(outcome.reason)
    line = Text(f"took back {fields_told(outcome.fields_restored)}")
    if outcome.fields_kept:
        line.append(f"; kept {fields_told(outcome.fields_kept)}, edited since")
    return line
