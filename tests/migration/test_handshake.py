"""Package and database say whether they fit, before anything fails in the middle."""

import logging
from collections.abc import Callable
from contextlib import asynccontextmanager

import pytest

from book_enrichment.api.problems import problem_of
from book_enrichment.database import open_database
from book_enrichment.errors import MIGRATE, VersionMismatch
from book_enrichment.handshake import needed_version, refuse_mismatch
from book_enrichment.migrate import migrate, released_steps
from book_enrichment.settings import Settings
from book_enrichment.work import Worker, running
from host_app import HostApp

HEAD = needed_version()
LATER = """
insert into enrichment.schema_versions (version, name, checksum, works_with)
values (%s, '20990101000000_later', 'x', %s)
"""


@pytest.fixture
def host(make_host: Callable[..., HostApp]) -> HostApp:
    """A host's database, not yet ours."""
    return make_host()


@asynccontextmanager
async def database_of(host: HostApp):
    async with open_database(Settings(database_url=host.url)) as database:
        yield database


def be_later(host: HostApp, works_with: int) -> None:
    """The database has seen a step more than this package knows."""
    with host.connect() as connection:
        connection.execute(LATER, [HEAD + 1, works_with])


async def test_what_fits_says_what_it_is(host) -> None:
    """The version and the last step."""
    host.install()
    async with database_of(host) as database:
        installed = await refuse_mismatch(database)
    assert (installed.version, installed.name) == (HEAD, released_steps()[-1].name)


async def test_a_database_without_us_is_told(host) -> None:
    """The message says what this package needs, the hint how to get it."""
    async with database_of(host) as database:
        with pytest.raises(VersionMismatch, match=f"this package needs {HEAD}") as error:
            await refuse_mismatch(database)
    assert "book-enrichment migrate" in str(error.value.hint)


async def test_an_older_database_is_told(host) -> None:
    """By its number where it can say one."""
    host.install()
    with host.connect() as connection:
        connection.execute("delete from enrichment.schema_versions where version = %s", [HEAD])
    async with database_of(host) as database:
        with pytest.raises(
            VersionMismatch, match=f"the database is at {HEAD - 1}, this package needs {HEAD}"
        ):
            await refuse_mismatch(database)


async def test_a_call_that_an_older_database_answers_is_told_like_that(host) -> None:
    """The API says 503 and what to do, as /health does."""
    migrate(host.url, steps=released_steps()[:2])
    with host.connect() as connection:
        (work,) = (
            connection.execute("insert into works (title) values ('Dune') returning id").fetchone().values()
        )
        connection.execute("select enqueue_enrichment(array[%s::uuid], 'manual_bulk')", [work])
    async with database_of(host) as database:
        with pytest.raises(VersionMismatch, match="older than this package: it has no is_undoable") as error:
            await database.list_enrichment()
    problem = problem_of(error.value)
    assert (problem.status_code, problem.hint) == (503, MIGRATE)


async def test_a_newer_database_that_still_works_is_worked_with(host) -> None:
    """An older worker beside a newer database goes on where it can."""
    host.install()
    be_later(host, works_with=HEAD)
    async with database_of(host) as database:
        assert (await refuse_mismatch(database)).version == HEAD + 1


async def test_a_newer_database_that_does_not_stops_it_with_a_word(host) -> None:
    """And the word says which of the two to upgrade."""
    host.install()
    be_later(host, works_with=HEAD + 1)
    async with database_of(host) as database:
        with pytest.raises(VersionMismatch, match=f"works with packages from {HEAD + 1} on") as error:
            await refuse_mismatch(database)
        assert "pip install --upgrade" in str(error.value.hint)
        with pytest.raises(VersionMismatch):
            await Worker(database, [], Settings()).drain()


async def test_a_worker_waits_for_the_upgrade_and_goes_on(host, caplog, ada_asks) -> None:
    """Started before the database was brought up, it says so, and works once it is."""
    migrate(host.url, steps=released_steps()[: HEAD - 1])
    async with database_of(host) as database:
        worker = Worker(database, [], Settings())
        with caplog.at_level(logging.WARNING, "book_enrichment.work"):
            async with running(worker):
                while "run book-enrichment migrate" not in caplog.text:
                    await worker.rest(0.05)
                assert worker.stats.swept == 0
                migrate(host.url)
                ada_asks(host)
                while not worker.stats.swept:
                    worker.wake()
                    await worker.rest(0.05)


@pytest.fixture
def ada_asks() -> Callable[[HostApp], None]:
    """A reader asks for a book that a stored reply answers."""

    def ada_asks(host: HostApp) -> None:
        from host_app import ADA

        host.call("configure_enrichment", changes={"contact": "tests@example.org"})
        host.call("trigger_missing_enrichment", role="authenticated", reader=ADA)

    return ada_asks
