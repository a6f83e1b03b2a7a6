"""The demo: twenty books of a Goodreads export get their covers.

`make demo` calls this. It starts a stack of its own from nothing, lets seven of the books be known to the
host app already, and imports the CSV. Those seven are answered from the cache by pg_cron while no other
program runs. For the rest a worker asks an Open Library: the stand-in of tests/stand_ins, or with --live the
real one.

    demo.py [--live] [--json PATH] [--svg PATH]
"""

import argparse
import asyncio
import fcntl
import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg.types.json import Jsonb
from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

import open_library
from book_enrichment.cli import stats_table
from book_enrichment.database import open_database
from book_enrichment.database.records import WorkState
from book_enrichment.imports import read_export_file
from book_enrichment.imports.sending import import_export
from book_enrichment.settings import Settings
from book_enrichment.work import Stats, open_worker
from packages import LOCAL, PlatformError
from stack import Stack, refuse_foreign_project

CSV = Path(__file__).with_name("demo.csv")
ENOUGH_COVERS = 18
# ISBNs of the books whose records the host app left behind when somebody else imported them.
KNOWN_TO_THE_HOST = (
    "9780439023481",
    "9780061120084",
    "9780451524935",
    "9780743273565",
    "9780451525260",
    "9780060531041",
    "9780062316097",
)
# pg_cron 1.4 runs a job at the start of each minute.
CRON_SECONDS = 70
# What is left after the worker's rounds and waits for longer than this is shown as waiting.
PATIENCE_SECONDS = 20
SHORT_NAMES = {"cover_url": "cover", "first_publish_year": "first year", "publish_date": "date"}
SERIES = re.compile(r" \([^()]*#\d+\)$")
SOURCES = {"cache": "cache", "openlibrary": "Open Library"}
STATUS_STYLES = {"completed": "green", "needs_review": "yellow", "pending": "cyan", "failed": "red"}
CONFIDENCE_STYLES = {"high": "green", "medium": "yellow", "low": "red", "none": "dim"}

console = Console(width=None if sys.stdout.isatty() else 140, record=True)


@dataclass(frozen=True)
class Book:
    """A line of the table and of the JSON."""

    title: str
    answered_from: str | None
    status: WorkState

    def to_json(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "status": self.status.status,
            "confidence": self.status.confidence,
            "cover_url": self.status.cover_url,
            "fields_applied": list(self.status.fields_applied),
            "answered_from": self.answered_from,
        }


async def demo(stack: Stack, live: bool, contact: str) -> dict[str, Any]:
    """Everything after the stack is up; the final state."""
    started = time.monotonic()
    async with await psycopg.AsyncConnection.connect(stack.database_url(), autocommit=True) as connection:
        reader = await create_reader(connection)
        known = [] if live else await remember_books(connection)
        if known:
            console.print(
                f"The host app knows {len(known)} of the books: their Open Library records are cached."
            )

        settings = settings_for(stack, contact)
        async with open_database(settings) as database:
            await database.configure_enrichment(settings.flags())
            export = read_export_file(CSV)
            outcomes = await import_export(database, reader, export)
            counts = Counter(outcome.outcome for outcome in outcomes)
            told = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
            console.print(f"{len(outcomes)} rows of {CSV.name} imported: {told}.")

            cached = await wait_for_cron(connection, known) if known else set()
            stats = await work(stack, contact, live)
            work_ids = [outcome.work_id for outcome in outcomes if outcome.work_id]
            states = {state.work_id: state for state in await database.enrichment_status(work_ids)}

    books = []
    for row, outcome in zip(export.rows, outcomes, strict=True):
        if outcome.work_id in states:
            state = states[outcome.work_id]
            asked = "openlibrary" if state.confidence else None
            books.append(Book(row.title or "?", "cache" if outcome.work_id in cached else asked, state))
    seconds = round(time.monotonic() - started, 1)
    show(books, stats, seconds)
    return {
        "books": [book.to_json() for book in books],
        "covers": sum(book.status.cover_url is not None for book in books),
        "calls": dict(stats.calls),
        "seconds": seconds,
    }


def settings_for(stack: Stack, contact: str, open_library_url: str = "https://openlibrary.org") -> Settings:
    """The worker's settings, whatever the environment says: this stack, by HTTP, as a hosted worker."""
    environment = stack.environment()
    return Settings(
        _env_file=None,
        database_url=None,
        supabase_url=environment["SUPABASE_URL"],
        supabase_service_role_key=environment["SUPABASE_SERVICE_ROLE_KEY"],
        auto_enabled=True,
        auto_apply_covers=True,
        auto_apply_metadata=True,
        contact=contact,
        open_library_url=open_library_url,
    )


async def create_reader(connection: psycopg.AsyncConnection[Any]) -> UUID:
    """Somebody to own the library."""
    reader = uuid4()
    await connection.execute("insert into auth.users (id, email) values (%s, 'reader@example.org')", [reader])
    await connection.execute("insert into public.users (id, handle) values (%s, 'demo')", [reader])
    return reader


async def remember_books(connection: psycopg.AsyncConnection[Any]) -> list[UUID]:
    """What the host app left of books it met earlier: bare works and editions, and the raw records they came
    from. The works' ids."""
    works = json.loads(open_library.CATALOGUE.read_text(encoding="utf-8"))["works"]
    editions = [(work, edition) for work in works for edition in work["editions"]]
    known = []
    async with connection.transaction():
        for work, edition in editions:
            isbns = [isbn for isbn in edition["isbns"] if isbn in KNOWN_TO_THE_HOST]
            if isbns:
                work_id, edition_id = uuid4(), uuid4()
                known.append(work_id)
                insert = "insert into public.works (id, title) values (%s, %s)"
                await connection.execute(insert, [work_id, work["title"]])
                insert = "insert into public.editions (id, work_id, isbn13) values (%s, %s, %s)"
                await connection.execute(insert, [edition_id, work_id, isbns[0]])
                for author in work["authors"]:
                    await remember_author(connection, work_id, author)
                await remember_record(connection, "work", work_id, host_work(work))
                await remember_record(connection, "edition", edition_id, host_edition(work, edition))
    return known


async def remember_author(
    connection: psycopg.AsyncConnection[Any], work_id: UUID, author: dict[str, Any]
) -> None:
    """An author, known by the key that raw works name instead of a name."""
    author_id = uuid4()
    insert = "insert into public.authors (id, name) values (%s, %s)"
    await connection.execute(insert, [author_id, author["name"]])
    insert = "insert into public.work_authors (work_id, author_id) values (%s, %s)"
    await connection.execute(insert, [work_id, author_id])
    insert = """
        insert into public.external_ids (entity_type, entity_id, provider, provider_id)
        values ('author', %s, 'openlibrary', %s)
    """
    await connection.execute(insert, [author_id, author["key"]])


async def remember_record(
    connection: psycopg.AsyncConnection[Any], entity_type: str, entity_id: UUID, raw: dict[str, Any]
) -> None:
    """A raw record and the external id that ties it to our row, as the host writes them."""
    insert = """
        insert into public.external_ids (entity_type, entity_id, provider, provider_id)
        values (%s, %s, 'openlibrary', %s)
    """
    await connection.execute(insert, [entity_type, entity_id, raw["key"]])
    insert = """
        insert into public.source_records (provider, entity_type, provider_id, raw)
        values ('openlibrary', %s, %s, %s)
    """
    await connection.execute(insert, [entity_type, raw["key"], Jsonb(raw)])


def host_work(work: dict[str, Any]) -> dict[str, Any]:
    """`/works/OL…W.json` as it really is: no names of authors, a cover that is none, a date in words."""
    record = open_library.work_record(work)
    author_role = {"key": "/type/author_role"}
    record["authors"] = [author | {"type": author_role} for author in record["authors"]]
    record["covers"] = [*record.get("covers", []), -1]
    record["first_publish_date"] = f"January 1, {work['first_publish_year']}"
    if "description" in work:
        record["description"] = {"type": "/type/text", "value": work["description"]}
    return record | {"latest_revision": 7, "revision": 7}


def host_edition(work: dict[str, Any], edition: dict[str, Any]) -> dict[str, Any]:
    """An entry of `/works/OL…W/editions.json`."""
    return open_library.edition_record(work, edition)


async def wait_for_cron(connection: psycopg.AsyncConnection[Any], known: list[UUID]) -> set[UUID]:
    """The works that the database has answered from its cache by itself; watches until it has all of them."""
    console.print("No program of ours runs now. pg_cron sweeps at the start of the next minute …")
    columns = (TextColumn("  {task.description}"), BarColumn(), TimeRemainingColumn())
    query = "select work_id from public.enrichment_queue where work_id = any(%s) and scored_at is not null"
    answered: set[UUID] = set()
    began = time.monotonic()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("waiting", total=CRON_SECONDS)
        while len(answered) < len(known) and time.monotonic() - began < CRON_SECONDS:
            await asyncio.sleep(0.5)
            cursor = await connection.execute(query, [known])
            answered = {work_id for (work_id,) in await cursor.fetchall()}
            description = f"{len(answered)} of {len(known)} answered"
            progress.update(bar, completed=time.monotonic() - began, description=description)
    seconds = time.monotonic() - began
    console.print(
        f"  … {len(answered)} of {len(known)} answered from the cache after {seconds:.0f} s, no call made."
    )
    return answered


async def work(stack: Stack, contact: str, live: bool) -> Stats:
    """The worker, from start to drained."""
    async with asked_library(live) as address:
        stand_in = "" if live else ", a stand-in for Open Library on this machine,"
        console.print(f"The worker asks {address}{stand_in} for the rest …")
        async with open_worker(settings_for(stack, contact, address), name="demo") as worker:
            with Live(get_renderable=lambda: stats_table(worker.stats), console=console, transient=True):
                return await worker.run(drain=True, patience=PATIENCE_SECONDS)


@asynccontextmanager
async def asked_library(live: bool) -> AsyncIterator[str]:
    """The address of the Open Library to ask."""
    if live:
        yield "https://openlibrary.org"
    else:
        async with open_library.serve() as library:
            yield library.base_url


def show(books: list[Book], stats: Stats, seconds: float) -> None:
    """The table, and the totals under it."""
    table = Table(title="Your library, enriched")
    for heading in ("book", "filled", "from", "confidence", "status"):
        table.add_column(heading, no_wrap=heading not in ("book", "filled"))
    for book in books:
        status = book.status
        state = (status.status or "untouched").replace("_", " ")
        if status.wait_reason:
            state += f" ({status.wait_reason})"
        table.add_row(
            SERIES.sub("", book.title),
            short_names(status.fields_applied),
            SOURCES.get(book.answered_from or ""),
            f"[{CONFIDENCE_STYLES.get(status.confidence or '', 'default')}]{status.confidence or ''}[/]",
            f"[{STATUS_STYLES.get(status.status or '', 'default')}]{state}[/]",
        )
    console.print(table)
    covers = sum(book.status.cover_url is not None for book in books)
    calls = ", ".join(f"{count} to {provider}" for provider, count in stats.calls.items()) or "none"
    waiting = sum(book.status.status == "pending" for book in books)
    console.print(
        f"[bold]{covers} of {len(books)}[/] books have a cover. "
        f"Calls: {calls}. Waiting: {waiting}. Seconds: {seconds}."
    )


def short_names(fields: tuple[str, ...]) -> str:
    """`work.cover_url`, `edition.total_pages` → "cover, pages"; the cover first."""
    names = [field.split(".")[1] for field in sorted(fields, key=lambda field: field != "work.cover_url")]
    return ", ".join(SHORT_NAMES.get(name, name.removeprefix("total_").replace("_", " ")) for name in names)


def main() -> int:
    """0 when enough books have a cover; with --live whatever the world answered will do."""
    parser = argparse.ArgumentParser(description="Twenty books of a Goodreads export get their covers.")
    parser.add_argument("--live", action="store_true", help="ask the real Open Library")
    parser.add_argument("--json", type=Path, help="also write the final state there")
    parser.add_argument("--svg", type=Path, help="also draw the table there, for the README")
    options = parser.parse_args()
    contact = os.environ.get("ENRICHMENT_CONTACT") or ("" if options.live else "demo@example.org")
    if not contact:
        sys.exit("Open Library wants to know who asks: set ENRICHMENT_CONTACT to your e-mail address.")
    stack = Stack("demo", durable=False)
    LOCAL.mkdir(exist_ok=True)
    lock = (LOCAL / "demo.running").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit("Another demo is running in this clone; wait until it has ended.")
    try:
        refuse_foreign_project("the demo")
        console.print("A fresh local Supabase, from nothing …")
        stack.reset()
        result = asyncio.run(demo(stack, options.live, contact))
    except PlatformError as error:
        sys.exit(str(error))
    finally:
        stack.down()
    if options.svg:
        console.save_svg(str(options.svg), title="make demo")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    command = ".venv/bin/python supabase/local/commands.py psql --name demo"
    console.print(f"Look around in its database: {command}", soft_wrap=True)
    return 0 if options.live or result["covers"] >= ENOUGH_COVERS else 1


if __name__ == "__main__":
    sys.exit(main())
