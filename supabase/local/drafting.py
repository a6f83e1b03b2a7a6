"""`make migration`: the next step of supabase/migrations, drafted from what the schemas say now.

Without a baseline it writes that: all schema files in one. Later, `NAME=what_changes` drafts a step from
the difference between a database made by all migrations and one made by the schemas: changed functions,
views, triggers, policies, comments and grants whole, and for tables what differs, to be finished by hand.
Without NAME the checksums of unreleased steps are written anew, after such work. `make release` freezes
what is there: supabase/released.sha256 then names each file, and a test compares.
"""

import argparse
import difflib
import hashlib
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from book_enrichment.migrate.steps import BASELINE, MARK, checksum, definition, schema_files, split, steps_in
from catalogue import catalogue, differences
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


def reseal(file: Path) -> None:
    """Writes a step's checksum anew, after its text was worked on."""
    text = file.read_text()
    mark = MARK.search(text)
    if mark is None:
        raise PlatformError(f"{file.name} does not write its row into enrichment.schema_versions.")
    right = checksum(text[: mark.start()])
    if mark["checksum"] != right:
        file.write_text(text[: mark.start("checksum")] + right + text[mark.end("checksum") :])
        say(f"{file.name}: its checksum is written anew.")


def draft(version: int, name: str) -> str:
    """The step from what the migrations make to what the schemas say."""
    with both_catalogues() as (was, now):
        changed = differences(was, now)
        ours = [key for key in changed if " pg_catalog." not in key]
        statements = [*_drops(ours, was, now), *_creations(ours, was, now)]
    head = _head("next_step.sql").format(version=version, before=version - 1)
    body = (
        "set check_function_bodies = off;\n\n" + "\n\n".join(statements) + "\n\nreset check_function_bodies;"
    )
    return sealed(head + body, version, name, version - 1)


@contextmanager
def both_catalogues() -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """What the migrations make and what the schemas make, each in a database of its own."""
    stack = Stack("test", durable=False)
    stack.up(migrated=False, rest=False)
    names = ("drafted_from", "drafted_to")
    try:
        for name in names:
            stack.drop_database(name)
            stack.create_database(name)
        stack.migrate(names[0])
        load_schemas(stack.database_url(names[1]))
        was, now = (catalogue(stack.superuser_url(name)) for name in names)
        yield was, now
    finally:
        for name in names:
            stack.drop_database(name)
        stack.down_if_unused()


def load_schemas(database_url: str) -> None:
    """Makes everything in an empty project as the schema files say, in one transaction."""
    with psycopg.connect(database_url) as connection:
        connection.add_notice_handler(lambda notice: None)
        connection.execute(definition().encode())


def _sources() -> dict[str, str]:
    """Each object's statements in the schema files, by what they make: its kind and its name."""
    sources: dict[str, str] = {}
    for text in schema_files().values():
        for statement in split(text):
            statement = re.sub(r"\A(--[^\n]*\n)+\n+", "", statement)  # the head of a file
            bare = re.sub(r"(?m)^\s*--[^\n]*\n", "", statement).strip()
            made = re.match(
                r"create (?:unique )?(table|view|function|type|trigger|index|policy) ([\w.]+)", bare
            )
            told = re.match(r"comment on (\w+) ([\w.]+)", bare)
            if made:
                sources[f"{made[1]} {made[2].rpartition('.')[2]}"] = statement
            elif told:
                sources[f"comment {told[1]} {told[2].partition('.')[2]}"] = statement
    return sources


def _drops(changed: list[str], was: dict[str, str], now: dict[str, str]) -> list[str]:
    """What goes, and what has to go before it can be made anew. Views first: they stand on the rest."""
    order = ["VIEW", "TRIGGER", "POLICY", "INDEX", "FUNCTION", "TYPE", "TABLE"]
    drops = []
    for key in sorted(changed, key=lambda key: order.index(kind) if (kind := key.split()[0]) in order else 9):
        kind, name = key.split(" ", 1)
        if key not in was or kind not in order:
            continue
        if key in now and not (
            kind in ("VIEW", "TRIGGER", "POLICY", "INDEX") or _has_other_result(was[key], now[key])
        ):
            continue
        if kind in ("TRIGGER", "POLICY"):
            schema, _, rest = name.partition(".")
            table, _, own = rest.partition(" ")
            drops.append(f"drop {kind.lower()} {own} on {schema}.{table};")
        else:
            drops.append(f"drop {kind.lower()} {name};")
    return drops


def _has_other_result(was: str, now: str) -> bool:
    """Whether a function answers something else, or takes other defaults: it cannot be replaced then."""
    if not was.startswith("CREATE FUNCTION"):
        return False
    return was.splitlines()[0] != now.splitlines()[0]


def _creations(changed: list[str], was: dict[str, str], now: dict[str, str]) -> Iterator[str]:
    """What comes, in the words of the schema files, in the order in which they make it."""
    sources = _sources()
    rank = {name: number for number, name in enumerate(sources)}

    def source_of(key: str) -> str:
        kind, name = key.split(" ", 1)
        name = name.partition(".")[2]
        if kind == "COMMENT":
            told, _, rest = name.partition(" ")
            return f"comment {told.lower()} {rest.partition('(')[0]}"
        if kind in ("TRIGGER", "POLICY"):
            name = name.partition(" ")[2]
        return f"{kind.lower()} {name.partition('(')[0]}"

    def place(key: str) -> int:
        return rank.get(source_of(key), len(rank))

    for key in sorted((key for key in changed if key in now), key=place):
        kind = key.split(" ", 1)[0]
        source = sources.get(source_of(key))
        if kind == "FUNCTION" and source and key in was and not _has_other_result(was[key], now[key]):
            yield source.replace("create function", "create or replace function", 1)
        elif kind == "ACL":
            continue
        elif kind in ("TABLE", "CONSTRAINT", "SEQUENCE") and key in was:
            yield _by_hand(key, was[key], now[key])
        elif source:
            yield source
        else:
            yield _by_hand(key, was.get(key, ""), now[key])
    yield from _rights([key for key in changed if key.startswith("ACL ") and key in now], now)


def _rights(changed: list[str], now: dict[str, str]) -> Iterator[str]:
    """Who may do what: all is taken from everybody in one statement a kind, then given as pg_dump says."""
    closed: dict[str, list[str]] = {}
    given = []
    for key in changed:
        lines = now[key].lower().splitlines()
        what = re.search(r" on (function|table|schema|type) (.*) (?:from|to) ", lines[0])
        if what is None:
            given.append(_by_hand(key, "", now[key]))
            continue
        closed.setdefault(what[1], []).append(re.sub(r"\(.*\)", "", what[2]))
        given += [
            line.replace("grant all on function", "grant execute on function")
            for line in lines
            if line.startswith("grant ") and not line.endswith(" to postgres;")
        ]
    for kind, names in closed.items():
        listed = ",\n".join(f"    {name}" for name in sorted(names))
        yield f"revoke all on {kind}\n{listed}\nfrom public, anon, authenticated, service_role;"
    if given:
        yield "\n".join(given)


def _by_hand(key: str, was: str, now: str) -> str:
    lines = difflib.unified_diff(was.splitlines(), now.splitlines(), "was", "is", lineterm="")
    return "\n".join(f"-- TODO by hand: {line}" for line in [key, *lines])


def write_next(name: str | None) -> None:
    """The baseline where there is none; else the step called `name`, or the checksums of unreleased steps."""
    MIGRATIONS.mkdir(exist_ok=True)
    steps = steps_in(MIGRATIONS)
    released = read_released()
    for step in steps:
        if f"{step.name}.sql" not in released:
            reseal(MIGRATIONS / f"{step.name}.sql")
    if not steps or (not name and len(steps) == 1 and not released):
        (MIGRATIONS / f"{BASELINE}.sql").write_text(baseline())
        say(f"Wrote the baseline, {BASELINE}.sql.")
    elif name:
        if not re.fullmatch(r"[a-z0-9_]+", name):
            raise PlatformError("NAME says in lower-case words what the step does: NAME=index_due_rows_by_id")
        stem = f"{datetime.now(UTC):%Y%m%d%H%M%S}_{name}"
        (MIGRATIONS / f"{stem}.sql").write_text(draft(len(steps) + 1, stem))
        say(f"Drafted supabase/migrations/{stem}.sql: read it, finish what says TODO, then `make migration`.")


def read_released() -> dict[str, str]:
    """The checksums of released files, by file name."""
    lines = RELEASED.read_text().splitlines() if RELEASED.exists() else []
    return {Path(name).name: digest for digest, name in (line.split("  ") for line in lines)}


def release() -> None:
    """Freezes every step that is there: from now on its file never changes."""
    released = read_released()
    for file in sorted(MIGRATIONS.glob("*.sql")):
        text = file.read_text()
        if "TODO" in text:
            raise PlatformError(f"{file.name} says TODO.")
        digest = hashlib.sha256(text.encode()).hexdigest()
        if released.setdefault(file.name, digest) != digest:
            raise PlatformError(f"{file.name} is released and was changed since.")
    lines = (f"{digest}  supabase/migrations/{name}\n" for name, digest in sorted(released.items()))
    RELEASED.write_text("".join(lines))


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
