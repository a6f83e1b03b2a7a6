"""What people and scripts expect of any program: help, completion, colours, exit codes, one JSON object."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import click
import httpx
import pytest
from typer.main import get_command

import book_enrichment.cli
from book_enrichment import __version__
from book_enrichment.cli import app

PROGRAM = [sys.executable, "-c", "from book_enrichment.cli import app; app()"]
BOOK_ENRICHMENT = str(Path(sys.executable).with_name("book-enrichment"))


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command and subcommand by the words that call it."""
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        yield name, command
        for sub, below in getattr(command, "commands", {}).items():
            yield f"{name} {sub}", below


COMMANDS = dict(commands())


def has_json(command: click.Command) -> bool:
    """Whether the command offers --json."""
    return any("--json" in option.opts for option in command.params)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_the_manual(invoke, name) -> None:
    """What the command does, and an example that can be typed."""
    told = " ".join(invoke(*name.split(), "--help").stdout.split())
    assert "Example" in told
    assert f"book-enrichment {name}" in told


def test_every_command_that_answers_has_json() -> None:
    """A server and a group of commands do not."""
    assert {name for name, command in COMMANDS.items() if not has_json(command)} == {"serve", "settings"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("approve", "--all"),
        ("dismiss", "--all"),
        ("doctor",),
        ("enqueue", "--missing"),
        ("explain", "{work}"),
        ("imports",),
        ("preview", "{work}"),
        ("review",),
        ("run", "--drain", "--patience", "0"),
        ("settings", "set", "batch_size=5"),
        ("settings", "show"),
        ("status",),
        ("status", "pending"),
        ("undo", "--import", "{import}", "--yes"),
        ("usage",),
    ],
)
def test_stdout_is_one_json_object(run, books, export, create_reader, arguments) -> None:
    """Whatever else there is to say goes to stderr. `approve QUEUE_ID` and its kin are met where they act."""
    create_reader("ada")
    imported = json.loads(run("import", export, "--user", "ada", "--json").stdout)
    import_id = json.loads(run("imports", "--json").stdout)["items"][0]["import_id"]
    books.configure(contact="library@readers.dev")
    values = {"work": imported["rows"][0]["work_id"], "import": import_id}
    result = run(*(argument.format(**values) for argument in arguments), "--json")
    assert result.exit_code == 0, result.output
    assert isinstance(json.loads(result.stdout), dict)


def test_the_version_is_told(invoke) -> None:
    """What people are asked for first."""
    assert __version__ in invoke("--version").stdout


def test_no_arguments_show_the_help(invoke) -> None:
    """Also of settings, which is several commands."""
    assert "doctor" in invoke().output
    assert "show" in invoke("settings").output


def test_completion_can_be_installed(program) -> None:
    """The script is for the shell that asks for it."""
    assert "--install-completion" in program("--help").stdout
    asked = f"{BOOK_ENRICHMENT} --show-completion; true"  # without more to do, bash would become the program
    script = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True).stdout
    assert "complete -o default -F _book_enrichment_completion book-enrichment" in script
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("book-enrichment rev", "review"),
        ("book-enrichment settings s", "set show"),
        ("book-enrichment status ", "pending in_progress completed needs_review failed skipped"),
        ("book-enrichment approve --confidence ", "high medium low"),
        ("book-enrichment approve --provider ", "openlibrary googlebooks"),
        ("book-enrichment approve --field work.c", "work.cover_url"),
        ("book-enrichment import --source ", "goodreads storygraph"),
    ],
)
def test_completion_offers_what_may_come_next(typed, offered) -> None:
    """Commands, states, tiers, providers, fields."""
    asked = {"COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split(" ")) - 1)}
    environment = {**os.environ, **asked, "_BOOK_ENRICHMENT_COMPLETE": "complete_bash"}
    done = subprocess.run([BOOK_ENRICHMENT], env=environment, capture_output=True, text=True, check=False)
    assert set(done.stdout.split()) == set(offered.split()), done.stderr


def test_no_color_means_no_colour(program) -> None:
    """Also where a terminal would show it: the error, which is red otherwise, and the doctor's states."""
    for command in ("status", "doctor"):
        for variables, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
            done = program(command, FORCE_COLOR="1", TERM="xterm", **variables)
            assert "no database is configured" in done.stderr + done.stdout
            assert bool(re.search(r"\x1b\[[0-9;]*3[0-9]m", done.stderr + done.stdout)) == coloured


def test_exit_codes_are_those_of_the_program(program, database_url) -> None:
    """As the module's page lists them, from a real process."""
    listed = re.findall(r"^    (\d)  ", book_enrichment.cli.__doc__ or "", flags=re.MULTILINE)
    away = "postgresql://postgres:x@127.0.0.1:1/postgres"
    met = [
        program("status", DATABASE_URL=database_url).returncode,
        program("doctor", DATABASE_URL=database_url).returncode,  # no contact
        program("status").returncode,
        program("status", DATABASE_URL=away).returncode,
        program("explain", uuid.UUID(int=1), DATABASE_URL=database_url).returncode,
    ]
    assert met == [int(code) for code in listed] == [0, 1, 2, 3, 4]


def test_serve_serves_until_it_is_told_to_end(
    database_url, supabase_url, anon_key, jwt_secret, free_port
) -> None:
    """The API answers, and the exit code 0 after SIGTERM."""
    variables = {
        "DATABASE_URL": database_url,
        "SUPABASE_URL": supabase_url,
        "SUPABASE_ANON_KEY": anon_key,
        "SUPABASE_JWT_SECRET": jwt_secret,
    }
    command = [*PROGRAM, "serve", "--port", str(free_port), "--no-worker"]
    process = subprocess.Popen(command, env={**os.environ, **variables}, stderr=subprocess.PIPE, text=True)
    try:
        health = f"http://127.0.0.1:{free_port}/api/v1/enrichment/health"
        ends = time.monotonic() + 60
        while True:
            try:
                assert httpx.get(health, timeout=5).status_code == 200
                break
            except httpx.TransportError:
                assert process.poll() is None, process.communicate()[1]
                assert time.monotonic() < ends
                time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode in (0, -signal.SIGTERM)  # uvicorn passes the signal on when it has ended


def test_serve_without_a_project_says_what_to_set(invoke) -> None:
    """Before it listens."""
    result = invoke("serve", "--port", "0")
    assert result.exit_code == 2
    assert "hint:" in result.stderr
