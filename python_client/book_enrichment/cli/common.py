"""What every command shares: the app, two consoles, the way to the database, errors as exit codes."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, NoReturn, TypeVar
from uuid import UUID

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from book_enrichment import __version__
from book_enrichment.database import Database, NotConfigured, PostgresTransport, open_database
from book_enrichment.database.decoding import Record
from book_enrichment.errors import DatabaseUnavailable, EnrichmentError, NotFound
from book_enrichment.handshake import MISSING_VERB
from book_enrichment.settings import Settings

T = TypeVar("T")

UNHEALTHY, BAD_USAGE, UNREACHABLE, REFUSED = 1, 2, 3, 4

# The panels of --help.
BOOKS, DECIDING, LOOKING, OPERATING = "Books", "Review", "Looking", "Operating"

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # they would show keys
    rich_markup_mode="rich",
    help="Fill the missing covers and metadata of a book library on Supabase.",
    epilog="Set DATABASE_URL, or SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY; and ENRICHMENT_CONTACT. "
    "Does something not work? book-enrichment doctor says what to do.",
)
out = Console()
err = Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]
ForReader = Annotated[
    str | None,
    typer.Option(
        "--user",
        help="Act as this reader (id or handle); needs DATABASE_URL. Otherwise the service role acts.",
    ),
]


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


@asynccontextmanager
async def configured_database() -> AsyncIterator[Database]:
    """The database of the environment, the flags that the environment sets written to it first."""
    settings = read_settings()
    async with open_database(settings) as database:
        if flags := settings.flags():
            await database.configure_enrichment(flags)
        yield database


@asynccontextmanager
async def acting_database(user: str | None = None) -> AsyncIterator[Database]:
    """The database of the environment as it is; as the reader sees it where one is named."""
    async with open_database(read_settings()) as database:
        if user is None:
            yield database
        elif isinstance(database.transport, PostgresTransport):
            yield Database(database.transport.as_reader({"sub": await find_reader(database, user)}))
        else:
            raise NotConfigured(
                "SUPABASE_SERVICE_ROLE_KEY acts as the service role, not as a reader",
                hint="set DATABASE_URL to use --user, or leave --user out and let the service role act",
            )


async def find_reader(database: Database, user: str) -> UUID:
    """The id of a reader who is named by id or handle; an id is taken on trust."""
    try:
        return UUID(user)
    except ValueError:
        reader = await database.transport.user_id(user)
    if reader is None:
        raise NotFound(f"no reader has the handle {user}", hint="give a handle of public.users, or the id")
    return reader


def read_settings() -> Settings:
    """The environment; a wrong variable ends the program, and its value is not shown."""
    try:
        return Settings()
    except ValidationError as error:
        give_up(BAD_USAGE, wrong_variables(error), "correct these environment variables")


def wrong_variables(error: ValidationError) -> str:
    """Which variables cannot be understood and why, without their values: one might be a misplaced key."""
    return "; ".join(f"{each['loc'][0]}: {each['msg']}" for each in error.errors(include_input=False))


def finish(work: Coroutine[Any, Any, T]) -> T:
    """Run it, and turn what goes wrong into a sentence and an exit code."""
    try:
        return asyncio.run(work)
    except NotConfigured as error:
        give_up(BAD_USAGE, error.message, error.hint)
    except DatabaseUnavailable as error:
        give_up(UNREACHABLE, error.message, error.hint)
    except EnrichmentError as error:
        # Postgres' own advice about a missing function would be to cast something.
        hint = "book-enrichment doctor says what is missing" if error.code in MISSING_VERB else error.hint
        give_up(REFUSED, error.message, hint)


def give_up(code: int, message: str, hint: str | None = None) -> NoReturn:
    """End with an error line, a hint and an exit code."""
    err.print(f"error: {message}", style="red", markup=False, highlight=False)
    if hint:
        err.print(f"hint: {hint}", markup=False, highlight=False)
    raise typer.Exit(code)


def progress_bar() -> Progress:
    """A bar on stderr that goes when it is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=err, transient=True)


def counts_table(what: str, unit: str, counts: Counter[str]) -> Table:
    """How often each word came, the most frequent first."""
    table = Table(what, unit)
    table.columns[1].justify = "right"
    for name, count in counts.most_common():
        table.add_row(spelled(name), str(count))
    return table


def spelled(name: str | None) -> str:
    """`needs_review` as people read it."""
    return (name or "").replace("_", " ")


def plain(text: object) -> str:
    """A text from outside on one line, without characters that a terminal would obey."""
    return "".join(letter if letter.isprintable() else " " for letter in str(text))


def print_json(value: Any) -> None:
    """Without rich, which would wrap it."""
    print(json.dumps(value, default=_json_ready, ensure_ascii=False))


def as_dicts(records: Iterable[Record]) -> list[dict[str, Any]]:
    """Records as JSON objects, a key per column."""
    return [dataclasses.asdict(record) for record in records]


def _json_ready(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def from_now(moment: datetime | None) -> str:
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
