"""The command line, through each transport, in an environment that holds nothing else of ours."""

import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from typer.testing import CliRunner, Result

from book_enrichment.cli import app
from stack import Stack

HEADER = "Book Id,Title,Author,Additional Authors,ISBN,ISBN13,My Rating,Publisher,Binding,Number of Pages,"
HEADER += "Year Published,Original Publication Year,Date Added,Bookshelves,Exclusive Shelf"
GATSBY = '1,The Great Gatsby,F. Scott Fitzgerald,,="0743273567",="9780743273565",5,Scribner,Paperback,'
GATSBY += "180,2004,1925,,,read"
DUNE = '2,"Dune (Dune, #1)",Frank Herbert,,="",="",0,Ace,Paperback,,,1965,,,to-read'
UNTITLED = '3,,Nobody,,="",="",0,,,,,,,,read'

PROGRAM = [sys.executable, "-c", "from book_enrichment.cli import app; app()"]

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of ours, and a folder without a .env file."""
    monkeypatch.chdir(tmp_path)
    for variable in list(os.environ):
        if variable.startswith(("ENRICHMENT_", "SUPABASE_", "DATABASE_URL", "GOOGLE_BOOKS")):
            monkeypatch.delenv(variable)


@pytest.fixture
def invoke() -> Run:
    """`invoke("status", "--json")` in this process."""
    return lambda *arguments, **options: CliRunner().invoke(
        app, [str(argument) for argument in arguments], **options
    )


@pytest.fixture
def direct(monkeypatch: pytest.MonkeyPatch, database_url: str, invoke: Run) -> Run:
    """`direct("status")` straight into Postgres."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    return invoke


@pytest.fixture
def by_http(monkeypatch: pytest.MonkeyPatch, supabase_url: str, service_key: str, invoke: Run) -> Run:
    """`by_http("status")` through PostgREST."""
    monkeypatch.setenv("SUPABASE_URL", supabase_url)
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", service_key)
    return invoke


@pytest.fixture(params=["direct", "by_http"])
def run(request: pytest.FixtureRequest) -> Run:
    """`run("status", "--json")` through one transport, then through the other."""
    run: Run = request.getfixturevalue(request.param)
    return run


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """Three rows, one of which cannot be imported."""
    file = tmp_path / "goodreads_library_export.csv"
    file.write_text("\n".join([HEADER, GATSBY, DUNE, UNTITLED]) + "\n", encoding="utf-8")
    return file


@pytest.fixture
def program() -> Callable[..., subprocess.CompletedProcess[str]]:
    """`program("status", NO_COLOR="1")` as a process of its own; the variables lie over this environment."""

    def program(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [*PROGRAM, *(str(argument) for argument in arguments)]
        environment = {**os.environ, **variables}
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=60
        )

    return program


@dataclass(frozen=True)
class InReview:
    """A row in review and its work."""

    queue_id: uuid.UUID
    work_id: uuid.UUID


@pytest.fixture
def books(database_url: str) -> Iterator["Books"]:
    """Books in the state a test begins with."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield Books(connection)


class Books:
    """Makes books as an import and a sweep or a worker would have left them."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection

    def configure(self, **changes: Any) -> None:
        """Settings of the database."""
        self.connection.execute("select public.configure_enrichment(%s)", [Jsonb(changes)])

    def add(
        self, title: str, author: str, isbn: str | None = None, reader: uuid.UUID | None = None
    ) -> uuid.UUID:
        """A book that lacks everything, on a reader's shelf if one is named."""
        work = self._one("insert into public.works (title) values (%s) returning id", title)
        edition = self._one(
            "insert into public.editions (work_id, isbn13) values (%s, %s) returning id", work, isbn
        )
        writer = self._one("insert into public.authors (name) values (%s) returning id", author)
        self.connection.execute(
            "insert into public.work_authors (work_id, author_id) values (%s, %s)", [work, writer]
        )
        if reader:
            self.connection.execute(
                "insert into public.library_items"
                " (user_id, work_id, preferred_edition_id, status, visibility)"
                " values (%s, %s, %s, 'to_read', 'private')",
                [reader, work, edition],
            )
        return work

    def bring_to_review(
        self,
        title: str = "The Hunger Games",
        author: str = "Suzanne Collins",
        isbn: str = "9780439023481",
        reader: uuid.UUID | None = None,
        **values: Any,
    ) -> InReview:
        """Found by its ISBN: the cover is written, five fields are proposed."""
        work = self.add(title, author, isbn, reader)
        row = self.enqueue(work, reader)
        edition = {"key": "/books/OL1M", "title": title, "isbn": [isbn], "publisher": ["Scholastic Press"]}
        edition |= {"publish_date": ["2008-09-14"], "language": ["eng"]}
        self.store("isbn", isbn, document(title, author, editions={"docs": [edition]}, **values))
        self.connection.execute("select count(*) from public.sweep_enrichment()")
        assert self.state(row) == "needs_review"
        return InReview(row, work)

    def bring_rivals_to_review(self, reader: uuid.UUID | None = None) -> InReview:
        """Two books of one author fit equally well: nothing is written before a person chooses."""
        work = self.add("The Long Walk", "Anna Berg", None, reader)
        row = self.enqueue(work, reader)
        lapland = {"key": "/works/OL1W", "cover_i": 1, "first_publish_year": 1990}
        andes = {"key": "/works/OL2W", "cover_i": 2, "first_publish_year": 2004}
        key = self._one("select enrichment.lookup_key('long walk', 'Anna Berg')")
        self.store(
            "title",
            key,
            document("The Long Walk: A Winter in Lapland", "Anna Berg", **lapland),
            document("The Long Walk: Across the Andes", "Anna Berg", **andes),
        )
        self.connection.execute("select count(*) from public.sweep_enrichment()")
        assert self.state(row) == "needs_review"
        return InReview(row, work)

    def enqueue(self, work: uuid.UUID, reader: uuid.UUID | None = None) -> uuid.UUID:
        """In line; the queue row."""
        return self._one(
            "select queue_id from public.enqueue_enrichment(array[%s]::uuid[], 'manual_bulk', %s)",
            work,
            reader,
        )

    def store(self, kind: str, key: str, *documents: dict[str, Any]) -> None:
        """A reply of Open Library's, as a worker stores it."""
        self.connection.execute(
            "insert into public.source_records (provider, entity_type, provider_id, raw)"
            " values ('openlibrary', %s, %s, %s)",
            [f"{kind}_lookup", key, Jsonb({"docs": list(documents)})],
        )

    def state(self, queue_id: uuid.UUID) -> str:
        """Of a queue row."""
        state: str = self._one("select status::text from public.enrichment_queue where id = %s", queue_id)
        return state

    def work(self, work_id: uuid.UUID) -> dict[str, Any]:
        """A work and its edition, in one."""
        cursor = self.connection.cursor(row_factory=dict_row)
        row = cursor.execute(
            "select w.*, e.publisher, e.publish_date, e.language from public.works as w"
            " join public.editions as e on e.work_id = w.id where w.id = %s",
            [work_id],
        ).fetchone()
        assert row is not None
        return row

    def _one(self, statement: str, *values: Any) -> Any:
        row = self.connection.execute(statement, values).fetchone()
        assert row is not None
        return row[0]


def document(title: str, author: str, **values: Any) -> dict[str, Any]:
    """One document of Open Library's search."""
    common = {"key": "/works/OL5735363W", "title": title, "author_name": [author], "cover_i": 12646537}
    return common | {"first_publish_year": 2008} | values


@contextmanager
def unreachable(stack: Stack, database: str) -> Iterator[None]:
    """A database that ends its connections and takes no new ones, while the block runs."""
    with stack.cluster.superuser("template1") as connection:
        connection.execute(f"alter database {database} allow_connections false")
        end = "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s"
        connection.execute(end, [database])
        try:
            yield
        finally:
            connection.execute(f"alter database {database} allow_connections true")


class Terminal:
    """The program at a terminal of its own: what it prints is waited for, keys are pressed."""

    def __init__(self, *arguments: object, **variables: str) -> None:
        self.controller, terminal = os.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 160, 0, 0))
        self.process = subprocess.Popen(
            [*PROGRAM, *(str(argument) for argument in arguments)],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env={**os.environ, "TERM": "xterm-256color", **variables},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(terminal)
        self.text = ""
        self._read = 0

    def expect(self, words: str, seconds: float = 40) -> str:
        """Wait until these words are on the screen, behind those waited for before; what came up to them."""
        ends = time.monotonic() + seconds
        while words not in self.text[self._read :]:
            left = ends - time.monotonic()
            assert left > 0, f"{words!r} did not come: {self.text[self._read :]!r}"
            if not self._more(left):
                raise AssertionError(f"the program ended before {words!r}: {self.text[self._read :]!r}")
        start, self._read = self._read, self.text.index(words, self._read) + len(words)
        return self.text[start : self._read]

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self.controller, keys.encode())

    def ends(self, seconds: float = 20) -> int:
        """The exit code, once there is one."""
        while self._more(seconds):
            pass
        return self.process.wait(seconds)

    def close(self) -> None:
        """Not left running, whatever happened."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.controller)

    def _more(self, seconds: float) -> bool:
        ready, _, _ = select.select([self.controller], [], [], seconds)
        if not ready:
            return False
        try:
            read = os.read(self.controller, 65536).decode(errors="replace")
        except OSError:  # the other end is closed
            return False
        self.text += re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b\][^\x1b\x07]*(\x1b\\|\x07)|\r", "", read)
        return bool(read)


@pytest.fixture
def away(stack: Stack) -> Callable[[str], AbstractContextManager[None]]:
    """`with away(database):` nobody can reach it."""
    return lambda database: unreachable(stack, database)


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    """`terminal("review")` starts the program at a terminal of 160 columns."""
    opened: list[Terminal] = []

    def terminal(*arguments: object, **variables: str) -> Terminal:
        opened.append(Terminal(*arguments, **variables))
        return opened[-1]

    yield terminal
    for each in opened:
        each.close()
