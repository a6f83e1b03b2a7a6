"""The first release as it was installed: its 22 migrations, and what each way of applying them wrote down.

release_0.sql.gz holds them one after the other, each under a line `-- file: <name>`. It is never edited:
whoever installed that release has these very objects.
"""

import gzip
import re
from pathlib import Path
from typing import Any

import psycopg

FILES = Path(__file__).with_name("release_0.sql.gz")
HISTORIES = ("single", "cli", "none")

HISTORY = """
create schema supabase_migrations;
create table supabase_migrations.schema_migrations (version text primary key, statements text[], name text);
"""
# A semicolon ends a statement, unless it stands in a comment, a string or a function's body.
ENDS = re.compile(r"(--[^\n]*|'(?:[^']|'')*'|\"[^\"]*\"|\$(\w*)\$.*?\$\2\$)|;", re.DOTALL)


def files() -> dict[str, str]:
    """The migrations in the order they are applied: file name to text."""
    parts = re.split(r"^-- file: (\S+)\n", gzip.decompress(FILES.read_bytes()).decode(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def split(text: str) -> list[str]:
    """The statements of a file, without the semicolons, as the Supabase CLI runs and records them."""
    marked = ENDS.sub(lambda match: match[1] or "\0", text)
    return [statement.strip() for statement in marked.split("\0") if statement.strip()]


def statements(history: str) -> dict[str, list[str]]:
    """What each file was applied as: as a whole, or by the Supabase CLI statement by statement."""
    return {file: split(text) if history == "cli" else [text] for file, text in files().items()}


def install(url: str, history: str = "single") -> None:
    """Applies the release to a database as role postgres, one transaction a file, and writes its history."""
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
        for applied in statements(history).values():
            with connection.transaction():
                connection.execute("reset all")
                for statement in applied:
                    connection.execute(statement.encode())
        write_history(connection, history)


def write_history(connection: psycopg.Connection[Any], history: str) -> None:
    """Makes supabase_migrations say who applied the release: `single` our own runner (each file as one
    statement), `cli` the Supabase CLI (every statement), `none` somebody who pasted the files."""
    assert history in HISTORIES
    connection.execute("drop schema if exists supabase_migrations cascade")
    if history == "none":
        return
    connection.execute(HISTORY)
    for file, applied in statements(history).items():
        version, _, name = file.removesuffix(".sql").partition("_")
        connection.execute(
            """
            insert into supabase_migrations.schema_migrations (version, name, statements) values (%s, %s, %s)
            """,
            (version, name, applied),
        )
