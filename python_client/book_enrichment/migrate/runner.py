"""Brings a database to this package's version, step by step, and says what it would do.

Each step runs in one transaction under an advisory lock, so that two people migrating one project take
turns and nothing is left of a step that fails. What was applied stands in enrichment.schema_versions,
written by the steps themselves. The host's own log of migrations (supabase_migrations) is touched in two
cases only: a project of before version 1 left 22 rows there, which go; and where `supabase db push` applied
our baseline, the steps applied here are recorded there as the CLI would have done, so that it does not run
them again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from book_enrichment.errors import DatabaseUnavailable, EnrichmentError
from book_enrichment.migrate import functions, kept, release_0
from book_enrichment.migrate.steps import BASELINE, SQL, Step, definition, host_columns, released_steps
from book_enrichment.migrate.tables import Connection, exists

ONE_AT_A_TIME = 7_220_419  # advisory lock: two people migrating the same project take turns
RAISED_BY_HAND = "00000"  # the SQLSTATE of a notice that no part of Postgres itself has raised
DEADLOCKS = 4  # that a step comes again after
LOCK_SECONDS = 30  # for a table somebody holds; an ALTER that waits longer would stop the app's reads

Say = Callable[[str], None]


class MigrationError(EnrichmentError):
    """The database cannot be brought to this version; nothing of the failed step is left."""


class ForeignSteps(MigrationError):
    """The database has seen steps that this package does not have, or has with another text."""


@dataclass(frozen=True, slots=True)
class Installed:
    """What a database is at.

    `version`: the greatest applied step, 0 where there is none. `names`: the applied steps by version, each
    with its checksum. `is_release_0`: ours, from before steps were counted. `kept_version`: what an earlier
    `uninstall --keep-data` left was at, else None.
    """

    version: int
    names: dict[int, tuple[str, str]]
    is_release_0: bool
    kept_version: int | None


@contextmanager
def connected(database_url: str) -> Iterator[Connection]:
    """A connection in autocommit that works through every pooler. DatabaseUnavailable where there is none."""
    try:
        with psycopg.connect(
            database_url, autocommit=True, prepare_threshold=None, connect_timeout=15
        ) as connection:
            yield connection
    except psycopg.OperationalError as error:
        if error.sqlstate is not None and not error.sqlstate.startswith(("08", "28", "3D", "57", "53")):
            raise MigrationError(_told(error), hint=_advice(error)) from error
        raise DatabaseUnavailable(
            f"the database gave no answer: {' '.join(str(error).split())}",
            hint="check DATABASE_URL, its password too; migrations need a direct connection or the session "
            "pooler (port 5432)",
        ) from error
    except psycopg.Error as error:
        raise MigrationError(_told(error), hint=_advice(error)) from error


def look(connection: Connection) -> Installed:
    """What is installed here. MigrationError where that cannot be seen."""
    names: dict[int, tuple[str, str]] = {}
    has_versions = exists(connection, "enrichment", "schema_versions")
    if has_versions:
        rows = connection.execute("select version, name, checksum from enrichment.schema_versions").fetchall()
        names = {version: (name, checksum) for version, name, checksum in rows}
        if not names:
            raise MigrationError(
                "enrichment.schema_versions shows no row: this role may not see them, or somebody emptied it",
                hint="connect as role postgres; where it was emptied, write its rows again: version, name, "
                "checksum and works_with stand in the last statement of each file of supabase/migrations",
            )
    return Installed(
        version=max(names, default=0),
        names=names,
        is_release_0=not has_versions and release_0.is_installed(connection),
        kept_version=kept.version(connection),
    )


def plan(database_url: str, steps: tuple[Step, ...] | None = None) -> list[str]:
    """What `migrate` would do, a sentence each; empty where the database is at this package's version.

    Raises MigrationError where it would refuse.
    """
    steps = released_steps() if steps is None else steps
    with connected(database_url) as connection:
        installed = look(connection)
        refuse_strangers(installed, steps)
        sentences = []
        if installed.is_release_0:
            refuse_missing_rights(connection)
            release_0.refuse_older(connection, steps[0])
            sentences.append(release_0.SENTENCE)
        elif not installed.names:
            refuse_unfit_host(connection)
        begin = 1 if installed.is_release_0 else installed.version
        sentences += [f"apply {step.name}" for step in steps[begin:]]
        if sentences and installed.kept_version is not None:
            sentences.append("take back the data that an earlier uninstall kept")
        return sentences


def migrate(
    database_url: str, say: Say = lambda sentence: None, steps: tuple[Step, ...] | None = None
) -> list[str]:
    """Applies what is missing and answers the names of the steps the database gained; none where all were
    there.

    `say` is told what happens, and what a person should know. Raises MigrationError, with what to do as its
    hint, when a step fails: the earlier ones stay, nothing of the failed one does.
    """
    steps = released_steps() if steps is None else steps
    with connected(database_url) as connection:
        tell_notices(connection, say)
        with step_transaction(connection, "looking at what is installed"):  # nobody else is half way then
            installed = look(connection)
            refuse_strangers(installed, steps)
            if installed.is_release_0:
                refuse_missing_rights(connection)
            elif not installed.names:
                refuse_unfit_host(connection)
        applied = []
        if installed.is_release_0 and _take_over(connection, steps[0], say):
            applied.append(steps[0].name)
        applied += [step.name for step in steps if _apply(connection, step, say)]
        if applied:
            connection.execute("notify pgrst, 'reload schema'")
        elif changed := functions.differences(connection, definition()):
            say(f"Not as released: {', '.join(changed)}. book-enrichment migrate --restore makes them so.")
        return applied


def not_as_released(database_url: str) -> list[str]:
    """What `restore` would make again."""
    with connected(database_url) as connection:
        return functions.differences(connection, definition())


def restore(database_url: str) -> list[str]:
    """Makes functions that were changed by hand as released, and grants what is granted; their names.

    Raises MigrationError where the database is not at this package's version.
    """
    with connected(database_url) as connection:
        if (installed := look(connection)).version != len(released_steps()):
            raise MigrationError(
                f"the database is at {installed.version}, this package at {len(released_steps())}",
                hint="book-enrichment migrate first",
            )
        with step_transaction(connection, "restoring functions"):
            return functions.restore(connection, definition())


def uninstall(database_url: str, keep_data: bool = False, say: Say = lambda sentence: None) -> bool:
    """Takes everything of ours out again, as supabase/uninstall.sql describes; whether there was anything.

    Raises MigrationError, and takes nothing out, where something of the host's is built on ours.
    """
    with connected(database_url) as connection:
        tell_notices(connection, say)
        installed = look(connection)
        if not (installed.names or installed.is_release_0 or installed.kept_version is not None):
            return False
        with step_transaction(connection, "uninstalling"):
            if installed.is_release_0:
                release_0.forget_history(connection)
            connection.execute(
                "select set_config('enrichment.keep_data', %s, true)", ("on" if keep_data else "off",)
            )
            connection.execute((SQL / "uninstall.sql").read_bytes())
        return True


def tell_notices(connection: Connection, say: Say) -> None:
    """Passes on what our own SQL wants a person to know, and not what Postgres remarks of its own."""

    def tell(notice: psycopg.errors.Diagnostic) -> None:
        told = notice.message_primary or ""
        if (
            notice.sqlstate == RAISED_BY_HAND
            and not told.startswith("drop cascades")
            and "skipping" not in told
        ):
            say(told)

    connection.add_notice_handler(tell)


def refuse_strangers(installed: Installed, steps: tuple[Step, ...]) -> None:
    """ForeignSteps where the database has seen steps that this package does not have, or has otherwise."""
    version = max(installed.version, installed.kept_version or 0)
    if version > len(steps):
        raise ForeignSteps(
            f"the database is at {version}, this package at {len(steps)}",
            hint="it is the package that is behind: pip install --upgrade book-enrichment",
        )
    for step in steps[: installed.version]:
        name, checksum = installed.names.get(step.version, ("nothing", ""))
        if (name, checksum) != (step.name, step.checksum):
            raise ForeignSteps(
                f"the database has applied {name} as its step {step.version}, this package has {step.name}, "
                "and their texts differ",
                hint="released steps never change, so one of the two is no release: use the package that "
                "made this database (a local one begins anew with make reset)",
            )


def refuse_unfit_host(connection: Connection) -> None:
    """MigrationError where a new installation could not be made, or could not work: rights, a schema of our
    name, tables of the library in another shape."""
    refuse_missing_rights(connection)
    schema = connection.execute("select from pg_namespace where nspname = 'enrichment'")
    if schema.fetchone() is not None:
        raise MigrationError(
            "there is a schema enrichment here that is not ours",
            hint="ours needs that name: alter schema enrichment rename to …",
        )
    for table in ("enrichment_queue", "enrichment_audit_log"):
        if exists(connection, "public", table):
            raise MigrationError(f"there is a table public.{table} here that is not ours", hint="rename it")
    rows = connection.execute(
        """
        select c.relname, a.attname, format_type(a.atttypid, null)
        from pg_attribute as a join pg_class as c on c.oid = a.attrelid
        where c.relnamespace = 'public'::regnamespace and a.attnum > 0 and not a.attisdropped
        """
    ).fetchall()
    there = {(table, column): kind for table, column, kind in rows}
    tables = {table for table, _ in there}
    wanted = [(table, column) for table, column in host_columns() if table in tables]
    if missing := [f"{table}.{column}" for table, column in wanted if (table, column) not in there]:
        raise MigrationError(
            f"the library's tables here have no {', '.join(sorted(missing))}",
            hint="enrichment reads and writes them; supabase/schemas/05_host/catalogue.sql has their types",
        )
    ids = [
        (table, column)
        for table, column in wanted
        if column == "id" or (column.endswith("_id") and column != "provider_id")
    ]
    if wrong := [f"{table}.{column}" for table, column in ids if there[table, column] != "uuid"]:
        raise MigrationError(
            f"not of type uuid: {', '.join(sorted(wrong))}", hint="enrichment refers to books by uuid"
        )


def refuse_missing_rights(connection: Connection) -> None:
    """MigrationError where this role may not install: it needs to make schemas, and to own the table
    works."""
    found = connection.execute(
        """
        select current_user,
            has_database_privilege(current_database(), 'create') and has_schema_privilege('public', 'create'),
            (select pg_get_userbyid(c.relowner) from pg_class as c
             where c.oid = to_regclass('public.works') and not pg_has_role(c.relowner, 'usage'))
        """
    ).fetchone()
    assert found is not None
    role, may_create, owner = found
    if not may_create:
        raise MigrationError(
            f"role {role} may not make schemas and tables here",
            hint="connect as role postgres, the project's owner",
        )
    if owner is not None:
        raise MigrationError(
            f"role {role} does not own public.works, which gets three columns",
            hint=f"connect as role {owner}",
        )


@contextmanager
def step_transaction(connection: Connection, what: str) -> Iterator[None]:
    """One transaction, alone; a failure in it becomes a MigrationError that says what failed and what to
    do."""
    try:
        with connection.transaction():
            connection.execute("reset all")  # an earlier step may have set something
            connection.execute("set local statement_timeout = 0")
            connection.execute("select pg_advisory_xact_lock(%s)", (ONE_AT_A_TIME,))
            connection.execute(f"set local lock_timeout = '{LOCK_SECONDS}s'")
            connection.execute("set local enrichment.takes_back = 'on'")  # the baseline asks
            yield
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise MigrationError(
                f"the connection was lost during {what}: {' '.join(str(error).split())}",
                hint="nothing of it is left; run it again",
            ) from error
        raise MigrationError(
            f"{what} failed and was rolled back: {_told(error)}", hint=_advice(error)
        ) from error


def _apply(connection: Connection, step: Step, say: Say) -> bool:
    """Applies a step that is missing; whether it was. Beside readers and workers Postgres may choose the step
    to end a deadlock; it comes again, since nothing of it is left."""
    for _ in range(DEADLOCKS):
        try:
            return _apply_once(connection, step, say)
        except MigrationError as error:
            if not isinstance(error.__cause__, psycopg.errors.DeadlockDetected):
                raise
    return _apply_once(connection, step, say)


def _apply_once(connection: Connection, step: Step, say: Say) -> bool:
    with step_transaction(connection, step.name):
        if step.version in look(connection).names:
            return False
        connection.execute(step.text.encode())
        _record_for_cli(connection, step)
        if kept.version(connection) == step.version:
            kept.take_back(connection)
            say("Took back the data that an earlier uninstall had kept.")
    say(f"Applied {step.name}.")
    return True


def _take_over(connection: Connection, baseline: Step, say: Say) -> bool:
    """Makes a project of before version 1 one of version 1, with all it holds; whether it still was none."""
    with step_transaction(connection, "taking over the installation of before version 1"):
        if not look(connection).is_release_0:
            return False
        done = list(release_0.take_over(connection, baseline))
    for sentence in done:
        say(sentence)
    return True


def _record_for_cli(connection: Connection, step: Step) -> None:
    """Writes a step into the host's history where that has our baseline: there the CLI applied it."""
    if step.name == BASELINE:
        return
    columns = connection.execute(
        """
        select count(*) from pg_attribute as a
        where a.attrelid = to_regclass('supabase_migrations.schema_migrations')
            and a.attname in ('name', 'statements') and not a.attisdropped
        """
    ).fetchone()
    if columns != (2,):
        return
    connection.execute(
        """
        insert into supabase_migrations.schema_migrations (version, name, statements)
        select %s, %s, %s
        from supabase_migrations.schema_migrations as baseline
        where baseline.version || '_' || baseline.name = %s and not exists (
            select from supabase_migrations.schema_migrations as m where m.version = %s
        )
        """,
        (step.cli_version, step.cli_name, step.statements(), BASELINE, step.cli_version),
    )


def _told(error: psycopg.Error) -> str:
    """The database's own words, with what they are about."""
    words = [error.diag.message_primary or str(error), error.diag.message_detail]
    return re.sub(r"\s+", " ", ": ".join(word for word in words if word))


def _advice(error: psycopg.Error) -> str:
    """What to do about an error of the database."""
    advice: dict[str | None, Any] = {
        "42501": "connect as role postgres, the project's owner",
        "55P03": "somebody holds that table: try again in a moment, or stop the app meanwhile",
        "2BP01": "drop these first, and make them again afterwards",
        "25006": "the project is read-only: a free project above 500 MB is. Make room first",
        "40P01": "try again",
    }
    return str(
        advice.get(error.sqlstate)
        or error.diag.message_hint
        or "nothing of it is left; mend that and run it again"
    )
