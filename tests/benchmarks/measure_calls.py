"""How many calls an import costs other people's servers: `make measure-calls`.

A thousand made-up books, 75 % of them with an ISBN, are imported as a Goodreads export and enriched by one
worker against a counting stand-in for Open Library, which does not know 10 % of them. Then a second reader
imports the same file. Settings are the defaults, except that the rate limit and the gap between calls are
lifted, so that it ends in a minute instead of a quarter of an hour; neither changes how many calls there are.

    measure_calls.py [--books N] [--google] [--json PATH]

`--google` gives the worker a key for Google Books and the readers the wish to have it asked; the stand-in for
Google knows the same books.
"""

import argparse
import asyncio
import csv
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
from rich.console import Console
from rich.table import Table

import google_books
import open_library
from book_enrichment.database import open_database
from book_enrichment.imports import read_export_file
from book_enrichment.imports.sending import import_export
from book_enrichment.settings import Settings
from book_enrichment.work import Stats, open_worker
from packages import PlatformError
from stack import Stack, refuse_foreign_project

DATABASE = "measure_calls"
WITH_ISBN, MISSED, SECOND_EDITIONS = 0.75, 0.10, 0.04
ADJECTIVES = ["Red", "Silent", "Hollow", "Golden", "Broken", "Winter", "Burning", "Far", "Paper", "Salt"]
NOUNS = ["Harbor", "Orchard", "Lantern", "River", "Mountain", "Garden", "Letter", "Window", "Bridge", "Isle"]
PLACES = ["Haddad", "Okoro", "Varga", "Lindqvist", "Moreau", "Tanaka", "Ferreira", "Novak", "Dahl", "Osei"]
FIRST_NAMES = ["Farid", "Amina", "Zoltan", "Ingrid", "Claire", "Kenji", "Paulo", "Jana", "Liv", "Kofi"]

COLUMNS = ["Book Id", "Title", "Author", "ISBN", "ISBN13", "Publisher", "Binding", "Number of Pages"]
COLUMNS += ["Year Published", "Exclusive Shelf"]


@dataclass(frozen=True)
class Book:
    """A row of the export. Several rows may be editions of one work, under titles of their own."""

    number: int
    work: int
    title: str
    author: str
    isbn: str | None
    is_known: bool


def made_up_books(count: int) -> list[Book]:
    """The same books every time, in an order like a shelf's."""
    chance = random.Random(1)
    has_isbn = set(chance.sample(range(count), round(count * WITH_ISBN)))
    is_missed = set(missed_evenly(chance.sample(range(count), count), has_isbn))
    shown = [n for n in chance.sample(range(count), count) if n in has_isbn - is_missed]
    second_editions = round(count * SECOND_EDITIONS)
    work_of = dict(zip(shown[:second_editions], shown[second_editions:], strict=False))
    return [
        Book(
            number=n,
            work=work_of.get(n, n),
            title=title(n),
            author=author(work_of.get(n, n)),
            isbn=isbn13(n) if n in has_isbn else None,
            is_known=n not in is_missed,
        )
        for n in range(count)
    ]


def missed_evenly(order: list[int], has_isbn: set[int]) -> Iterator[int]:
    """A tenth of those with an ISBN and a tenth of those without."""
    for group in ([n for n in order if n in has_isbn], [n for n in order if n not in has_isbn]):
        yield from group[: round(len(group) * MISSED)]


def title(n: int) -> str:
    hundreds, tens, ones = n // 100 % 10, n // 10 % 10, n % 10
    volume = f" in {1900 + n // 1000}" if n >= 1000 else ""
    return f"The {ADJECTIVES[hundreds]} {NOUNS[tens]} of {PLACES[ones]}{volume}"


def author(n: int) -> str:
    return f"{FIRST_NAMES[n // 7 % 10]} {PLACES[n // 3 % 10]}"


def isbn13(n: int) -> str:
    body = f"9789{n:08d}"
    return body + str(-sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(body)) % 10)


def catalogue(books: list[Book]) -> dict[str, Any]:
    """What the stand-in knows, in the form of its own catalogue."""
    works: dict[int, dict[str, Any]] = {}
    for book in sorted(books, key=lambda book: book.number != book.work):
        if not book.is_known:
            continue
        work = works.setdefault(
            book.work,
            {
                "key": f"/works/OL{900_000_000 + book.work}W",
                "title": book.title,
                "authors": [{"key": f"/authors/OL{900_000_000 + book.work}A", "name": book.author}],
                "cover": 900_000_000 + book.work,
                "description": f"The story of {book.title}.",
                "first_publish_year": 1990,
                "editions": [],
            },
        )
        work["editions"].append(
            {
                "key": f"/books/OL{900_000_000 + book.number}M",
                "title": book.title,
                "isbns": [book.isbn or isbn13(book.number)],
                "publisher": "Harbour Press",
                "publish_date": "2001",
                "language": "eng",
            }
        )
    return {"works": list(works.values())}


def write_export(path: Path, books: list[Book]) -> None:
    """As Goodreads writes it, ISBNs as formulas."""
    with path.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(COLUMNS)
        for book in books:
            isbn = f'="{book.isbn or ""}"'
            edition = ["Harbour Press", "Paperback", 200, 2001]
            lines.writerow([1000 + book.number, book.title, book.author, '=""', isbn, *edition, "to-read"])


async def measure(
    url: str, books: list[Book], folder: Path, google: bool = False
) -> tuple[dict[str, Any], Counter[str], Stats]:
    """The result as JSON, the calls by what they asked, and what the worker says of its first run."""
    shelf, known = folder / "goodreads_library_export.csv", folder / "catalogue.json"
    write_export(shelf, books)
    known.write_text(json.dumps(catalogue(books)), encoding="utf-8")
    lift_limits(url)
    async with open_library.serve(known) as library, AsyncExitStack() as opened:
        settings = {
            "database_url": url,
            "auto_enabled": True,
            "contact": "measure@example.org",
            "provider_delay_ms": 0,
            "open_library_url": library.base_url,
        }
        if google:
            shop = await opened.enter_async_context(google_books.serve())
            shop.editions = library.editions
            settings |= {"google_books_api_key": shop.key, "google_books_url": shop.base_url}
        first = await enriched(Settings(_env_file=None, **settings), shelf, google)
        calls = Counter(kind_of(call) for call in library.calls)
        second = await enriched(Settings(_env_file=None, **settings), shelf, google)
        again = len(library.calls) - calls.total() + second.calls["googlebooks"]
    result = {
        "books": len(books),
        "open_library": {
            "isbn_calls": calls["ISBNs"] + calls["second look"],
            "search_calls": calls["title and author"],
            "cover_calls": calls["cover"],
        },
        "google_books": {"calls": first.calls["googlebooks"]},
        "second_run_calls": again,
    }
    return result, calls, first


def kind_of(call: dict[str, Any]) -> str:
    if call["path"].startswith("/b/"):
        return "cover"
    if call["path"] == "/search.json":
        return "ISBNs" if call["query"].get("q", "").startswith("isbn:") else "title and author"
    return "second look" if call["path"] == "/api/books" else call["path"]


async def enriched(settings: Settings, shelf: Path, google: bool) -> Stats:
    """One more reader imports the file; a worker then runs until nothing is left to do."""
    assert settings.database_url is not None
    reader = create_reader(settings.database_url.get_secret_value(), google)
    async with open_database(settings) as database:
        await database.configure_enrichment(settings.flags())
        await import_export(database, reader, read_export_file(shelf))
    async with open_worker(settings) as worker:
        return await worker.run(drain=True, patience=5)


def create_reader(url: str, google: bool) -> UUID:
    reader = uuid4()
    with psycopg.connect(url) as connection:
        account = "insert into auth.users (id, email) values (%s, %s)"
        connection.execute(account, [reader, f"{reader}@example.org"])
        profile = "insert into public.users (id, handle, enable_google_books) values (%s, %s, %s)"
        connection.execute(profile, [reader, f"reader-{reader}", google])
    return reader


def lift_limits(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            "update enrichment.providers set rate_per_second = 1000, burst_size = 1000, tokens = 1000"
        )


def show(result: dict[str, Any], calls: Counter[str], stats: Stats) -> None:
    books = result["books"]
    with_isbn = round(books * WITH_ISBN)
    table = Table("call", "calls", "asked one by one", title=f"Calls for an import of {books:,} books")
    for column in table.columns[1:]:
        column.justify = "right"
    table.add_row("Open Library: ISBNs, 25 at a time", str(calls["ISBNs"]), f"{2 * with_isbn:,}")
    table.add_row("Open Library: second look at ISBNs not shown", str(calls["second look"]), "")
    table.add_row(
        "Open Library: title and author", str(calls["title and author"]), f"{2 * (books - with_isbn):,}"
    )
    table.add_row("Open Library: covers (hot-linked)", str(calls["cover"]), "")
    table.add_row("Google Books", str(result["google_books"]["calls"]), f"{2 * books:,}")
    table.add_row("a second reader imports the same file", str(result["second_run_calls"]), "")
    out = Console()
    out.print(table)
    ended = {state: rows for state, rows in stats.applied.items() if state != "pending"}
    out.print(f"Covers filled: {stats.covers}; rows by their end: {ended}; {stats.seconds:.0f} s.")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--books", type=int, default=1000)
    parser.add_argument("--google", action="store_true", help="with a key for Google Books")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    refuse_foreign_project("the measurement")
    stack = Stack("test", durable=False)
    stack.up(migrated=False, rest=False)
    try:
        url = stack.create_database(DATABASE, template=stack.migrated_template())
        try:
            with tempfile.TemporaryDirectory() as folder:
                measured = asyncio.run(
                    measure(url, made_up_books(options.books), Path(folder), options.google)
                )
        finally:
            stack.drop_database(DATABASE)
    except (PlatformError, psycopg.Error) as error:
        sys.exit(str(error))
    finally:
        stack.down_if_unused()
    show(*measured)
    if options.json:
        options.json.write_text(json.dumps(measured[0], indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
