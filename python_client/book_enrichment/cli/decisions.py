"""What `approve`, `dismiss` and `undo` share: a row by its id, or all rows that some filters let through."""

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
    acting_database,
    err,
    finish,
    give_up,
    out,
    print_json,
)
from book_enrichment.cli.showing import field_label, fields_told, in_order
from book_enrichment.database import Database
from book_enrichment.database.records import MatchingOutcome, ReviewOutcome
from book_enrichment.fields import NAMES

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


def is_for_all(queue_id: UUID | None, all_: bool, *filters: object) -> bool:
    """Whether all rows are meant, not one; anything in between ends the program."""
    if all_ == (queue_id is not None):
        give_up(
            BAD_USAGE, "name one row by its id, or --all", "book-enrichment status needs_review lists ids"
        )
    if any(filters) and not all_:
        give_up(BAD_USAGE, "filters go with --all")
    return all_


def show_decision(done: str, outcome: ReviewOutcome | None, as_json: bool) -> None:
    """What became of one row."""
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


def decide_all(action: str, decide: Decide, yes: bool, user: str | None, as_json: bool) -> None:
    """Count, ask, and decide about all of them."""

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
        if as_json or not can_ask():
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


def can_ask() -> bool:
    """Whether there is somebody who can answer."""
    return sys.stdin.isatty() and err.is_terminal
