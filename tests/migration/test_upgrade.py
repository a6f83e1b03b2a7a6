"""Whoever installed any release follows to this one, and what people decided still stands."""

import asyncio
import logging
import threading
from collections.abc import Iterator

import psycopg
import pytest

import release_0
from book_enrichment.database import open_database
from book_enrichment.migrate import MigrationError, migrate, plan, released_steps
from book_enrichment.migrate.release_0 import OlderThanRelease0, columns
from book_enrichment.migrate.steps import BASELINE, Step, checksum
from book_enrichment.settings import Settings
from book_enrichment.work import Worker
from catalogue import catalogue, differences
from decisions import PROMISES
from filling import Filled, fill
from host_app import HostApp
from snapshots import assert_rows_are_kept, snapshot

HEAD = len(released_steps())
HISTORY = "select version || '_' || name as name from supabase_migrations.schema_migrations order by 1"
HOSTS_OWN = [("20260207180404", "baseline", ["select 1"]), ("20260601120000", "younger", ["select 2"])]


def install_version(host: HostApp, version: int) -> None:
    """Brings a host's database to an earlier version, as the package of then did."""
    if version == 0:
        release_0.install(host.url)
    else:
        migrate(host.url, steps=released_steps()[:version])


@pytest.fixture(scope="module", params=range(HEAD), ids=lambda version: f"from {version}")
def upgraded(request: pytest.FixtureRequest, make_host) -> tuple[HostApp, Filled]:
    """A host's database that was filled at an earlier version, and is at the head now. A worker of this
    package was waiting meanwhile."""
    host = make_host()
    install_version(host, request.param)
    filled = fill(host)
    with waiting_worker(host) as told:
        migrate(host.url)
    assert any("run book-enrichment migrate" in sentence for sentence in told)
    return host, filled


class waiting_worker:
    """A worker of this package, without providers, that found the database before its upgrade; what it
    said. It ends when the block does: by then it has seen that it had to wait."""

    def __init__(self, host: HostApp) -> None:
        self.host = host
        self.told: list[str] = []
        self.said = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self.work()))

    async def work(self) -> None:
        async with open_database(Settings(database_url=self.host.url)) as database:
            self.worker = Worker(database, [], Settings())
            self.loop = asyncio.get_running_loop()
            await self.worker.run()

    def __enter__(self) -> list[str]:
        self.handler = logging.Handler()
        self.handler.emit = self.hear
        logging.getLogger("book_enrichment.work").addHandler(self.handler)
        self.thread.start()
        assert self.said.wait(30)
        return self.told

    def hear(self, record: logging.LogRecord) -> None:
        self.told.append(record.getMessage())
        self.said.set()

    def __exit__(self, *_: object) -> None:
        logging.getLogger("book_enrichment.work").removeHandler(self.handler)
        self.loop.call_soon_threadsafe(self.worker.stop)
        self.thread.join(30)


def test_every_row_is_kept(upgraded) -> None:
    """Queue, log, locks, rejections, imports, covers, settings: each value as it was."""
    host, filled = upgraded
    assert_rows_are_kept(filled.rows, snapshot(host))


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_what_was_decided_stands(upgraded, promise) -> None:
    """Undo restores, locks lock, dismissed stays dismissed, a proposal can be approved, and all the rest."""
    host, filled = upgraded
    with host.rehearsal() as rehearsed:
        promise(rehearsed, filled)


def test_it_is_what_a_new_installation_is(upgraded, stack, make_host) -> None:
    """The catalogue, but for what the release of then had made itself."""
    new = make_host()
    new.install()
    there, here = (catalogue(stack.superuser_url(host.name)) for host in (upgraded[0], new))
    assert differences(there, here) == []


def test_a_second_time_changes_nothing(upgraded) -> None:
    """And says that there is nothing to do."""
    host, _ = upgraded
    before = snapshot(host), host.query("select * from enrichment.schema_versions order by version")
    assert plan(host.url) == migrate(host.url) == []
    assert before == (snapshot(host), host.query("select * from enrichment.schema_versions order by version"))


# Release 0 and the histories it may have left


@pytest.fixture(scope="module")
def old(make_host) -> HostApp:
    """A host's database with release 0, to be copied."""
    host = make_host()
    release_0.install(host.url)
    return host


@pytest.fixture
def old_host(old) -> Iterator[HostApp]:
    """A copy of it for this test alone."""
    host = old.copy(f"{old.name}_old")
    yield host
    old.stack.drop_database(host.name)


@pytest.mark.parametrize("history", release_0.HISTORIES)
def test_its_rows_go_from_the_hosts_history_and_no_other(old_host, history) -> None:
    """However it was applied; the host's own migrations stay, whether older or younger than ours."""
    with old_host.connect() as connection:
        release_0.write_history(connection, history)
        if history != "none":
            connection.cursor().executemany(
                "insert into supabase_migrations.schema_migrations (version, name, statements)"
                " values (%s, %s, %s)",
                HOSTS_OWN,
            )
    said: list[str] = []
    assert plan(old_host.url)[0] == "take over the installation of before version 1, with all it holds"
    assert migrate(old_host.url, said.append) == [step.name for step in released_steps()]
    if history == "none":
        assert old_host.query("select to_regnamespace('supabase_migrations') as id") == [{"id": None}]
        assert not any("history" in sentence for sentence in said)
    else:
        assert [row["name"] for row in old_host.query(HISTORY)] == [f"{v}_{n}" for v, n, _ in HOSTS_OWN]
        assert any("Took our 22 rows out of the project's own migration history" in each for each in said)


def test_a_host_migration_of_the_same_time_stays(old_host) -> None:
    """A version is no proof that a row of the history is ours; its name is looked at, too."""
    with old_host.connect() as connection:
        release_0.write_history(connection, "none")
        connection.execute(release_0.HISTORY)
        connection.execute(
            "insert into supabase_migrations.schema_migrations (version, name)"
            " values ('20260220120000', 'ours')"
        )
    migrate(old_host.url)
    assert old_host.query(HISTORY) == [{"name": "20260220120000_ours"}]


def test_a_function_changed_by_hand_is_as_released_and_named(old_host) -> None:
    """Later steps count on the functions they were written beside."""
    with old_host.connect() as connection:
        connection.execute(
            "create or replace function enrichment.fold_text(value text) returns text language sql immutable "
            "parallel safe set search_path = '' as 'select lower(value)';"
            "drop function enrichment.isbn10_of(text)"
        )
    said: list[str] = []
    migrate(old_host.url, said.append)
    assert any("enrichment.fold_text, enrichment.isbn10_of" in sentence for sentence in said)
    assert old_host.query("select enrichment.fold_text('É') as folded") == [{"folded": "e"}]


def test_an_older_state_is_refused_with_what_it_lacks(old_host) -> None:
    """Nothing is changed by trying, and there is a way to go on."""
    with old_host.connect() as connection:
        connection.execute("alter table public.enrichment_audit_log drop column actor")
    schema = old_host.schema()
    with pytest.raises(OlderThanRelease0, match=r"public\.enrichment_audit_log\.actor") as error:
        migrate(old_host.url)
    assert "--keep-data" in str(error.value.hint)
    with pytest.raises(OlderThanRelease0):
        plan(old_host.url)
    assert old_host.schema() == schema
    old_host.uninstall(keep_data=True)
    assert old_host.install() == [step.name for step in released_steps()]


def test_the_columns_it_looks_for_are_those_of_release_0(old) -> None:
    """Read from the baseline's text, they are what Postgres has."""
    there = {
        (row["t"], row["c"])
        for row in old.query(
            """
            select format('%s.%s', c.relnamespace::regnamespace, c.relname) as t, a.attname as c
            from pg_attribute as a join pg_class as c on c.oid = a.attrelid
            where c.relkind = 'r' and a.attnum > 0 and not a.attisdropped and (
                c.relnamespace = 'enrichment'::regnamespace
                or c.relname in ('enrichment_queue', 'enrichment_audit_log')
            )
            """
        )
    }
    assert columns(released_steps()[0]) == there


# Steps


def test_two_at_once_take_turns(make_host) -> None:
    """Together they apply each step once, and both end well."""
    host = make_host()
    done: list[list[str]] = []
    both = [threading.Thread(target=lambda: done.append(migrate(host.url))) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join(120)
    assert sorted(name for names in done for name in names) == [step.name for step in released_steps()]


def broken_step(text: str) -> Step:
    """One more step, whose last statement fails."""
    name = "20990101000000_broken"
    row = (
        "insert into enrichment.schema_versions (version, name, checksum, works_with, brought) values\n"
        f"({HEAD + 1}, '{name}', '{checksum(text)}', 1, '{{}}');\n"
    )
    return Step(HEAD + 1, name, f"{text}\n\n{row}")


def test_a_step_that_fails_leaves_nothing_and_says_why(make_host) -> None:
    """The steps before it stay, and the next try goes on from there."""
    host = make_host()
    steps = (*released_steps(), broken_step("create table public.half ();\nselect 1 / 0;"))
    with pytest.raises(
        MigrationError, match="20990101000000_broken failed and was rolled back: division by zero"
    ):
        migrate(host.url, steps=steps)
    assert host.query("select to_regclass('public.half') as half") == [{"half": None}]
    assert host.query("select max(version) as at from enrichment.schema_versions") == [{"at": HEAD}]
    assert migrate(host.url, steps=(*steps[:-1], broken_step("create table public.half ();"))) == [
        "20990101000000_broken"
    ]


def test_a_table_somebody_holds_is_named_not_waited_for_long(make_host, monkeypatch) -> None:
    """An ALTER that waits behind a long transaction would stop every reader of the app behind it."""
    monkeypatch.setattr("book_enrichment.migrate.runner.LOCK_SECONDS", 1)
    host = make_host()
    with psycopg.connect(host.url) as holder:
        holder.execute("lock table public.works in access share mode")
        with pytest.raises(MigrationError, match="lock timeout") as error:
            migrate(host.url)
        assert "try again" in str(error.value.hint)
    assert host.install() != []


def test_a_role_without_rights_is_told_whom_to_be(make_host, stack) -> None:
    """Before anything is tried."""
    host = make_host()
    with stack.cluster.superuser(host.name) as connection:
        connection.execute("drop role if exists guest")
        connection.execute("create role guest login password 'guest'")
    guest = host.url.replace("postgres:" + stack.secrets.postgres_password, "guest:guest")
    with pytest.raises(MigrationError, match="role guest may not make schemas") as error:
        migrate(guest)
    assert "role postgres" in str(error.value.hint)
    with stack.cluster.superuser(host.name) as connection:
        connection.execute(f"grant create on database {host.name} to guest")
        connection.execute("grant create on schema public to guest")
    with pytest.raises(MigrationError, match=r"role guest does not own public\.works") as error:
        migrate(guest)
    assert "connect as role postgres" in str(error.value.hint)
    with stack.cluster.superuser(host.name) as connection:
        connection.execute("drop owned by guest")
        connection.execute("drop role guest")


def test_a_newer_database_is_not_touched(make_host) -> None:
    """The package says that it is the one that is behind."""
    host = make_host()
    migrate(host.url, steps=(*released_steps(), broken_step("create table public.half ();")))
    for attempt in (plan, migrate):
        with pytest.raises(
            MigrationError, match=f"the database is at {HEAD + 1}, this package at {HEAD}"
        ) as error:
            attempt(host.url)
        assert "pip install --upgrade" in str(error.value.hint)


def test_without_pg_cron_everything_else_is_installed(make_host) -> None:
    """And a sentence says so."""
    said: list[str] = []
    host = make_host()
    migrate(host.url, said.append)
    assert any("pg_cron" in sentence and "dashboard" in sentence for sentence in said)


def test_the_baseline_comes_first() -> None:
    """It has the request's own file name."""
    assert released_steps()[0].name == BASELINE == "20260220120000_add_enrichment_queue"
