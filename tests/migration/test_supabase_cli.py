"""The other way in: `supabase db push`, with the real CLI, beside migrations of the host's own."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import release_0
from book_enrichment.migrate import migrate, plan, released_steps
from catalogue import catalogue, differences
from host_app import HOST, HostApp
from packages import supabase_cli

OURS = {f"{step.name}.sql": step.text for step in released_steps()}
# The host's own, older than ours and younger, and one that comes later.
THEIRS = {
    "20260101000000_app.sql": HOST.read_text(),
    "20260601000000_younger.sql": "create table public.younger (id int);\n"
    "alter table public.younger enable row level security;",
}
LATER = {"20991201000000_later.sql": "create table public.later (id int);"}
VERSIONS = "select version, name, statements from supabase_migrations.schema_migrations order by version"

Push = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def project(make_host) -> HostApp:
    """A project where nothing is yet: everything comes by migrations."""
    return make_host(bare=True)


@pytest.fixture
def supabase(project, tmp_path) -> Push:
    """`supabase({"file.sql": text}, "db", "push", "--include-all")` in a folder with these migrations; `at`
    another project."""

    def supabase(
        files: dict[str, str], *command: str, at: HostApp = project
    ) -> subprocess.CompletedProcess[str]:
        folder = tmp_path / "supabase" / "migrations"
        folder.mkdir(parents=True, exist_ok=True)
        (tmp_path / "supabase" / "config.toml").write_text('project_id = "host"\n[db]\nmajor_version = 17\n')
        for old in folder.iterdir():
            old.unlink()
        for name, text in files.items():
            (Path(folder) / name).write_text(text)
        target = [f"--remote={at.url}?sslmode=disable", "--yes", "--agent=no", f"--workdir={tmp_path}"]
        return subprocess.run(
            [*supabase_cli(), *command, *target], capture_output=True, text=True, check=False
        )

    return supabase


def told(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout + done.stderr


def test_our_files_beside_the_hosts(project, supabase, make_host, stack) -> None:
    """With --include-all beside younger migrations; it is what our command makes, and the host's next push
    works as well."""
    assert supabase(THEIRS, "db", "push").returncode == 0
    refused = supabase(THEIRS | OURS, "db", "push")
    assert refused.returncode != 0
    assert "--include-all" in told(refused)
    done = supabase(THEIRS | OURS, "db", "push", "--include-all")
    assert done.returncode == 0, told(done)
    assert supabase(THEIRS | OURS | LATER, "db", "push").returncode == 0
    assert plan(project.url) == []

    other = make_host()
    other.install()
    there, here = (catalogue(stack.superuser_url(each.name)) for each in (project, other))
    assert [key for key in differences(there, here) if "younger" not in key and "later" not in key] == []


def test_onto_a_host_without_migrations_of_its_own(project, supabase) -> None:
    """An empty project, our files alone."""
    done = supabase(OURS, "db", "push")
    assert done.returncode == 0, told(done)
    assert plan(project.url) == []


def test_our_command_records_as_the_cli_does(project, supabase, make_host) -> None:
    """Where the CLI installed the baseline, an upgrade by our command stands in its history statement by
    statement, and it has nothing left to push."""
    first, *later = OURS.items()
    assert supabase(THEIRS | dict([first]), "db", "push", "--include-all").returncode == 0
    assert migrate(project.url) == [name.removesuffix(".sql") for name, _ in later]
    nothing = supabase(THEIRS | OURS, "db", "push")
    assert (nothing.returncode, "up to date" in told(nothing)) == (0, True), told(nothing)
    other = make_host(bare=True)
    assert supabase(THEIRS | OURS, "db", "push", at=other).returncode == 0
    assert project.query(VERSIONS) == other.query(VERSIONS)


def test_a_push_onto_what_our_command_installed_stops_with_the_line_to_run(project, supabase) -> None:
    """At its first statement; the line it prints is all there is to do."""
    assert supabase(THEIRS, "db", "push").returncode == 0
    migrate(project.url)
    assert supabase(THEIRS, "db", "push").returncode == 0
    before = project.schema()
    stopped = supabase(THEIRS | OURS, "db", "push", "--include-all")
    assert stopped.returncode != 0
    line = "supabase migration repair --status applied " + " ".join(
        step.cli_version for step in released_steps()
    )
    assert line in told(stopped)
    assert project.schema() == before
    assert supabase(THEIRS | OURS, *line.split()[1:]).returncode == 0
    nothing = supabase(THEIRS | OURS | LATER, "db", "push")
    assert nothing.returncode == 0, told(nothing)
    assert project.query("select to_regclass('public.later') is not null as pushed") == [{"pushed": True}]


def test_a_host_whose_own_migrations_the_cli_applied(project, supabase) -> None:
    """History rows of one statement each are none of ours, and stay as they are."""
    single = {"20260301000000_one.sql": "create table public.one (id int);"}
    assert supabase(THEIRS | single, "db", "push").returncode == 0
    before = project.query(VERSIONS)
    assert migrate(project.url) == [step.name for step in released_steps()]
    assert project.query(VERSIONS) == before


def test_release_0_by_the_cli(project, supabase) -> None:
    """A project that had pushed the 22 files: our command takes it over, the files are deleted, the host
    pushes on."""
    old = {**release_0.files()}
    assert supabase(THEIRS | old, "db", "push", "--include-all").returncode == 0
    said: list[str] = []
    migrate(project.url, said.append)
    assert any("20260220121300_schedule.sql" in sentence for sentence in said)
    assert supabase(THEIRS | LATER, "db", "push").returncode == 0


def test_our_files_pushed_onto_release_0_stop_with_a_word(project, supabase) -> None:
    """Whoever replaced the 22 files by ours at once is told what to run."""
    release_0.install(project.url, history="none")
    stopped = supabase(OURS, "db", "push")
    assert stopped.returncode != 0
    assert "`book-enrichment migrate` takes it over; run that first" in told(stopped)
    repaired = supabase(OURS, "migration", "repair", "--status", "applied", released_steps()[0].cli_version)
    assert repaired.returncode == 0
    stopped = supabase(OURS, "db", "push")
    assert "run that first" in told(stopped)
