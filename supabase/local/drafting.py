"""`make migration`: the next step of supabase/migrations, drafted from what the schemas say now.

Without a baseline it writes that: all schema files in one. Later, `NAME=what_changes` drafts a step from
the difference between a database made by all migrations and one made by the schemas (difference.py), and
tries it in a third: what fails there or is still different becomes a TODO. Without NAME the checksums of
unreleased steps are written anew, after work on them. `make release` freezes what is there:
supabase/released.sha256 then names each file, and a test compares.
"""

import argparse
import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from book_enrichment.migrate.steps import (
    BASELINE,
    MARK,
    Step,
    checksum,
    definition,
    schema_files,
    split,
    steps_in,
)
from catalogue import SHIPPED, catalogue, differences
from difference import Difference, bare, sources, stands_on, todo
from packages import ROOT, PlatformError, say
from stack import MIGRATIONS, Stack

RELEASED = ROOT / "supabase" / "released.sha256"
HERE = Path(__file__).parent

ROW = """\
insert into enrichment.schema_versions (version, name, checksum, works_with, brought) values
({version}, '{name}', '{checksum}', {works_with}, {brought});
"""
BROUGHT = "string_to_array(nullif(trim(',' from current_setting('enrichment.brought', true)), ''), ',')"
NOTHING_BROUGHT = "'{}'"


def baseline() -> str:
    """The first step, whole."""
    return sealed(_head("first_step.sql") + definition(), 1, BASELINE, 1, f"coalesce({BROUGHT}, '{{}}')")


def _head(name: str) -> str:
    """How a step begins: what it is, and what it refuses."""
    return (HERE / name).read_text() + "\n"


def sealed(text: str, version: int, name: str, works_with: int, brought: str = NOTHING_BROUGHT) -> str:
    """A step's text with the statement that writes its row, and the checksum in that."""
    text = text.rstrip()
    row = ROW.format(
        version=version, name=name, checksum=checksum(text), works_with=works_with, brought=brought
    )
    return f"{text}\n\n{row}"


def reseal(file: Path) -> bool:
    """Writes a step's checksum anew, after its text was worked on; answers whether it had to."""
    text = file.read_text()
    mark = MARK.search(text)
    if mark is None:
        raise PlatformError(f"{file.name} does not write its row into enrichment.schema_versions.")
    right = checksum(text[: mark.start()])
    if mark["checksum"] == right:
        return False
    file.write_text(text[: mark.start("checksum")] + right + text[mark.end("checksum") :])
    return True


def draft(version: int, name: str) -> str:
    """The step from what the migrations make to what the schemas say, tried: where it does not lead there, a
    TODO says so."""
    steps = steps_in(MIGRATIONS)
    with made_databases() as (stack, was, now):
        before, after = catalogue(stack.superuser_url(was)), catalogue(stack.superuser_url(now))
        edges = stands_on(stack.superuser_url(was))
        statements = Difference(before, after, edges, sources(schema_files().values())).statements()
        statements += _other_rows(_rows(stack.superuser_url(was)), _rows(stack.superuser_url(now)))
        body = "\n\n".join(["set check_function_bodies = off;", *statements, "reset check_function_bodies;"])
        text = _head("next_step.sql").format(version=version, before=version - 1) + body
        doubts = _doubts(text, stack, was, now)
    return sealed("\n\n".join([text, *doubts]), version, name, steps[-1].works_with)


@contextmanager
def made_databases() -> Iterator[tuple[Stack, str, str]]:
    """The stack with two databases, by their names: what the migrations make and what the schemas make."""
    with _databases("from", "to") as (stack, (was, now)):
        stack.migrate(was)
        load_schemas(stack.database_url(now))
        yield stack, was, now


@contextmanager
def database_of_schemas() -> Iterator[str]:
    """The address of a database that the schemas make."""
    with _databases("to") as (stack, (now,)):
        load_schemas(stack.database_url(now))
        yield stack.database_url(now)


@contextmanager
def _databases(*ends: str) -> Iterator[tuple[Stack, list[str]]]:
    """Empty databases on the stack of the tests, named like those of tests, so that what a killed run leaves
    is swept away."""
    stack = Stack("test", durable=False, migrations=MIGRATIONS)
    stack.up(migrated=False, rest=False)
    names = [f"pytest_{os.getpid()}_drafted_{end}" for end in ends]
    try:
        for name in names:
            stack.drop_database(name)
            stack.create_database(name)
        yield stack, names
    finally:
        for name in names:
            stack.drop_database(name)
        stack.down_if_unused()


def load_schemas(database_url: str, files: Mapping[str, str] | None = None) -> None:
    """Makes everything in an empty project as the schema files say, ours or others, in one transaction.
    Raises PlatformError with the file and the line of what fails."""
    with psycopg.connect(database_url) as connection:
        connection.add_notice_handler(lambda notice: None)
        connection.execute("set check_function_bodies = off")
        for name, text in (files or schema_files()).items():
            try:
                with connection.transaction():
                    connection.execute(text.encode())
            except psycopg.Error as error:
                place = f"supabase/schemas/{name}.sql, line {_failing_line(connection, text)}"
                raise PlatformError(f"{place}: {_sentence(error)}") from error


def _failing_line(connection: psycopg.Connection, text: str) -> int:
    """The line of a text whose statement fails, found by running one after the other."""
    for statement in split(text):
        try:
            connection.execute(statement.encode())
        except psycopg.Error as error:
            within = statement.index(bare(statement).partition("\n")[0])
            if error.diag.statement_position:
                within = int(error.diag.statement_position) - 1
            return text.count("\n", 0, text.index(statement) + within) + 1
    return 1


def _rows(superuser_url: str) -> dict[str, list[Any]]:
    """The rows each shipped table holds; none where it is not there yet."""
    rows: dict[str, list[Any]] = {}
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        for name, query in SHIPPED.items():
            with suppress(psycopg.errors.UndefinedTable):
                rows[name] = [row for (row,) in connection.execute(query.encode())]
    return rows


def _other_rows(was: dict[str, list[Any]], now: dict[str, list[Any]]) -> list[str]:
    """What is to be done by hand about rows that we ship, where their table is in both."""
    shown = {name: [json.dumps(rows[name], indent=1) for rows in (was, now)] for name in was.keys() & now}
    return [todo(_rows_of(name), *both) for name, both in sorted(shown.items()) if both[0] != both[1]]


def _rows_of(table: str) -> str:
    return f"the rows of {table}"


def _doubts(text: str, stack: Stack, was: str, now: str) -> list[str]:
    """Runs a step in a database of its own, made by the steps before, and answers a TODO for what fails there
    or is still different afterwards and named by no other TODO."""
    tried = f"{was}_tried"
    stack.drop_database(tried)
    stack.create_database(tried, template=was)
    try:
        if failure := _failure(text, stack.database_url(tried)):
            return [failure]
        urls = [stack.superuser_url(name) for name in (tried, now)]
        left = differences(*map(catalogue, urls))
        rows, wanted = map(_rows, urls)
    finally:
        stack.drop_database(tried)
    left += [_rows_of(name) for name in sorted(rows.keys() | wanted) if rows.get(name) != wanted.get(name)]
    named = set(re.findall(r"(?m)^-- TODO by hand: (.*?)(?: is gone.*)?$", text))
    return [f"-- TODO still different: {what}" for what in left if what not in named]


def _failure(text: str, database_url: str) -> str | None:
    """The TODO that says which statement of a step fails, and why."""
    with psycopg.connect(database_url) as connection:
        connection.add_notice_handler(lambda notice: None)
        for statement in split(text):
            try:
                connection.execute(statement.encode())
            except psycopg.Error as error:
                connection.rollback()
                which = next(iter(bare(statement).splitlines()), "")
                return f"-- TODO it does not apply: {_sentence(error)}, at: {which}"
    return None


def _sentence(error: psycopg.Error) -> str:
    """What Postgres says, in one line."""
    said = (error.diag.message_primary or str(error), error.diag.message_detail)
    return "; ".join(" ".join(part.split()) for part in said if part)


def todos(text: str) -> list[str]:
    """The lines of a step that say what is left to do, its first line's included."""
    return [line for line in text.splitlines() if line.startswith("--") and "TODO" in line]


def write_next(name: str | None) -> None:
    """The baseline where there is none; else the step called `name`, or the checksums of unreleased steps."""
    if name and not re.fullmatch(r"[a-z0-9_]+", name):
        raise PlatformError("NAME says in lower-case words what the step does: NAME=index_due_rows_by_id")
    MIGRATIONS.mkdir(exist_ok=True)
    steps, released = steps_in(MIGRATIONS), read_released()
    unreleased = [MIGRATIONS / f"{step.name}.sql" for step in steps if f"{step.name}.sql" not in released]
    if not steps or (not name and len(steps) == 1 and not released):
        (MIGRATIONS / f"{BASELINE}.sql").write_text(baseline())
        say(f"Wrote the baseline, {BASELINE}.sql.")
    elif name:
        _write_draft(name, steps, unreleased)
    else:
        _look_after(unreleased)


def _write_draft(name: str, steps: tuple[Step, ...], unreleased: list[Path]) -> None:
    """The next step, later than the last; nothing where the schemas ask for none."""
    last = datetime.strptime(steps[-1].cli_version, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    stem = f"{max(datetime.now(UTC), last + timedelta(seconds=1)):%Y%m%d%H%M%S}_{name}"
    text = draft(len(steps) + 1, stem)
    if is_empty(text):
        say("The migrations make what the schemas say: there is nothing to draft.")
        return
    (MIGRATIONS / f"{stem}.sql").write_text(text)
    left = len(todos(text)) - 1
    finish = (
        f"{left} {'TODO' if left == 1 else 'TODOs'} in it, then `make migration`" if left else "no TODO in it"
    )
    say(f"Drafted supabase/migrations/{stem}.sql: its first line is yours to write; {finish}.")
    for line in todos(text)[1:]:
        say(f"  {line}")
    for file in unreleased:
        say(f"{file.name} is not released either: to have one step, delete both and draft again.")


def is_empty(text: str) -> bool:
    """Whether a draft holds nothing between its head and its row."""
    body = text.partition("set check_function_bodies = off;")[2].partition(
        "insert into enrichment.schema_versions"
    )
    return body[0].replace("reset check_function_bodies;", "").strip() == ""


def _look_after(unreleased: list[Path]) -> None:
    """Writes checksums of unreleased steps anew, and tells what is left to do in them."""
    if not unreleased:
        say("Every step is released: there is nothing to do. NAME=what_changes drafts the next.")
    for file in unreleased:
        anew = reseal(file)
        say(f"{file.name}: its checksum {'is written anew' if anew else 'was right already'}.")
        for line in todos(file.read_text()):
            say(f"  {line}")


def read_released() -> dict[str, str]:
    """The checksums of released files, by file name."""
    lines = RELEASED.read_text().splitlines() if RELEASED.exists() else []
    return {Path(name).name: digest for digest, name in (line.split("  ") for line in lines)}


def release() -> None:
    """Freezes every step that is there: from now on its file never changes."""
    released = read_released()
    frozen = dict(released)
    for file in sorted(MIGRATIONS.glob("*.sql")):
        text = file.read_text()
        digest = hashlib.sha256(text.encode()).hexdigest()
        if frozen.setdefault(file.name, digest) != digest:
            raise PlatformError(f"{file.name} is released and was changed since.")
        if file.name not in released:
            _refuse_unfinished(file.name, text)
            say(f"Released {file.name}.")
    lines = (f"{digest}  supabase/migrations/{name}\n" for name, digest in sorted(frozen.items()))
    RELEASED.write_text("".join(lines))


def _refuse_unfinished(name: str, text: str) -> None:
    """Raises PlatformError for a step that says TODO or was edited after its checksum was written."""
    mark = MARK.search(text)
    if "TODO" in text:
        raise PlatformError(f"{name} says TODO.")
    if mark is None or mark["checksum"] != checksum(text[: mark.start()]):
        raise PlatformError(
            f"{name} was edited after its checksum was written: "
            "`make migration` writes it anew; then `make test`."
        )


def main() -> None:
    """`drafting.py draft [NAME]` or `drafting.py release`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["draft", "release"])
    parser.add_argument("name", nargs="?")
    options = parser.parse_args()
    try:
        write_next(options.name) if options.command == "draft" else release()
    except (PlatformError, psycopg.Error) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
