"""`status`: what is where, and what waits for what."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from book_enrichment.cli.common import (
    BAD_USAGE,
    LOOKING,
    AsJson,
    ForReader,
    acting_database,
    app,
    as_dicts,
    finish,
    from_now,
    give_up,
    out,
    plain,
    print_json,
    spelled,
)
from book_enrichment.cli.showing import (
    cover_line,
    reason_lines,
    text,
)
from book_enrichment.database import Database
from book_enrichment.database.records import (
    CoverReport,
    Due,
    LibrarySummary,
    ListedRow,
    ProviderState,
    StateCount,
)
from book_enrichment.errors import DatabaseUnavailable

PAGE = 1000  # the most that a call answers with


class State(StrEnum):
    """States of a queue row."""

    pending = "pending"
    in_progress = "in_progress"
    completed = "completed"
    needs_review = "needs_review"
    failed = "failed"
    skipped = "skipped"


@dataclass(frozen=True, slots=True)
class Standing:
    """How everything stands at one moment."""

    overview: list[StateCount]
    providers: list[ProviderState]
    due: Due
    covers: CoverReport

    @classmethod
    async def ask(cls, database: Database) -> Standing:
        """Four calls."""
        return cls(
            await database.enrichment_overview(),
            await database.enrichment_providers(),
            await database.enrichment_due(),
            await database.enrichment_covers(),
        )

    def to_json(self) -> dict[str, Any]:
        """As `status --json` prints it."""
        return {
            "overview": as_dicts(self.overview),
            "providers": as_dicts(self.providers),
            "due": dataclasses.asdict(self.due),
            "covers": dataclasses.asdict(self.covers),
        }


@app.command(
    rich_help_panel=LOOKING,
    epilog="Example: book-enrichment status --watch   or   book-enrichment status failed --limit 20",
)
def status(
    state: Annotated[State | None, typer.Argument(help="List the rows in this state, newest first.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Keep the table on screen until Ctrl-C.")] = False,
    interval: Annotated[float, typer.Option(help="With --watch: seconds between two looks.", min=0.2)] = 2,
    limit: Annotated[int, typer.Option(help="With a state: how many rows.", min=1, max=PAGE)] = 50,
    user: ForReader = None,
    as_json: AsJson = False,
) -> None:
    """Show how many books are in which state, what waits for what, until when, and who may be asked.

    With --user: the reader's library in numbers."""
    if watch:
        if as_json or state or user:
            give_up(BAD_USAGE, "--watch shows the whole queue, as a table, and goes with no other option")
        if not out.is_terminal:
            give_up(BAD_USAGE, "--watch needs a terminal", "without it the table is printed once; see --json")
        _watch(interval)
    elif state:
        _list_rows(state, limit, user, as_json)
    elif user:
        _show_summary(user, as_json)
    else:

        async def work() -> Standing:
            async with acting_database() as database:
                return await Standing.ask(database)

        standing = finish(work())
        if as_json:
            print_json(standing.to_json())
        else:
            out.print(Group(*standing_view(standing)))


def _watch(interval: float) -> None:
    async def work() -> None:
        async with acting_database() as database:
            view: RenderableType = Group(*standing_view(await Standing.ask(database)))
            with Live(view, console=out, auto_refresh=False) as live:
                while True:
                    live.update(Group(view, Text(f"{time.strftime('%X')}, Ctrl-C ends", "dim")), refresh=True)
                    await asyncio.sleep(interval)
                    try:
                        view = Group(*standing_view(await Standing.ask(database)))
                    except DatabaseUnavailable as error:
                        live.update(Group(view, Text(plain(error.message), "red")), refresh=True)
                        await asyncio.sleep(interval)

    try:
        finish(work())
    except KeyboardInterrupt:
        return


def standing_view(standing: Standing) -> list[RenderableType]:
    """The queue, the providers, and what comes next."""
    lines: list[RenderableType] = []
    if standing.covers.cover_mode == "thumbnail":
        lines.append(cover_line(standing.covers))
    if standing.overview:
        lines.append(queue_table(standing.overview))
    else:
        lines.append("The queue is empty. [bold]book-enrichment import[/] or [bold]enqueue[/] fill it.")
    lines.append(provider_table(standing.providers))
    for provider in standing.providers:
        if provider.last_error and (provider.failures or provider.wait_reason):
            lines.append(Text(f"Last error: {plain(provider.last_error)}"))
    if standing.due.due_at is not None:
        lines.append(f"Next look-up {from_now(standing.due.due_at)} ({standing.due.reason}).")
    words = [line.wait_reason for line in standing.overview]
    words += [line.wait_reason for line in standing.providers]
    lines += reason_lines([standing.covers.wait_reason, *words])
    return lines


def queue_table(lines: Iterable[StateCount]) -> Table:
    """The queue by state and by what rows wait for."""
    table = Table("state", "waits for", "rows", "oldest", "until", title="Enrichment queue")
    table.columns[2].justify = "right"
    for line in lines:
        table.add_row(
            line.status, line.wait_reason, str(line.rows), from_now(line.oldest), from_now(line.until)
        )
    return table


def provider_table(providers: Iterable[ProviderState]) -> Table:
    """Who may be asked now, or why not and until when; calls that are free, and those of today."""
    table = Table("provider", "may be asked", "calls free", "today", title="Providers")
    for line in providers:
        if line.wait_reason is None:
            when = (
                "now" if line.tokens >= 1 else f"in {(1 - line.tokens) / line.rate_per_second:.0f} s (rate)"
            )
        else:
            when = f"{from_now(line.available_at)} ({spelled(line.wait_reason)})".strip()
        table.add_row(
            line.provider,
            when,
            f"{int(line.tokens)} of {line.burst_size}, {line.rate_per_second:g}/s",
            str(line.used_today)
            + (f" of {line.daily_limit - line.daily_reserve}" if line.daily_limit is not None else ""),
        )
    return table


async def rows_in(database: Database, state: str) -> AsyncIterator[ListedRow]:
    """Queue rows in one state, newest first, page by page; rows that leave it meanwhile are no trouble."""
    cursor: str | None = None
    while page := await database.list_enrichment(state, cursor=cursor):
        for row in page:
            yield row
        cursor = page[-1].cursor


def _list_rows(state: State, limit: int, user: str | None, as_json: bool) -> None:
    async def work() -> list[ListedRow]:
        async with acting_database(user) as database:
            return await database.list_enrichment(state, limit)

    rows = finish(work())
    if as_json:
        print_json({"items": as_dicts(rows)})
        return
    table = Table("queue id", "book", "confidence", "what about it", "since")
    table.columns[0].no_wrap = True
    for row in rows:
        about = row.sentence or row.last_error or ""
        if row.wait_reason:
            about = f"waits: {spelled(row.wait_reason)} {from_now(row.next_attempt_after)}".strip()
        book = text(f"{row.title}, {', '.join(row.authors)}".rstrip(", "))
        table.add_row(
            str(row.queue_id), book, row.confidence, text(about), from_now(row.finished_at or row.created_at)
        )
    out.print(table if rows else f"No row is {spelled(state)}.")
    for line in reason_lines(row.wait_reason for row in rows):
        out.print(line)


def _show_summary(user: str, as_json: bool) -> None:
    async def work() -> LibrarySummary:
        async with acting_database(user) as database:
            return await database.enrichment_summary()

    summary = finish(work())
    if as_json:
        print_json(dataclasses.asdict(summary))
        return
    table = Table.grid(padding=(0, 2))
    for name, value in dataclasses.asdict(summary).items():
        if not name.startswith("next_"):
            table.add_row(spelled(name), str(value))
    out.print(table)
    if summary.next_due_at is not None:
        out.print(f"Next look-up {from_now(summary.next_due_at)} ({summary.next_reason}).")
    elif summary.next_reason:
        out.print(f"What is pending waits for a setting ({summary.next_reason}).")
    for line in reason_lines([summary.next_reason]):
        out.print(line)
