"""Applies supabase/migrations in order, each in one transaction, and records them as the Supabase CLI does.

`python supabase/local/migrate.py DATABASE_URL` does it for any project; stack.py does it for the local
one. The text of a file is kept in supabase_migrations.schema_migrations.statements as one element, so a
file that was edited after it was applied is noticed. What the CLI applied is split into statements there
and is taken on trust.
"""

import sys
from pathlib import Path

import psycopg

from packages import ROOT, PlatformError, say

MIGRATIONS = ROOT / "supabase" / "migrations"
ONE_AT_A_TIME = 7_220_419  # advisory lock: two people migrating the same project take turns

HISTORY = """
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (version text primary key);
alter table supabase_migrations.schema_migrations add column if not exists statements text[];
alter table supabase_migrations.schema_migrations add column if not exists name text;
"""


class ChangedMigrations(PlatformError):
    """Files that were applied here have been edited, or removed, since."""


def migration_files(folder: Path = MIGRATIONS) -> list[Path]:
    """The migrations in the order they are applied."""
    return sorted(folder.glob("[0-9]*_*.sql"))


def changed_migrations(connection: psycopg.Connection, folder: Path = MIGRATIONS) -> list[str]:
    """Names of applied files whose text is another one now. Empty when nothing was applied yet."""
    if connection.execute("select to_regclass('supabase_migrations.schema_migrations')").fetchone() == (
        None,
    ):
        return []
    rows = connection.execute(
        """
        select version || '_' || name, statements[1]
        from supabase_migrations.schema_migrations
        where cardinality(statements) = 1
        order by version
        """
    )
    now = {file.stem: file.read_text() for file in migration_files(folder)}
    return [name for name, text in rows if now.get(name) != text]


def migrate(database_url: str, folder: Path = MIGRATIONS) -> list[str]:
    """Applies what is missing and answers the names of the files applied now.

    Raises ChangedMigrations, before anything is applied, when an applied file was edited; PlatformError when
    a migration fails, which leaves the earlier ones in place and nothing of the failed one.
    """
    with psycopg.connect(database_url, autocommit=True, prepare_threshold=None) as connection:
        connection.add_notice_handler(lambda notice: None)
        with connection.transaction():
            connection.execute("select pg_advisory_xact_lock(%s)", (ONE_AT_A_TIME,))
            connection.execute(HISTORY)
        if changed := changed_migrations(connection, folder):
            raise ChangedMigrations(f"Changed since they were applied: {', '.join(changed)}.")
        applied = [file.stem for file in migration_files(folder) if _apply(connection, file)]
        if applied:
            connection.execute("notify pgrst, 'reload schema'")
        return applied


def _apply(connection: psycopg.Connection, file: Path) -> bool:
    version, _, name = file.stem.partition("_")
    text = file.read_text()
    try:
        with connection.transaction():
            connection.execute("select pg_advisory_xact_lock(%s)", (ONE_AT_A_TIME,))
            history = "select from supabase_migrations.schema_migrations where version = %s"
            if connection.execute(history, (version,)).fetchone() is not None:
                return False
            connection.execute("reset all")  # an earlier migration may have set something
            connection.execute("set local statement_timeout = 0")
            connection.execute(text.encode())
            connection.execute(
                """
                insert into supabase_migrations.schema_migrations (version, name, statements)
                values (%s, %s, %s)
                """,
                (version, name, [text]),
            )
    except psycopg.Error as error:
        raise PlatformError(f"{file.name} failed and was rolled back:\n{_explain(error, text)}") from error
    return True


def _explain(error: psycopg.Error, text: str) -> str:
    position = error.diag.statement_position
    line = f"line {text[: int(position)].count(chr(10)) + 1}: " if position else ""
    return f"{line}{error}"


def main() -> None:
    """`migrate.py DATABASE_URL`"""
    try:
        applied = migrate(sys.argv[1])
    except (PlatformError, psycopg.OperationalError) as error:
        raise SystemExit(str(error)) from error
    say(f"Applied {len(applied)} migrations." if applied else "Every migration was applied already.")


if __name__ == "__main__":
    main()
