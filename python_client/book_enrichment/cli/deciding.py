"""What a person decides: approve, dismiss, take back. One row by its id, all rows of a kind, or an import."""

from __future__ import annotations

import dataclasses
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import typer
from rich.table import Table
from rich.text import Text

from book_enrichment.cli.common import (
    BAD_USAGE,
    DECIDING,
    AsJson,
    ForReader,
    acting_database,
    app,
    as_dicts,
    err,
    finish,
    give_up,
    out,
    print_json,
)
from book_enrichment.cli.showing import field_label, field_names, fields_told, in_order, text
from book_enrichment.database import Database
from book_enrichment.fields import NAMES
from book_enrichment.records import MatchingOutcome, ReviewOutcome, UndoOutcome

DONE = {"approve": "approved", "dismiss": "dismissed"}

Decide = Callable[[Database, bool], Awaitable[MatchingOutcome]]


class Confidence(StrEnum):
    """How sure we are that a candidate is the book."""

    high = "high"
    medium = "medium"
    low = "low"


def _providers() -> list[str]:
    return ["openlibrary", "googlebooks"]


def _fields() -> list[str]:
    return list(NAMES)


QueueId = Annotated[UUID | None, typer.Argument(metavar="[QUEUE_ID]", help="A row in review, by its id.")]
All = Annotated[bool, typer.Option("--all", help="Every row in review that the filters below let through.")]
OfConfidence = Annotated[Confidence | None, typer.Option("--confidence", help="With --all: only this tier.")]
OfProvider = Annotated[
    str | None,
    typer.Option("--provider", help="With --all: only what this one proposes.", autocompletion=_providers),
]
OfSentence = Annotated[
    str | None, typer.Option("--sentence", help="With --all: only rows explained by this sentence.")
]
OfImport = Annotated[UUID | None, typer.Option("--import", help="With --all: only rows of this import.")]
OfFields = Annotated[
    list[str] | None,
    typer.Option("--field", help="Write only this field; may be given again.", autocompletion=_fields),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command(
    rich_help_panel=DECIDING,
    epilog="Example: book-enrichment approve 0199… --field cover   or   "
    "book-enrichment approve --all --confidence high --yes",
)
def approve(
    queue_id: QueueId = None,
    fields: OfFields = None,
    candidate: Annotated[
        str | None,
        typer.Option(help="Of several books that fit, this one (provider:work_key, as status lists it)."),
    ] = None,
    all_: All = False,
    confidence: OfConfidence = None,
    provider: OfProvider = None,
    sentence: OfSentence = None,
    import_id: OfImport = None,
    yes: Yes = False,
    user: ForReader = None,
    as_json: AsJson = False,
) -> None:
    """Write what was proposed for a row in review, where the field is still empty.

    With --all first counts what would be written, and asks; where nobody can be asked, --yes writes."""
    wanted = None if not fields else field_names(fields)
    if _is_for_all(queue_id, all_, confidence, provider, sentence, import_id):
        if candidate:
            give_up(BAD_USAGE, "--candidate chooses for one row, by its id")

        async def decide(database: Database, is_dry_run: bool) -> MatchingOutcome:
            return await database.approve_matching(
                confidence, provider, sentence, import_id, wanted, is_dry_run
            )

        _decide_all("approve", decide, yes, user, as_json)
    else:
        assert queue_id is not None

        async def work() -> ReviewOutcome | None:
            async with acting_database(user) as database:
                return await database.approve_enrichment(queue_id, wanted, candidate)

        _show_decision("approved", finish(work()), as_json)


@app.command(
    rich_help_panel=DECIDING,
    epilog="Example: book-enrichment dismiss 0199…   or   book-enrichment dismiss --all --confidence low",
)
def dismiss(
    queue_id: QueueId = None,
    all_: All = False,
    confidence: OfConfidence = None,
    provider: OfProvider = None,
    sentence: OfSentence = None,
    import_id: OfImport = None,
    yes: Yes = False,
    user: ForReader = None,
    as_json: AsJson = False,
) -> None:
    """Not this book: close a row in review, and never propose its candidates for the book again.

    With --all first counts, and asks; where nobody can be asked, --yes dismisses."""
    if _is_for_all(queue_id, all_, confidence, provider, sentence, import_id):

        async def decide(database: Database, is_dry_run: bool) -> MatchingOutcome:
            return await database.dismiss_matching(confidence, provider, sentence, import_id, is_dry_run)

        _decide_all("dismiss", decide, yes, user, as_json)
    else:
        assert queue_id is not None

        async def work() -> ReviewOutcome | None:
            async with acting_database(user) as database:
                return await database.dismiss_enrichment(queue_id)

        _show_decision("dismissed", finish(work()), as_json)


def _is_for_all(queue_id: UUID | None, all_: bool, *filters: object) -> bool:
    if all_ == (queue_id is not None):
        give_up(
            BAD_USAGE, "name one row by its id, or --all", "book-enrichment status needs_review lists ids"
        )
    if any(filters) and not all_:
        give_up(BAD_USAGE, "filters go with --all")
    return all_


def _show_decision(done: str, outcome: ReviewOutcome | None, as_json: bool) -> None:
    if outcome is None:  # zero rows: there was nothing to do
        give_up(BAD_USAGE, "the database did nothing")
    if as_json:
        print_json(dataclasses.asdict(outcome))
    else:
        out.print(decision_line(done, outcome))


def decision_line(done: str, outcome: ReviewOutcome) -> Text:
    """What a decision about one row wrote, and what it did not."""
    line = Text(done)
    if outcome.status == "completed":
        line.append(f": wrote {fields_told(outcome.fields_applied)}")
    if outcome.fields_skipped:
        line.append(f"; not {fields_told(outcome.fields_skipped)}, filled or locked meanwhile")
    return line


def _decide_all(action: str, decide: Decide, yes: bool, user: str | None, as_json: bool) -> None:
    async def count() -> MatchingOutcome:
        async with acting_database(user) as database:
            return await decide(database, True)

    async def work() -> MatchingOutcome:
        async with acting_database(user) as database:
            return await _until_done(database, decide)

    if not yes:
        expected = finish(count())
        if not as_json:
            out.print(matching_view(action, expected))
        if as_json or not _can_ask():
            if as_json:
                print_json(dataclasses.asdict(expected))
            err.print(f"This was the count, nothing is changed: add --yes to {action}.")
            return
        if not expected.matched or not typer.confirm(f"{action} them?", err=True):
            return
    outcome = finish(work())
    if as_json:
        print_json(dataclasses.asdict(outcome))
    else:
        out.print(matching_view(action, outcome))


async def _until_done(database: Database, decide: Decide) -> MatchingOutcome:
    """Call after call, 1,000 rows each, until nothing is left, or what is left is refused."""
    total = latest = await decide(database, False)
    while latest.remaining and latest.changed:
        latest = await decide(database, False)
        fields = Counter(total.fields)
        fields.update(latest.fields)
        total = dataclasses.replace(
            latest, matched=total.matched, changed=total.changed + latest.changed, fields=dict(fields)
        )
    return total


def matching_view(action: str, outcome: MatchingOutcome) -> Table:
    """What a decision about all rows of a kind did, or would do."""
    table = Table.grid(padding=(0, 2))
    table.add_row("rows that match", str(outcome.matched))
    if not outcome.is_dry_run:
        table.add_row(DONE[action], str(outcome.changed))
        if outcome.skipped:
            table.add_row("refused, or decided meanwhile", str(outcome.skipped))
    for field, count in in_order(outcome.fields):
        table.add_row(f"  {field_label(field)}", str(count))
    return table


def _can_ask() -> bool:
    return sys.stdin.isatty() and err.is_terminal


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
        if not _can_ask():
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
