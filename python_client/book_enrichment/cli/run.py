"""`run`: a worker, until it is stopped or nothing is left to do soon."""

from __future__ import annotations

import dataclasses
import logging
from typing import Annotated

import typer
from rich.live import Live
from rich.table import Table

from book_enrichment.cli.common import (
    BOOKS,
    AsJson,
    app,
    err,
    finish,
    out,
    print_json,
    read_settings,
)
from book_enrichment.database import Database
from book_enrichment.errors import EnrichmentError
from book_enrichment.images import NEEDS_STORAGE, can_store
from book_enrichment.settings import Settings
from book_enrichment.work import Stats, Worker, open_worker, stopping_on_signals


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

    async def work() -> Stats:
        settings = read_settings()
        async with open_worker(settings) as worker:
            await _say_what_is_missing(worker.database, settings)
            with stopping_on_signals(worker), _watching(worker):
                return await worker.run(drain=drain, patience=patience)

    stats = finish(work())
    if as_json:
        print_json(dataclasses.asdict(stats))
    else:
        out.print(stats_table(stats))


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


def stats_table(stats: Stats) -> Table:
    """What a worker has done, for people; the same table lives on screen while it works."""
    table = Table.grid(padding=(0, 2))
    table.add_row("answered from the cache", str(stats.swept))
    table.add_row("claimed", str(stats.claimed))
    for state, count in stats.applied.items():
        table.add_row("  back for the next look-up" if state == "pending" else f"  {state}", str(count))
    for reason, count in stats.released.items():
        table.add_row(f"  released: {reason}", str(count))
    if stats.failed or stats.dropped:
        table.add_row("  failed, dropped", f"{stats.failed}, {stats.dropped}")
    table.add_row("covers", str(stats.covers))
    for provider, calls in stats.calls.items():
        table.add_row(f"calls to {provider}", str(calls))
    if stats.pending:
        table.add_row("still waiting", f"{stats.pending} ({stats.wait_reason})")
    table.add_row("seconds", f"{stats.seconds:.1f}")
    return table


class _watching:
    """The worker's stats on the screen while the block runs; log lines instead where nobody looks."""

    def __init__(self, worker: Worker) -> None:
        self._live = Live(
            get_renderable=lambda: stats_table(worker.stats),
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
