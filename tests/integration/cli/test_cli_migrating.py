"""`migrate` and `uninstall`, as a person or a deploy script types them."""

import json
import os
import uuid
from collections.abc import Iterator

import psycopg
import pytest

from book_enrichment.migrate import released_steps

HEAD = len(released_steps())


@pytest.fixture
def project(stack, monkeypatch) -> Iterator[str]:
    """DATABASE_URL names a project of its own, in which nothing is installed; the address."""
    name = f"pytest_{os.getpid()}_{uuid.uuid4().hex}"
    url = stack.create_database(name)
    monkeypatch.setenv("DATABASE_URL", url)
    yield url
    stack.drop_database(name)


def is_installed(url: str) -> bool:
    with psycopg.connect(url) as connection:
        return connection.execute("select to_regnamespace('enrichment') is not null").fetchone() == (True,)


def test_check_says_what_it_would_do_and_does_nothing(invoke, project) -> None:
    """Exit code 1 while there is something to do, 0 afterwards: a deploy script can ask."""
    checked = invoke("migrate", "--check")
    assert checked.exit_code == 1
    assert "would apply 20260220120000_add_enrichment_queue" in checked.stdout
    assert not is_installed(project)
    assert json.loads(invoke("migrate", "--check", "--json").stdout)["would"] != []
    invoke("migrate")
    checked = invoke("migrate", "--check")
    assert (checked.exit_code, checked.stdout) == (0, f"Nothing to do: the database is at version {HEAD}.\n")
    assert json.loads(invoke("migrate", "--check", "--json").stdout) == {"version": HEAD, "would": []}


def test_twice_changes_nothing_the_second_time(invoke, project) -> None:
    """And each time says where the database is."""
    first, second = invoke("migrate"), invoke("migrate")
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert f"{HEAD} steps applied: the database is at version {HEAD}." in first.stdout
    assert second.stdout == f"Nothing to do: the database is at version {HEAD}.\n"
    assert "pg_cron" in first.stderr


def test_json_names_what_was_applied(invoke, project) -> None:
    """One object on stdout, whatever else is said."""
    assert json.loads(invoke("migrate", "--json").stdout) == {
        "version": HEAD,
        "applied": [step.name for step in released_steps()],
        "restored": [],
    }


def test_restore_names_what_it_made_again(invoke, project) -> None:
    """And says so where there was nothing."""
    invoke("migrate")
    with psycopg.connect(project) as connection:
        connection.execute("drop function enrichment.isbn10_of")
    assert "As released again: enrichment.isbn10_of." in invoke("migrate", "--restore").stdout
    assert "As released again: all were." in invoke("migrate", "--restore").stdout


def test_uninstall_asks_where_somebody_can_answer(invoke, project) -> None:
    """A script has to say --yes; nothing happens otherwise."""
    invoke("migrate")
    refused = invoke("uninstall")
    assert refused.exit_code == 2
    assert "--yes" in refused.stderr
    assert is_installed(project)
    done = invoke("uninstall", "--yes")
    assert (done.exit_code, done.stdout) == (0, "Book enrichment is taken out.\n")
    assert not is_installed(project)
    assert "not installed here" in invoke("uninstall", "--yes").stdout


def test_kept_data_is_announced_and_comes_back(invoke, project) -> None:
    """By the next migrate, which says so before and after."""
    invoke("migrate")
    assert json.loads(invoke("uninstall", "--yes", "--keep-data", "--json").stdout) == {
        "uninstalled": True,
        "kept_data": True,
    }
    assert "would take back the data" in invoke("migrate", "--check").stdout
    assert "Took back the data" in invoke("migrate").stderr


@pytest.mark.parametrize("command", [("migrate",), ("migrate", "--check"), ("uninstall", "--yes")])
def test_without_an_address_it_says_where_to_find_one(invoke, command) -> None:
    """SUPABASE_URL will not do: tables are made over a direct connection."""
    told = invoke(*command)
    assert told.exit_code == 2
    assert "DATABASE_URL is not set" in told.stderr
    assert "Session pooler" in told.stderr


@pytest.mark.parametrize("command", [("migrate",), ("migrate", "--check"), ("uninstall", "--yes")])
def test_a_database_that_is_away_is_told_without_the_password(
    invoke, monkeypatch, free_port, command
) -> None:
    """Exit code 3, as everywhere."""
    monkeypatch.setenv("DATABASE_URL", f"postgresql://postgres:tell-nobody@127.0.0.1:{free_port}/postgres")
    told = invoke(*command)
    assert told.exit_code == 3
    assert "gave no answer" in told.stderr
    assert "tell-nobody" not in told.output
