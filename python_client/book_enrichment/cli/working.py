"""Books are worked on: put in line by hand, and taken from there by a worker until it is stopped."""

from __future__ import annotations

import dataclasses
import logging
from collections import Counter
from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

import typer
from rich.live import Live
from rich.table import Table

from book_enrichment.cli.common import (
    BAD_USAGE,
    BOOKS,
    AsJson,
    ForReader,
    acting_database,
    app,
    configured_database,
    counts_table,
    err,
    finish,
    give_up,
    out,
    print_json,
    read_settings,
)
from book_enrichment.covers import NEEDS_STORAGE, can_store
from book_enrichment.database import Database, NotConfigured
from book_enrichment.errors import EnrichmentError
from book_enrichment.settings import Settings
from book_enrichment.worker import Tally, Worker, open_worker, stopping_on_signals

ENQUEUE_WORKS = 1000  # what enqueue_enrichment takes in one call


@app.command(
    rich_help_panel=BOOKS,
    epilog="Example, as a cron job that ends by itself: book-enrichment run --drain --json",
)
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
        settings = read_settings()
        async with open_worker(settings) as worker:
            await _say_what_is_missing(worker.database, settings)
            with stopping_on_signals(worker), _watching(worker):
                return await worker.run(drain=drain, patience=patience)

    tally = finish(work())
    if as_json:
        print_json(dataclasses.asdict(tally))
    else:
        out.print(tally_table(tally))


async def _say_what_is_missing(database: Database, settings: Settings) -> None:
    """Of what the environment and the database have together; the worker waits for one that is away."""
    try:
        there = {each.name: each.value for each in await database.configure_enrichment()}
    except EnrichmentError:
        return
    in_force = there | settings.flags()
    if not in_force["contact"]:
        err.print("[yellow]ENRICHMENT_CONTACT is not set[/]: only the cache is used, Open Library waits.")
    if in_force["cover_mode"] == "thumbnail" and not can_store(settings):
        err.print(f"[yellow]{NEEDS_STORAGE}[/]")


@app.command(
    rich_help_panel=BOOKS,
    epilog="Example: book-enrichment serve --host 0.0.0.0 --port $PORT",
)
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 8000,
    worker: Annotated[
        bool | None,
        typer.Option(
            "--worker/--no-worker",
            help="Run a worker in it. ENRICHMENT_WORKER_ENABLED when not given.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Serve the REST API and the page for readers, with a worker in it, until Ctrl-C or SIGTERM."""
    settings = read_settings()
    try:
        from book_enrichment.api import serve as serve_api
    except ImportError as error:
        give_up(BAD_USAGE, f"the API's packages are missing: {error}", "pip install 'book-enrichment[api]'")
    try:
        serve_api(settings, host, port, worker)
    except NotConfigured as error:
        give_up(BAD_USAGE, error.message, error.hint)


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


@app.command(
    rich_help_panel=BOOKS,
    epilog="Example: book-enrichment enqueue 6f2c… 91aa…   or   book-enrichment enqueue --missing",
)
def enqueue(
    work_ids: Annotated[list[UUID] | None, typer.Argument(help="Works to enrich, by id.")] = None,
    missing: Annotated[
        bool, typer.Option("--missing", help="Every work of the catalogue (or library) that lacks something.")
    ] = False,
    user: ForReader = None,
    as_json: AsJson = False,
) -> None:
    """Put works in line, ahead of imports. What is in line, in review or complete stays as it is."""
    if missing == bool(work_ids):
        give_up(BAD_USAGE, "name works by id, or --missing, one of the two")

    async def work() -> Counter[str]:
        outcomes: Counter[str] = Counter()
        if user is not None:
            async with acting_database(user) as database:
                asked = (
                    database.trigger_missing_enrichment()
                    if missing
                    else database.trigger_enrichment(work_ids or [])
                )
                return Counter(each.outcome for each in await asked)
        async with configured_database() as database:
            async for page in _catalogue(database) if missing else _pages(work_ids or []):
                outcomes.update(each.outcome for each in await database.enqueue_enrichment(page))
        return outcomes

    outcomes = finish(work())
    if as_json:
        print_json({"outcomes": outcomes})
    else:
        out.print(counts_table("outcome", "works", outcomes))


async def _pages(work_ids: list[UUID]) -> AsyncIterator[list[UUID]]:
    for start in range(0, len(work_ids), ENQUEUE_WORKS):
        yield work_ids[start : start + ENQUEUE_WORKS]


async def _catalogue(database: Database) -> AsyncIterator[list[UUID]]:
    """Every work there is. The database knows which of them lack nothing, and leaves those alone."""
    page: list[UUID] = []
    while page := await database.door.work_ids(page[-1] if page else None, ENQUEUE_WORKS):
        yield page
