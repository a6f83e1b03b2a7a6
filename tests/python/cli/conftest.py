"""The command line, through each door, in an environment that holds nothing else of ours."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from book_enrichment.cli import app

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
    """`run("status", "--json")` through one door, then through the other."""
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
