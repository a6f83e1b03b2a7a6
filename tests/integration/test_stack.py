"""The local platform: what it forgives, and where it looks like a hosted project. In a stack of its own."""

import base64
import hashlib
import os
import random
import socket
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg import errors
from supabase import create_async_client

import commands
import packages
import postgres
from book_enrichment.migrate import ForeignSteps
from cluster import free_port, is_free
from drafting import sealed
from packages import PlatformError
from postgres import Postgres, Release
from stack import Stack, refuse_foreign_project

# A step of our own kind, as small as can be.
SHELF = """
create schema enrichment;
create table enrichment.schema_versions (
    version int, name text, checksum text, works_with int, brought text[]
);
create table public.shelf (title text primary key);
alter table public.shelf enable row level security;
insert into public.shelf values ('Dune');
create function public.visitor() returns text language sql stable as 'select auth.uid()::text';
"""


@pytest.fixture(scope="module")
def throwaway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running stack with one small migration."""
    folder = tmp_path_factory.mktemp("migrations")
    write_step(folder, 1, "20260101000000_shelf", SHELF)
    stack = Stack(f"throwaway-{os.getpid()}", durable=False, migrations=folder)
    stack.up()
    yield stack
    stack.remove()
    assert not stack.cluster.home.exists()


@pytest.fixture
def up(throwaway: Stack) -> Stack:
    """The same stack, brought up again if a test stopped it."""
    throwaway.up()
    return throwaway


def write_step(folder: Path, version: int, name: str, text: str) -> Path:
    """A migration that writes its row, as `make migration` drafts them."""
    file = folder / f"{name}.sql"
    file.write_text(sealed(text, version, name, version))
    return file


def connect(stack: Stack, database: str = "postgres") -> psycopg.Connection:
    return psycopg.connect(stack.database_url(database), autocommit=True)


def test_starting_twice_says_so_and_changes_nothing(up, capsys):
    """Nor is a file written anew that somebody may be reading."""
    before, file = up.cluster.pid(), up.folder / "postgres_port"
    written = file.stat().st_mtime_ns, file.stat().st_ino
    commands.up(up)
    assert "ran already" in capsys.readouterr().err
    assert up.cluster.pid() == before
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == written


def test_stopping_twice_says_so(up, capsys):
    commands.down(up)
    commands.down(up)
    assert "is stopped" in (said := capsys.readouterr().err)
    assert "was not running" in said


def test_a_stale_pid_file_does_not_keep_it_from_starting(up, capsys):
    up.down()
    pid_file = up.cluster.data / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{up.cluster.data}\n")
    up.up()
    assert "stale pid file" in capsys.readouterr().err
    assert up.running


def test_a_taken_port_is_left_to_its_owner(up, capsys):
    up.down()
    taken = up.cluster.port
    with socket.create_server(("127.0.0.1", taken)):
        up.up()
    assert f"Port {taken} is taken" in capsys.readouterr().err
    assert up.cluster.port != taken
    assert connect(up).execute("select 1").fetchone() == (1,)


def test_a_crash_keeps_what_was_committed(up):
    connection = connect(up)
    connection.execute("insert into public.shelf values ('Emma')")
    up.stop_immediate()
    with pytest.raises(psycopg.OperationalError):
        connection.execute("select 1")
    up.start()
    assert connect(up).execute("delete from public.shelf where title = 'Emma' returning title").fetchone()


async def test_supabase_clients_work_unchanged(up):
    """A service key sees all rows, a reader passes row level security as herself."""
    url = up.rest("postgres").url
    service = await create_async_client(url, up.service_key)
    assert (await service.table("shelf").select("title").execute()).data == [{"title": "Dune"}]

    ada = "6f1c9a60-7c1e-4f0e-8d8c-0a2f4cf0a001"
    reader = await create_async_client(url, up.anon_key)
    reader.postgrest.auth(up.token("authenticated", ada))
    assert (await reader.table("shelf").select("title").execute()).data == []
    assert (await reader.rpc("visitor").execute()).data == ada


@pytest.mark.parametrize(
    ("headers", "message"), [({}, "No API key found"), ({"apikey": "nonsense"}, "Invalid API key")]
)
def test_the_gateway_wants_a_key(up, headers, message):
    reply = httpx.get(f"{up.rest('postgres').url}/rest/v1/shelf", headers=headers)
    assert reply.status_code == 401
    assert message in reply.json()["message"]


def test_postgres_is_not_a_superuser(up):
    connection = connect(up)
    assert connection.execute("select current_setting('is_superuser')").fetchone() == ("off",)
    with pytest.raises(errors.InsufficientPrivilege):
        connection.execute("create extension file_fdw")


def test_api_roles_have_the_hosted_statement_timeouts(up):
    rows = connect(up).execute(
        """
        select rolname, setting
        from pg_roles, unnest(rolconfig) as setting
        where setting like 'statement_timeout=%'
        """
    )
    assert dict(rows.fetchall()) == {
        "anon": "statement_timeout=3s",
        "authenticated": "statement_timeout=8s",
        "authenticator": "statement_timeout=8s",
    }


@pytest.mark.parametrize("default_grants", [True, False])
def test_new_tables_are_open_or_closed_to_the_api_as_the_project_says(up, default_grants):
    name = f"grants_{default_grants}".lower()
    up.create_database(name, default_grants=default_grants)
    with connect(up, name) as connection:
        connection.execute("create table public.t (); create sequence public.s")
        for role in ("anon", "authenticated", "service_role"):
            row = connection.execute(
                """
                select has_table_privilege(%(role)s, 't', 'insert'),
                    has_sequence_privilege(%(role)s, 's', 'usage')
                """,
                {"role": role},
            ).fetchone()
            assert row == (default_grants, default_grants)
    up.drop_database(name)


def test_postgres_schedules_through_functions_only(up):
    connection = connect(up)
    connection.execute("select cron.schedule('nightly', '0 3 * * *', 'select 1')")
    assert connection.execute("select command from cron.job where jobname = 'nightly'").fetchone() == (
        "select 1",
    )
    with pytest.raises(errors.InsufficientPrivilege):
        connection.execute("update cron.job set active = false")
    connection.execute("delete from cron.job_run_details")
    connection.execute("select cron.unschedule('nightly')")


def test_an_edited_migration_is_noticed(up):
    write_step(up.migrations, 1, "20260101000000_shelf", SHELF + "-- edited\n")
    with pytest.raises(ForeignSteps, match="20260101000000_shelf"):
        up.up()
    connect(up).execute("insert into public.shelf values ('Emma')")
    up.up(rebuild=True)
    assert connect(up).execute("select title from public.shelf").fetchall() == [("Dune",)]


def test_a_stack_of_another_platform_is_not_used(up, monkeypatch):
    """The files every database starts from were edited: it says so before anything odd happens."""
    monkeypatch.setattr(up.cluster, "durable", True)
    monkeypatch.setattr("stack.platform_digest", lambda postgres: "of tomorrow")
    with pytest.raises(PlatformError, match="make reset"):
        up.up()


class WithoutCron(Postgres):
    """What another major version is to a stack, with Debian's programs."""

    bin = postgres.DEBIAN_BIN
    has_cron = False

    def install(self) -> None:
        pass


def test_a_stack_of_another_postgres_is_made_anew_and_may_lack_pg_cron(up, monkeypatch):
    with connect(up) as connection:
        connection.execute("insert into public.shelf values ('Emma')")
    with monkeypatch.context() as patched:
        patched.setattr(up.cluster, "postgres", WithoutCron(17))
        up.up()
        assert connect(up).execute("select to_regnamespace('cron')").fetchone() == (None,)
        assert connect(up).execute("select title from public.shelf").fetchall() == [("Dune",)]
    up.up()
    assert connect(up).execute("select to_regnamespace('cron')").fetchone() == ("cron",)


def test_a_failing_migration_leaves_nothing_behind(up):
    broken = "create table public.half ();\nselect 1 / 0;\n"
    file = write_step(up.migrations, 2, "20260101000001_broken", broken)
    with pytest.raises(
        PlatformError, match="20260101000001_broken failed and was rolled back: division by zero"
    ):
        up.migrate()
    file.unlink()
    assert connect(up).execute("select to_regclass('public.half')").fetchone() == (None,)


def test_clones_of_the_migrated_template_are_new_each_time(up):
    name = "clone"
    up.create_database(name, template=up.migrated_template())
    assert connect(up, name).execute("select title from public.shelf").fetchall() == [("Dune",)]
    up.drop_database(name)


@pytest.mark.parametrize("variable", ["SUPABASE_URL", "DATABASE_URL"])
@pytest.mark.parametrize("command", ["reset", "guard"])
def test_another_project_is_refused(monkeypatch, variable, command):
    address = {
        "SUPABASE_URL": "https://x.supabase.co",
        "DATABASE_URL": "postgresql://u:p@db.x.supabase.co/postgres",
    }
    monkeypatch.setenv(variable, address[variable])
    script = Path(commands.__file__)
    done = subprocess.run([sys.executable, script, command, "--name", "none"], capture_output=True, text=True)
    assert done.returncode == 1
    assert f"{variable} points to" in done.stderr
    assert "refused" in done.stderr


def test_the_local_stack_is_not_another_project(up, monkeypatch):
    for name, value in up.environment().items():
        monkeypatch.setenv(name, value)
    refuse_foreign_project("nothing")


def test_a_wrong_postgrest_is_removed_not_run(tmp_path, monkeypatch):
    monkeypatch.setattr(packages, "LOCAL", tmp_path)
    program = tmp_path / "bin" / "postgrest"
    program.parent.mkdir()
    program.write_bytes(b"something else")
    with pytest.raises(PlatformError, match="checksum"):
        packages.postgrest()
    assert not program.exists()


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny Postgres 17 as npm would bring it, its checksum pinned. The server's user reads what we do."""
    native = tmp_path / "package" / "native"
    for folder in ("bin", "lib", "share/postgresql/extension"):
        (native / folder).mkdir(parents=True)
    (native / "bin" / "postgres").touch(mode=0o755)
    (native / "lib" / "libpq.so.5.17").touch()
    (native / "pg-symlinks.json").write_text(
        '[{"source": "native/lib/libpq.so.5.17", "target": "native/lib/libpq.so.5"}]'
    )
    archive = tmp_path / "published.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "package", "package")
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    bring = f"import shutil; shutil.copy({str(archive)!r}, '.')"
    monkeypatch.setattr(postgres, "npm", lambda: [sys.executable, "-c", bring])
    monkeypatch.setattr(postgres, "RELEASES", {17: Release("17.0", f"sha512-{digest}")})
    monkeypatch.setattr(postgres, "LOCAL", tmp_path / "local")
    monkeypatch.setattr(postgres, "readable_place", lambda folder: folder)
    return archive


def test_another_postgres_comes_whole_and_for_all_to_read(published):
    """Also when a careful user's files are closed to others, and only once."""
    before = os.umask(0o077)
    try:
        Postgres(17).install()
    finally:
        os.umask(before)
    home = Postgres(17).bin.parent
    assert home.stat().st_mode & 0o755 == (home / "bin" / "postgres").stat().st_mode & 0o755 == 0o755
    assert (home / "lib" / "libpq.so.5").resolve() == home / "lib" / "libpq.so.5.17"
    assert (home / "share" / "postgresql" / "extension" / "pgtap.control").exists()
    published.unlink()
    Postgres(17).install()


def test_a_wrong_postgres_is_removed_not_run(published):
    published.write_bytes(b"something else")
    with pytest.raises(PlatformError, match="checksum"):
        Postgres(17).install()
    assert list(postgres.LOCAL.iterdir()) == []


def test_debians_postgres_is_enough_for_most(published):
    """What only the newer ones need is not fetched."""
    published.unlink()
    Postgres().install()
    assert Postgres().bin == postgres.DEBIAN_BIN


def test_missing_packages_are_named_where_we_may_not_install(monkeypatch):
    monkeypatch.setattr(packages, "DEBIAN_PACKAGES", {"postgresql-15-cron": Path("/nowhere")})
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(packages.shutil, "which", lambda name: None if name == "sudo" else f"/usr/bin/{name}")
    with pytest.raises(PlatformError, match=r"apt-get install .*postgresql-15-cron"):
        packages.install_debian_packages()


def test_processes_that_begin_alike_choose_different_ports():
    """Tests seed `random`; two processes of one run once had their databases behind one port."""
    chosen = set()
    for _ in range(4):
        random.seed(1)
        chosen.add(free_port())
    assert len(chosen) > 1


def test_ports_in_use_are_not_free():
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert not is_free(server.getsockname()[1])
