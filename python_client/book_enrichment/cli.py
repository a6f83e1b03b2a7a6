"""The command line: `book-enrichment import`, `run`, `status`, `enqueue`.

A person sees progress on stderr while it lasts and a table on stdout at the end, or with `--json` one JSON
object. What every command needs is in the environment (see `settings.py`). Exit codes:

    0  done; rows of a file that were rejected are listed, the rest is in
    2  wrong usage, a file that cannot be read, or settings that are missing or wrong
    3  the database gave no answer
    4  the database refused
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar
from uuid import UUID

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from book_enrichment import __version__
from book_enrichment.covers import NEEDS_STORAGE, can_store, cover_line
from book_enrichment.database import Database, NotConfigured, open_database
from book_enrichment.errors import DatabaseUnavailable, EnrichmentError, NotFound
from book_enrichment.imports import Export, ImportFileError, read_export_file
from book_enrichment.imports.sending import import_export
from book_enrichment.records import ImportOutcome, OverviewLine, ProviderLine
from book_enrichment.settings import Settings
from book_enrichment.worker import Tally, Worker, open_worker, stopping_on_signals

T = TypeVar("T")

BAD_USAGE, UNREACHABLE, REFUSED = 2, 3, 4
ENQUEUE_WORKS = 1000  # what enqueue_enrichment takes in one call
REJECTED_ROWS_SHOWN = 20

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # they would show keys
    rich_markup_mode="rich",
    help="Fill the missing covers and metadata of a book library on Supabase.",
    epilog="Set DATABASE_URL, or SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY; and ENRICHMENT_CONTACT.",
)
out = Console()
err = Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]


class Source(StrEnum):
    """Whose export a file is."""

    goodreads = "goodreads"
    storygraph = "storygraph"


def _version(wanted: bool) -> None:
    if wanted:
        out.print(f"book-enrichment {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Fill the missing covers and metadata of a book library on Supabase."""


@app.command(
    "import",
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
        _give_up(BAD_USAGE, error.message, error.hint)

    async def work() -> list[ImportOutcome]:
        async with _database() as database:
            reader = await _reader(database, user)
            with _progress() as progress:
                bar = progress.add_task("importing", total=len(export.rows))
                return await import_export(database, reader, export, lambda rows: progress.advance(bar, rows))

    _show_import(file, export, _finish(work()), as_json)


@app.command(epilog="Example, as a cron job that ends by itself: book-enrichment run --drain --json")
def run(
    drain: Annotated[bool, typer.Option("--drain", help="End when nothing is left to do soon.")] = False,
    patience: Annotated[
        float, typer.Option(help="With --drain: seconds worth waiting for what is left.", min=0)
    ] = 90,
    as_json: AsJson = False,
) -> None:
    """Run a worker: it takes what is due, asks Open Library, and hands the replies to the database.

    Stops on Ctrl-C or SIGTERM, and gives back what it holds. Any number may run."""

    async def work() -> Tally:
        settings = _settings()
        if not settings.contact:
            err.print("[yellow]ENRICHMENT_CONTACT is not set[/]: only the cache is used, Open Library waits.")
        if settings.cover_mode == "thumbnail" and not can_store(settings):
            err.print(f"[yellow]{NEEDS_STORAGE}[/]")
        async with open_worker(settings) as worker:
            with stopping_on_signals(worker), _watching(worker):
                return await worker.run(drain=drain, patience=patience)

    tally = _finish(work())
    if as_json:
        _print_json(dataclasses.asdict(tally))
    else:
        out.print(tally_table(tally))


@app.command(epilog="Example: book-enrichment status --json")
def status(as_json: AsJson = False) -> None:
    """Show how many books are in which state, what waits for what, until when, and who may be asked."""

    async def work() -> Any:
        async with _database(configured=False) as database:
            overview = await database.enrichment_overview()
            providers = await database.enrichment_providers()
            return overview, providers, await database.enrichment_due(), await database.enrichment_covers()

    lines, providers, due, covers = _finish(work())
    if as_json:
        _print_json(
            {
                "overview": [dataclasses.asdict(line) for line in lines],
                "providers": [dataclasses.asdict(line) for line in providers],
                "due": dataclasses.asdict(due),
                "covers": dataclasses.asdict(covers),
            }
        )
        return
    if covers.cover_mode == "thumbnail":
        out.print(cover_line(covers))
    if lines:
        out.print(queue_table(lines))
    else:
        out.print("The queue is empty. [bold]book-enrichment import[/] or [bold]enqueue[/] fill it.")
    out.print(provider_table(providers))
    for provider in providers:
        if provider.last_error and (provider.failures or provider.wait_reason):
            out.print(f"Last error: {provider.last_error}", highlight=False, markup=False)
    if due.due_at is not None:
        out.print(f"Next look-up {_from_now(due.due_at)} ({due.reason}).")


def queue_table(lines: Iterable[OverviewLine]) -> Table:
    """The queue by state and by what rows wait for."""
    table = Table("state", "waits for", "rows", "oldest", "until", title="Enrichment queue")
    table.columns[2].justify = "right"
    for line in lines:
        table.add_row(
            line.status, line.wait_reason, str(line.rows), _from_now(line.oldest), _from_now(line.until)
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
            when = f"{_from_now(line.available_at)} ({line.wait_reason.replace('_', ' ')})".strip()
        table.add_row(
            line.provider,
            when,
            f"{int(line.tokens)} of {line.burst_size}, {line.rate_per_second:g}/s",
            str(line.used_today)
            + (f" of {line.daily_limit - line.daily_reserve}" if line.daily_limit is not None else ""),
        )
    return table


@app.command(epilog="Example: book-enrichment enqueue 6f2c… 91aa…   or   book-enrichment enqueue --missing")
def enqueue(
    work_ids: Annotated[list[UUID] | None, typer.Argument(help="Works to enrich, by id.")] = None,
    missing: Annotated[
        bool, typer.Option("--missing", help="Every work of the catalogue that lacks something.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Put works in line, ahead of imports. What is in line, in review or complete stays as it is."""
    if missing == bool(work_ids):
        _give_up(BAD_USAGE, "name works by id, or --missing, one of the two")

    async def work() -> Counter[str]:
        outcomes: Counter[str] = Counter()
        async with _database() as database:
            async for page in _catalogue(database) if missing else _pages(work_ids or []):
                outcomes.update(each.outcome for each in await database.enqueue_enrichment(page))
        return outcomes

    outcomes = _finish(work())
    if as_json:
        _print_json({"outcomes": outcomes})
    else:
        out.print(_counts("outcome", "works", outcomes))


async def _pages(work_ids: list[UUID]) -> AsyncIterator[list[UUID]]:
    for page in _chunks(work_ids, ENQUEUE_WORKS):
        yield page


async def _catalogue(database: Database) -> AsyncIterator[list[UUID]]:
    """Every work there is. The database knows which of them lack nothing, and leaves those alone."""
    page: list[UUID] = []
    while page := await database.door.work_ids(page[-1] if page else None, ENQUEUE_WORKS):
        yield page


def _show_import(file: Path, export: Export, outcomes: list[ImportOutcome], as_json: bool) -> None:
    counts = Counter(outcome.outcome for outcome in outcomes)
    if as_json:
        _print_json(
            {
                "file": str(file),
                "source": export.source,
                "summary": {kind: counts[kind] for kind in ("created", "matched", "duplicate", "rejected")},
                "enrichment": Counter(each.enrichment for each in outcomes if each.enrichment),
                "notes": export.notes,
                "rows": [dataclasses.asdict(outcome) for outcome in outcomes],
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
        table.add_row(str(count), f"enrichment: {kind.replace('_', ' ')}")
    out.print(table)
    for note in export.notes:
        out.print(f"Note: {note}", highlight=False, markup=False)
    rejected = [outcome for outcome in outcomes if outcome.outcome == "rejected"]
    for outcome in rejected[:REJECTED_ROWS_SHOWN]:
        out.print(f"Row {outcome.row_number}: {outcome.reason}", highlight=False, markup=False)
    if len(rejected) > REJECTED_ROWS_SHOWN:
        out.print(f"… and {len(rejected) - REJECTED_ROWS_SHOWN} more; --json lists all of them.")


def tally_table(tally: Tally) -> Table:
    """What a worker has done, for people; the same table lives on screen while it works."""
    table = Table.grid(padding=(0, 2))
    table.add_row("answered from the cache", str(tally.swept))
    table.add_row("claimed", str(tally.claimed))
    for state, count in tally.applied.items():
        table.add_row("  back for the next look-up" if state == "pending" else f"  {state}", str(count))
    for reason, count in tally.released.items():
        table.add_row(f"  released: {reason}", str(count))
    if tally.failed or tally.dropped:
        table.add_row("  failed, dropped", f"{tally.failed}, {tally.dropped}")
    table.add_row("covers", str(tally.covers))
    for provider, calls in tally.calls.items():
        table.add_row(f"calls to {provider}", str(calls))
    if tally.pending:
        table.add_row("still waiting", f"{tally.pending} ({tally.wait_reason})")
    table.add_row("seconds", f"{tally.seconds:.1f}")
    return table


class _watching:
    """The worker's tally on the screen while the block runs; log lines instead where nobody looks."""

    def __init__(self, worker: Worker) -> None:
        self._live = Live(
            get_renderable=lambda: tally_table(worker.tally),
            console=err,
            transient=True,
            refresh_per_second=4,
        )

    def __enter__(self) -> None:
        if err.is_terminal:
            self._live.start()
        else:
            logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
            logging.getLogger("httpx").setLevel(logging.WARNING)

    def __exit__(self, *_: object) -> None:
        self._live.stop()


@asynccontextmanager
async def _database(configured: bool = True) -> AsyncIterator[Database]:
    """The database of the environment; `configured` writes the flags that the environment sets first."""
    settings = _settings()
    async with open_database(settings) as database:
        if configured and (flags := settings.flags()):
            await database.configure_enrichment(flags)
        yield database


async def _reader(database: Database, user: str) -> UUID:
    try:
        return UUID(user)
    except ValueError:
        reader = await database.door.user_id(user)
    if reader is None:
        raise NotFound(f"no reader has the handle {user}", hint="give a handle of public.users, or the id")
    return reader


def _settings() -> Settings:
    try:
        return Settings()
    except ValidationError as error:
        wrong = [f"{each['loc'][0]}: {each['msg']}" for each in error.errors(include_input=False)]
        _give_up(BAD_USAGE, "; ".join(wrong), "correct these environment variables")


def _finish(work: Coroutine[Any, Any, T]) -> T:
    """Run it, and turn what goes wrong into a sentence and an exit code."""
    try:
        return asyncio.run(work)
    except NotConfigured as error:
        _give_up(BAD_USAGE, error.message, error.hint)
    except DatabaseUnavailable as error:
        _give_up(UNREACHABLE, error.message, error.hint)
    except EnrichmentError as error:
        _give_up(REFUSED, error.message, error.hint)


def _give_up(code: int, message: str, hint: str | None = None) -> NoReturn:
    err.print(f"error: {message}", style="red", markup=False, highlight=False)
    if hint:
        err.print(f"hint: {hint}", markup=False, highlight=False)
    raise typer.Exit(code)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=err, transient=True)


def _counts(what: str, unit: str, counts: Counter[str]) -> Table:
    table = Table(what, unit)
    table.columns[1].justify = "right"
    for name, count in counts.most_common():
        table.add_row(name.replace("_", " "), str(count))
    return table


def _chunks(items: list[T], size: int) -> Iterable[list[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _print_json(value: Any) -> None:
    """Without rich, which would wrap it."""
    print(json.dumps(value, default=_plain, ensure_ascii=False))


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _from_now(moment: datetime | None) -> str:
    """ "3 min ago", "in 2 h"; empty when there is no moment to name."""
    if moment is None:
        return ""
    seconds = (moment - datetime.now(UTC)).total_seconds()
    size, unit = next(
        (size, unit)
        for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (0, "s"))
        if abs(seconds) >= size
    )
    count = f"{abs(seconds) / (size or 1):.0f} {unit}"
    return f"in {count}" if seconds > 0 else f"{count} ago"
