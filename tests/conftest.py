"""What tests stand on: a Postgres cluster of their own with real pg_cron and real PostgREST, never a mock.

One pytest run works in one clone of a migrated database, emptied before each test that asks for it; runs
side by side get different clones. Nothing here touches the person's own stack, and a project in the
environment is refused.
"""

import dataclasses
import itertools
import os
import socket
import time
import typing
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from datetime import timedelta
from functools import cache
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from book_enrichment.database.decoding import Record
from host_app import HostApp
from packages import LOCAL, PlatformError
from stack import Stack, refuse_foreign_project

Connect = Callable[..., Awaitable[psycopg.AsyncConnection[dict[str, Any]]]]
CreateReader = Callable[[str], tuple[uuid.UUID, str]]
Setting = Callable[[psycopg.AsyncConnection[dict[str, Any]], str], Awaitable[int]]
GrowStale = Callable[[psycopg.AsyncConnection[dict[str, Any]]], Awaitable[None]]

# Schemas whose tables are emptied between tests: ours, and the stand-ins our SQL writes to.
EMPTIED = ["public", "enrichment", "auth", "storage", "realtime", "vault", "net"]
PROJECT_VARIABLES = ("SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_ANON_KEY", "DATABASE_URL")


def pytest_sessionstart() -> None:
    """Refuses to run against anything but databases made here."""
    try:
        refuse_foreign_project("the tests")
    except PlatformError as error:
        pytest.exit(str(error), returncode=2)
    for variable in PROJECT_VARIABLES:
        os.environ.pop(variable, None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits for pg_cron's minute begins first: the other process works meanwhile."""
    items.sort(key=lambda item: item.path.name != "test_pg_cron.py")


@pytest.fixture(scope="session", autouse=True)
def no_null_where_a_shape_has_none() -> Iterator[None]:
    """Every record that a test reads in this process holds null only where its type says so."""
    with pytest.MonkeyPatch.context() as patch:
        read = Record.from_row.__func__  # type: ignore[attr-defined]

        def from_row(record: type[Record], row: Mapping[str, Any]) -> Record:
            filled = read(record, row)
            nulls = [name for name in _never_null(record) if getattr(filled, name) is None]
            assert not nulls, f"{record.__name__} holds null: {', '.join(nulls)}"
            return filled

        patch.setattr(Record, "from_row", classmethod(from_row))
        yield


@cache
def _never_null(record: type[Record]) -> list[str]:
    hints = typing.get_type_hints(record)
    fields = (field.name for field in dataclasses.fields(record))
    return [name for name in fields if type(None) not in typing.get_args(hints[name])]


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The cluster of the tests, running. Its databases come from `stack.create_database`."""
    stack = Stack("test", durable=False)
    stack.up(migrated=False, rest=False)
    _remove_left_overs(stack)
    yield stack
    stack.down_if_unused()


@pytest.fixture(scope="session")
def database(stack: Stack) -> Iterator[str]:
    """The name of this run's database: all migrations applied, without pg_cron (see `cron_database`)."""
    name = f"pytest_{os.getpid()}"
    stack.create_database(name, template=stack.migrated_template())
    with stack.cluster.superuser(name) as connection:
        _remember_rows(connection)
    yield name
    stack.drop_database(name)


@pytest.fixture(scope="session")
def empty(stack: Stack, database: str) -> Callable[[], None]:
    """`empty()` takes out of this run's database what tests have left; for fixtures that live longer than a
    test."""

    def empty() -> None:
        with stack.cluster.superuser(database) as connection:
            _restore_rows(connection)

    return empty


class Clock:
    """The time of claims, as workers see it: as it is, and `seconds` later."""

    seconds = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """`clock.seconds += 25`: for every claim that a worker of this process holds, 25 s have passed."""
    clock = Clock()
    monkeypatch.setattr("book_enrichment.work.leases.time", clock)
    return clock


@pytest.fixture
def free_port() -> Iterator[int]:
    """A port where nobody listens yet, and that nobody else is given."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # for who listens there in the end
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


@pytest.fixture
def database_url(stack: Stack, database: str, empty: Callable[[], None]) -> str:
    """The address of this run's database for role postgres, emptied for this test."""
    empty()
    return stack.database_url(database)


@pytest.fixture(scope="session")
def open_rest(stack: Stack, database: str) -> str:
    """The REST address of this run's database, without emptying it."""
    return stack.rest(database).url


@pytest.fixture
def supabase_url(database_url: str, open_rest: str) -> str:
    """What goes into SUPABASE_URL; the database behind it is emptied for this test."""
    return open_rest


@pytest.fixture
async def connect(database_url: str) -> AsyncIterator[Connect]:
    """`await connect()` connects as role postgres: autocommit, rows as dicts; closed after the test."""
    opened: list[psycopg.AsyncConnection[dict[str, Any]]] = []

    async def connect(url: str = database_url, **options: Any) -> psycopg.AsyncConnection[dict[str, Any]]:
        options = {"autocommit": True, "row_factory": dict_row, **options}
        opened.append(await psycopg.AsyncConnection.connect(url, **options))
        return opened[-1]

    yield connect
    for connection in opened:
        await connection.close()


@pytest.fixture
def setting() -> Setting:
    """`await setting(connection, "max_attempts")`: a number of the settings, so that no test repeats one."""

    async def setting(connection: psycopg.AsyncConnection[dict[str, Any]], name: str) -> int:
        query = sql.SQL("select {}::integer as value from enrichment.settings").format(sql.Identifier(name))
        [row] = await (await connection.execute(query)).fetchall()
        return int(row["value"])

    return setting


@pytest.fixture
def grow_stale(setting: Setting) -> GrowStale:
    """`await grow_stale(connection)`: every claim has been held longer than it may be, as after a crash."""

    async def grow_stale(connection: psycopg.AsyncConnection[dict[str, Any]]) -> None:
        age = timedelta(seconds=await setting(connection, "stale_after_seconds") + 1)
        for queue in ("public.enrichment_queue", "enrichment.cover_queue"):
            update = f"update {queue} set started_at = now() - %s where status = 'in_progress'"
            await connection.execute(update, [age])

    return grow_stale


@pytest.fixture
def anon_key(stack: Stack) -> str:
    """The public API key."""
    return stack.anon_key


@pytest.fixture
def service_key(stack: Stack) -> str:
    """The API key of the server side."""
    return stack.service_key


@pytest.fixture
def jwt_secret(stack: Stack) -> str:
    """What JWTs are signed with; `stack.token(role, sub)` signs one."""
    return stack.secrets.jwt_secret


@pytest.fixture
def create_reader(stack: Stack, database_url: str) -> CreateReader:
    """`create_reader("ada")` makes a reader and answers her id and a JWT that is good for years."""

    def create_reader(handle: str, url: str = database_url) -> tuple[uuid.UUID, str]:
        reader = uuid.uuid4()
        with psycopg.connect(url) as connection:
            email = f"{handle}@example.org"
            connection.execute("insert into auth.users (id, email) values (%s, %s)", (reader, email))
            connection.execute("insert into public.users (id, handle) values (%s, %s)", (reader, handle))
        return reader, stack.token("authenticated", str(reader))

    return create_reader


@pytest.fixture(scope="module")
def make_host(stack: Stack) -> Iterator[Callable[..., HostApp]]:
    """`make_host(default_grants=False, newest=True)`: a book app's database, not yet ours; `bare`: an empty
    project."""
    numbers = itertools.count()
    hosts: list[str] = []

    def make_host(default_grants: bool = True, newest: bool = True, bare: bool = False) -> HostApp:
        hosts.append(f"pytest_{os.getpid()}_host{next(numbers)}")
        return HostApp.create(stack, hosts[-1], default_grants, newest, bare)

    yield make_host
    for name in hosts:
        stack.drop_database(name)


@pytest.fixture(scope="session")
def cron_stack() -> Iterator[Stack]:
    """A cluster whose database `postgres` has the migrations and pg_cron; the jobs run every minute."""
    stack = Stack(f"cron-{os.getpid()}", durable=False)
    stack.up(rest=False)
    with stack.cluster.superuser() as connection:
        _remember_rows(connection)
    yield stack
    stack.remove()


@pytest.fixture
def cron_database_url(cron_stack: Stack) -> str:
    """The address of the database with pg_cron for role postgres, emptied for this test; its jobs stay."""
    with cron_stack.cluster.superuser() as connection:
        _restore_rows(connection)
    return cron_stack.database_url()


@pytest.fixture(scope="module")
def crash_stack() -> Iterator[Stack]:
    """A cluster to be killed: `stop_immediate()`, then `start()`; otherwise like `cron_stack`."""
    stack = Stack(f"crash-{os.getpid()}", durable=False)
    stack.up(rest=False)
    yield stack
    stack.remove()


def _remember_rows(connection: psycopg.Connection[Any]) -> None:
    """Copies what the migrations put into tables, so that each test can begin with it."""
    connection.execute("create schema remembered")
    for schema, table in _tables(connection):
        source, copy = sql.Identifier(schema, table), sql.Identifier("remembered", f"{schema}.{table}")
        has_rows = connection.execute(sql.SQL("select exists (select from {})").format(source)).fetchone()
        if has_rows == (True,):
            connection.execute(sql.SQL("create table {} as select * from {}").format(copy, source))


def _restore_rows(connection: psycopg.Connection[Any]) -> None:
    """Empties every table and puts back what the migrations had put there, past triggers and keys."""
    with connection.transaction():
        connection.execute("set local session_replication_role = replica")
        tables = _tables(connection)
        if tables:
            names = sql.SQL(", ").join(sql.Identifier(*table) for table in tables)
            connection.execute(sql.SQL("truncate {} cascade").format(names))
        copies = connection.execute(
            "select tablename from pg_tables where schemaname = 'remembered'"
        ).fetchall()
        for (copy,) in copies:
            schema, table = copy.split(".")
            columns = connection.execute(
                """
                select attname from pg_attribute
                where attrelid = format('%%I.%%I', %s::text, %s::text)::regclass
                  and attnum > 0 and not attisdropped and attgenerated = ''
                """,
                (schema, table),
            ).fetchall()
            names = sql.SQL(", ").join(sql.Identifier(column) for (column,) in columns)
            insert = sql.SQL("insert into {} ({}) overriding system value select {} from {}")
            connection.execute(
                insert.format(sql.Identifier(schema, table), names, names, sql.Identifier("remembered", copy))
            )


def _tables(connection: psycopg.Connection[Any]) -> list[tuple[str, str]]:
    rows = connection.execute(
        "select schemaname, tablename from pg_tables where schemaname = any(%s) order by 1, 2", (EMPTIED,)
    )
    return [(schema, table) for schema, table in rows]


def _remove_left_overs(stack: Stack) -> None:
    """Removes databases and clusters of runs that were killed: `pytest_<pid>…`, `crash-<pid>` …"""
    with stack.cluster.superuser("template1") as connection:
        rows = connection.execute(
            r"select datname from pg_database where datname like 'pytest\_%'"
        ).fetchall()
    for (name,) in rows:
        if not _is_alive(name.split("_")[1]):
            stack.drop_database(name)
    for folder in LOCAL.glob("*-*/"):
        kind, _, pid = folder.name.partition("-")
        if kind in ("crash", "cron", "throwaway") and not _is_alive(pid):
            Stack(folder.name).remove()


def _is_alive(pid: str) -> bool:
    return pid.isdecimal() and os.path.exists(f"/proc/{pid}")
