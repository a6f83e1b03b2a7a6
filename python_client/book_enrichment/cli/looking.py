"""Looking without touching: what is where, what waits for what and until when."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from rich.table import Table

from book_enrichment.cli.common import (
    AsJson,
    acting_database,
    app,
    as_dicts,
    finish,
    from_now,
    out,
    print_json,
)
from book_enrichment.covers import cover_line
from book_enrichment.records import OverviewLine, ProviderLine


@app.command(epilog="Example: book-enrichment status --json")
def status(as_json: AsJson = False) -> None:
    """Show how many books are in which state, what waits for what, until when, and who may be asked."""

    async def work() -> Any:
        async with acting_database() as database:
            overview = await database.enrichment_overview()
            providers = await database.enrichment_providers()
            return overview, providers, await database.enrichment_due(), await database.enrichment_covers()

    lines, providers, due, covers = finish(work())
    if as_json:
        print_json(
            {
                "overview": as_dicts(lines),
                "providers": as_dicts(providers),
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
        out.print(f"Next look-up {from_now(due.due_at)} ({due.reason}).")


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
            when = f"{from_now(line.available_at)} ({line.wait_reason.replace('_', ' ')})".strip()
        table.add_row(
            line.provider,
            when,
            f"{int(line.tokens)} of {line.burst_size}, {line.rate_per_second:g}/s",
            str(line.used_today)
            + (f" of {line.daily_limit - line.daily_reserve}" if line.daily_limit is not None else ""),
        )
    return table
