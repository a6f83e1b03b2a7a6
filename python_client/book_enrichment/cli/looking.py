"""Looking without touching: what is where, what waits for what, why a book was matched, what would happen."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

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
    field_label,
    in_order,
    megabytes,
    meter,
    optional,
    reason_lines,
    shown,
    source_text,
    text,
    today,
)
from book_enrichment.database import Database
from book_enrichment.errors import DatabaseUnavailable
from book_enrichment.records import (
    CoverReport,
    Due,
    ExplainedCandidate,
    LibrarySummary,
    OverviewLine,
    Preview,
    ProviderLine,
    QueueRow,
    UsageLine,
)

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

    overview: list[OverviewLine]
    providers: list[ProviderLine]
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


def queue_table(lines: Iterable[OverviewLine]) -> Table:
    """The queue by state and by what rows wait for."""
    table = Table("state", "waits for", "rows", "oldest", "until", title="Enrichment queue")
    table.columns[2].justify = "right"
    for line in lines:
        table.add_row(
            line.status, line.wait_reason, str(line.rows), from_now(line.oldest), from_now(line.until)
        )
    return table


def provider_table(providers: Iterable[ProviderLine]) -> Table:
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


async def rows_in(database: Database, state: str) -> AsyncIterator[QueueRow]:
    """Queue rows in one state, newest first, page by page; rows that leave it meanwhile are no trouble."""
    cursor: str | None = None
    while page := await database.list_enrichment(state, cursor=cursor):
        for row in page:
            yield row
        cursor = page[-1].cursor


def _list_rows(state: State, limit: int, user: str | None, as_json: bool) -> None:
    async def work() -> list[QueueRow]:
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


@app.command(
    rich_help_panel=LOOKING, epilog="Example: book-enrichment explain 6f2c0a51-6d1e-4b43-8ae1-0f7f9d6f8f11"
)
def explain(
    work_id: Annotated[UUID, typer.Argument(metavar="WORK", help="The id of a work.")],
    user: ForReader = None,
    as_json: AsJson = False,
) -> None:
    """Show every candidate for a book: the parts of its score, the sentence on top of them, where to look."""

    async def work() -> list[ExplainedCandidate]:
        async with acting_database(user) as database:
            return await database.explain_enrichment(work_id)

    candidates = finish(work())
    if as_json:
        print_json({"work_id": work_id, "candidates": as_dicts(candidates)})
    elif candidates:
        out.print(candidate_table(candidates))
    else:
        out.print(f"No provider was asked lately, or none knows it: book-enrichment enqueue {work_id} asks.")


def candidate_table(candidates: Iterable[ExplainedCandidate]) -> Table:
    """Candidates side by side, the best first."""
    table = Table("", "candidate", "title", "author", "ISBN", "tier", "because", title="Candidates")
    table.columns[1].overflow = "fold"
    for each in candidates:
        author = "?" if each.author_score is None else f"{each.author_score}/3"
        book = (text(each.title), text(f"by {each.authors or 'nobody'}"))
        tier = f"{each.confidence}, dismissed" if each.is_dismissed else each.confidence
        table.add_row(
            str(each.place),
            Text("\n").join([*book, source_text(each.provider, each.source_url)]),
            f"{each.title_score}/4",
            author,
            f"{each.isbn_score}/5",
            tier,
            text(each.sentence),
            style="dim" if each.is_dismissed else "",
        )
    return table


@app.command(
    rich_help_panel=LOOKING, epilog="Example: book-enrichment preview 6f2c0a51-6d1e-4b43-8ae1-0f7f9d6f8f11"
)
def preview(
    work_ids: Annotated[list[UUID], typer.Argument(metavar="WORK…", help="Works, by id.")],
    user: ForReader = None,
    as_json: AsJson = False,
) -> None:
    """Show what would happen to books if they were looked up now. Nothing is written, nobody is asked."""

    async def work() -> list[Preview]:
        async with acting_database(user) as database:
            return await database.preview_enrichment(work_ids)

    previews = finish(work())
    if as_json:
        print_json({"items": as_dicts(previews)})
        return
    for each in previews:
        out.print(preview_line(each))
        if each.values:
            out.print(preview_table(each))


def preview_line(each: Preview) -> Text:
    """What would become of a work, in a sentence."""
    line = Text(f"{each.work_id}  ").append(
        spelled(each.status) if each.status else "would not be queued", style="bold"
    )
    waits = each.wait_reason and f"waits: {spelled(each.wait_reason)}"
    for about in (each.confidence and f"confidence {each.confidence}", each.sentence, waits):
        if about:
            line.append_text(text(f", {about}"))
    for lookup in each.lookups:
        line.append_text(text(f", asks {lookup.provider} by {lookup.kind} {lookup.key}"))
    return line


def preview_table(each: Preview) -> Table:
    """Field by field: today's value, and what would be written or proposed."""
    table = Table("field", "today", "would be", "value", "from")
    for field, value in in_order(each.values):
        table.add_row(
            field_label(field),
            today(optional(value.get("current"))),
            "written" if value.get("is_applied") else "proposed",
            text(shown(value.get("value"))),
            source_text(value.get("provider") or "", None, value.get("confidence")),
        )
    return table


@app.command(rich_help_panel=LOOKING, epilog="Example: book-enrichment usage   or   … usage --json")
def usage(user: ForReader = None, as_json: AsJson = False) -> None:
    """Show how much of the free tier is used: database, covers, provider calls of today, what waits."""

    async def work() -> list[UsageLine]:
        async with acting_database(user) as database:
            return await database.enrichment_usage()

    lines = finish(work())
    if as_json:
        print_json({"items": as_dicts(lines)})
        return
    table = Table("what", "", "used", "of", "", "until", title="Free tier")
    table.columns[2].justify = table.columns[3].justify = "right"
    for line in lines:
        amount = megabytes if line.unit == "bytes" else str
        table.add_row(
            line.meter,
            spelled(line.subject),
            amount(line.used),
            "" if line.allowed is None else amount(line.allowed),
            meter(line.used, line.allowed),
            from_now(line.until),
        )
    out.print(table)
    for explanation in reason_lines(line.subject for line in lines if line.meter == "waiting"):
        out.print(explanation)
