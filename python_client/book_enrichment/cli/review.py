"""Rows in review, one after the other: a panel with today's values beside the proposals, and a key for each
decision. What a key does is done by the verb of that name; a row that somebody else decided meanwhile is left
alone, and said to be.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

import typer
from rich.console import Group, RenderableType
from rich.panel import Panel
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
from book_enrichment.cli.decisions import OfConfidence, OfImport, decision_line
from book_enrichment.cli.showing import LETTERS, Choice, choices_of, proposal_table, source_text, text
from book_enrichment.cli.status import rows_in
from book_enrichment.cli.undo import undo_line
from book_enrichment.database import Database
from book_enrichment.database.records import ListedRow
from book_enrichment.errors import DatabaseUnavailable, EnrichmentError

KEYS = {
    "a": "approve all",
    "f": "choose fields",
    "d": "dismiss",
    "s": "skip",
    "u": "undo last",
    "q": "quit",
}
ENTER = ("\r", "\n")
ESCAPE = "\x1b"
END_OF_INPUT = "\x04"  # Ctrl-D
INTERRUPTS = ("\x03", END_OF_INPUT)


class Quit(Exception):
    """The person has seen enough."""


@app.command(
    rich_help_panel=DECIDING,
    epilog="Example: book-enrichment review --user alice   or   book-enrichment review --confidence high",
)
def review(
    confidence: OfConfidence = None,
    import_id: OfImport = None,
    user: ForReader = None,
    as_json: AsJson = False,
) -> None:
    """Decide about proposals, one book after the other: today's values beside what is proposed.

    With --json lists what there is to decide, and decides nothing."""
    if as_json:
        _list_proposals(confidence, import_id, user)
        return
    if not (sys.stdin.isatty() and out.is_terminal):
        give_up(
            BAD_USAGE,
            "review needs a terminal to ask in",
            "book-enrichment review --json lists what there is to decide; approve and dismiss decide",
        )

    async def work() -> Sitting:
        async with acting_database(user) as database:
            with keyboard() as key:
                sitting = Sitting(database, key)
                await sitting.hold(confidence, import_id)
                return sitting

    sitting = finish(work())
    out.print(sitting.closing_line(), highlight=False)


def _list_proposals(confidence: str | None, import_id: UUID | None, user: str | None) -> None:
    async def work() -> list[ListedRow]:
        async with acting_database(user) as database:
            return [
                row async for row in rows_in(database, "needs_review") if fits(row, confidence, import_id)
            ]

    print_json({"items": as_dicts(finish(work()))})


def fits(row: ListedRow, confidence: str | None, import_id: UUID | None) -> bool:
    """Whether a row is one of those that were asked for."""
    return (confidence is None or row.confidence == confidence) and import_id in (None, row.import_id)


@contextmanager
def keyboard() -> Iterator[Callable[[], str]]:
    """A function that waits for one key, while the block runs.

    Nothing is echoed, and what was typed ahead counts. Ctrl-C is a key like any other here: a signal would
    not end a read within a coroutine.
    """
    try:
        import termios
        import tty
    except ImportError:  # Windows
        yield typer.getchar
        return
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    try:
        tty.setcbreak(terminal, termios.TCSADRAIN)
        mode = termios.tcgetattr(terminal)
        mode[3] &= ~termios.ISIG
        termios.tcsetattr(terminal, termios.TCSADRAIN, mode)
        yield lambda: _key(terminal)
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _key(terminal: int) -> str:
    """The next key in lower case; an arrow or an accented letter is one key. The end of input is Ctrl-D."""
    try:
        pressed = os.read(terminal, 1)
        while pressed and (pressed == b"\x1b" or pressed[0] > 127) and len(pressed) < 4:
            if not select.select([terminal], [], [], 0.02)[0]:
                break
            pressed += os.read(terminal, 3)
    except OSError:  # hung up
        return END_OF_INPUT
    return pressed.decode(errors="replace").lower() or END_OF_INPUT


@dataclass
class Sitting:
    """One person, deciding; `key` waits for a key and answers it."""

    database: Database
    key: Callable[[], str]
    approved: int = 0
    dismissed: int = 0
    skipped: int = 0
    decided: list[UUID] = field(default_factory=list)  # what `undo last` takes back, the last one last
    turned_away: set[UUID] = field(default_factory=set)  # those of them that were dismissed

    async def hold(self, confidence: str | None = None, import_id: UUID | None = None) -> None:
        """Show row after row until there is none, or the person quits."""
        try:
            async for row in rows_in(self.database, "needs_review"):
                if fits(row, confidence, import_id):
                    await self._ask_about(row)
            out.print("Nothing is left to review.")
            await self._last_chance()
        except Quit:
            return

    async def _ask_about(self, row: ListedRow) -> None:
        choices = choices_of(row)
        chosen = choices[0]
        out.print(panel(row, choices, chosen))
        while True:
            pressed = self._press(f"{_keys(choices, bool(self.decided))} ")
            try:
                if pressed == "a":
                    return await self._approve(row, chosen, None)
                if pressed == "f" and chosen.proposals:
                    fields = self._choose_fields(chosen)
                    if fields is not None:
                        return await self._approve(row, chosen, fields)
                elif pressed == "d":
                    return await self._dismiss(row)
                elif pressed == "s":
                    self.skipped += 1
                    out.print("skipped: it stays in review")
                    return None
                elif pressed == "u":
                    await self._undo_last()
                elif pressed.isdecimal() and 0 < int(pressed) <= len(choices) > 1:
                    chosen = choices[int(pressed) - 1]
                    out.print(panel(row, choices, chosen))
            except DatabaseUnavailable:
                raise
            except EnrichmentError as error:
                _complain(error)
                if error.code in ("PT404", "PT409"):  # decided, or gone, meanwhile
                    return None

    async def _approve(self, row: ListedRow, chosen: Choice, fields: list[str] | None) -> None:
        outcome = await self.database.approve_enrichment(row.queue_id, fields, chosen.candidate)
        if outcome is not None:
            self.approved += 1
            self.decided.append(row.queue_id)
            out.print(decision_line("approved", outcome), style="green")

    async def _dismiss(self, row: ListedRow) -> None:
        outcome = await self.database.dismiss_enrichment(row.queue_id)
        if outcome is not None:
            self.dismissed += 1
            self.decided.append(row.queue_id)
            self.turned_away.add(row.queue_id)
            out.print(decision_line("dismissed", outcome), style="yellow")

    async def _undo_last(self) -> None:
        if not self.decided:
            out.print("There is nothing to undo yet.")
            return
        queue_id, outcome = self.decided.pop(), None
        try:
            outcome = await self.database.undo_enrichment(queue_id)
        except DatabaseUnavailable:
            raise
        except EnrichmentError as error:  # it wrote nothing, or was undone elsewhere
            _complain(error)
        if outcome is not None:
            out.print(Text("undone: ").append_text(undo_line(outcome)))
        if queue_id in self.turned_away and (outcome is None or outcome.status != "needs_review"):
            out.print("the dismissal stays: this match is not proposed for the book again")

    async def _last_chance(self) -> None:
        """The last decision can be taken back like any other."""
        while self.decided:
            if self._press("[bold]u[/] undo last  [bold]q[/] quit ") == "u":
                await self._undo_last()

    def _choose_fields(self, chosen: Choice) -> list[str] | None:
        """The fields left ticked; None when the person thinks better of it."""
        ticked = {proposal.field: True for proposal in chosen.proposals}
        while True:
            out.print(proposal_table(chosen.proposals, chosen.source_url, ticked))
            letters = LETTERS[: len(ticked)]
            told = f"[bold]{letters[0]}–{letters[-1]}[/] tick  [bold]Enter[/] approve  [bold]Esc[/] back "
            pressed = self._press(told, may_quit=False)
            if pressed in ENTER and any(ticked.values()):
                return [name for name, is_ticked in ticked.items() if is_ticked]
            if pressed in ENTER:
                out.print("Nothing is ticked: tick a field, or go back with Esc and dismiss the book with d.")
            if pressed.startswith(ESCAPE):
                return None
            if pressed and pressed in letters:
                name = chosen.proposals[letters.index(pressed)].field
                ticked[name] = not ticked[name]

    def _press(self, told: str, may_quit: bool = True) -> str:
        out.print(told, end="", highlight=False)
        pressed = self.key()
        out.print(pressed if pressed.isprintable() else "", highlight=False, markup=False)
        if pressed in INTERRUPTS or (may_quit and pressed == "q"):
            raise Quit
        return pressed

    def closing_line(self) -> str:
        """What became of the sitting."""
        return f"{self.approved} approved, {self.dismissed} dismissed, {self.skipped} skipped."


def _complain(error: EnrichmentError) -> None:
    err.print(f"error: {error.message}", style="red", markup=False, highlight=False)
    if error.hint:
        err.print(f"hint: {error.hint}", markup=False, highlight=False)


def _keys(choices: list[Choice], can_undo: bool) -> str:
    keys = {key: told for key, told in KEYS.items() if key != "u" or can_undo}
    if not choices[0].proposals and len(choices) == 1:
        del keys["f"]
    numbers = f"[bold]1–{len(choices)}[/] choose  " if len(choices) > 1 else ""
    return numbers + "  ".join(f"[bold]{key}[/] {told}" for key, told in keys.items())


def panel(row: ListedRow, choices: list[Choice], chosen: Choice) -> Panel:
    """The book, what it was matched with and why, and each proposal beside what is there today."""
    lines: list[RenderableType] = []
    by = text(", ".join(row.authors) or "nobody")
    lines.append(Text("by ").append_text(by))
    if chosen.sentence:
        lines.append(text(f"{row.confidence}: {chosen.sentence}"))
    if chosen.title:
        found = text(f"{chosen.title}, {chosen.authors or 'nobody'}  ")
        lines.append(
            Text("found: ").append_text(found).append_text(source_text(chosen.provider, chosen.source_url))
        )
    for number, choice in enumerate(choices if len(choices) > 1 else (), start=1):
        mark = "▸" if choice == chosen else " "
        rival = text(f"{choice.title}, {choice.authors or 'nobody'} ({choice.provider})")
        lines.append(Text(f"{mark} {number} ", style="bold" if choice == chosen else "").append_text(rival))
    lines.append(proposal_table(chosen.proposals, chosen.source_url))
    return Panel(Group(*lines), title=text(row.title), title_align="left")
