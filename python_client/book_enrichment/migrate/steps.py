"""The steps of supabase/migrations as the package carries them, and the SQL they are made of.

A step is a file `<UTC time>_<name>.sql`; the time is the version the Supabase CLI knows it by, its place
among the files the version of the database. Its last statement writes the step's row into
enrichment.schema_versions, with the checksum of all that stands before.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from book_enrichment.fields import read_registry

SQL = files("book_enrichment") / "sql"
BASELINE = "20260220120000_add_enrichment_queue"

# What may hide a semicolon: comments, literals, quoted names, bodies between dollar signs.
TOKENS = re.compile(
    r"""--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|"(?:[^"]|"")*"|(\$\w*\$).*?\1|(?P<end>;)""", re.DOTALL
)
FUNCTION = re.compile(r"create (?:or replace )?function (\w+\.\w+)(\(.*?)\bas (\$\w*\$)(.*?)\3", re.DOTALL)
OBJECT = re.compile(
    r"^create (?:unique )?(?P<kind>view|index|trigger|policy) (?P<name>[\w.]+)"
    r"(?:[^;]*? on (?P<table>[\w.]+))?",
    re.MULTILINE,
)
MARK = re.compile(
    r"insert into enrichment\.schema_versions .*?"
    r"\((?P<version>\d+), '(?P<name>\w+)', '(?P<checksum>[0-9a-f]{64})', (?P<works_with>\d+),",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Step:
    """One file of supabase/migrations."""

    version: int
    name: str
    text: str

    @property
    def cli_version(self) -> str:
        """What the Supabase CLI calls it: the time at the beginning of its name."""
        return self.name.partition("_")[0]

    @property
    def cli_name(self) -> str:
        """The rest of its name."""
        return self.name.partition("_")[2]

    @property
    def checksum(self) -> str:
        """sha256 of what stands before the statement that writes the step's row."""
        mark = MARK.search(self.text)
        return checksum(self.text[: mark.start()] if mark else self.text)

    @property
    def works_with(self) -> int:
        """The oldest version whose package still works with a database that has seen this step."""
        mark = MARK.search(self.text)
        return int(mark["works_with"]) if mark else self.version

    def statements(self) -> list[str]:
        """Its statements, as the Supabase CLI keeps them in its history."""
        return [statement.rstrip(";").strip() for statement in split(self.text)]


@cache
def released_steps() -> tuple[Step, ...]:
    """The steps this package carries, first to last."""
    return steps_in(SQL / "migrations")


def steps_in(folder: Traversable) -> tuple[Step, ...]:
    """The steps in a folder, in the order of their times."""
    found = sorted(
        (file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name
    )
    return tuple(
        Step(version, Path(file.name).stem, file.read_text(encoding="utf-8"))
        for version, file in enumerate(found, start=1)
    )


def checksum(text: str) -> str:
    """sha256 of a text, as hexadecimal digits; white space at its end does not count."""
    return hashlib.sha256(text.rstrip().encode()).hexdigest()


def split(text: str) -> list[str]:
    """The statements of a text, each with its semicolon and the comments before it."""
    ends = [token.end() for token in TOKENS.finditer(text) if token["end"]]
    pieces = [text[begin:end].strip() for begin, end in zip([0, *ends], [*ends, len(text)], strict=True)]
    return [piece for piece in pieces if piece]


def bare(statement: str) -> str:
    """A statement without the lines of comment before and in it."""
    return re.sub(r"(?m)^\s*--[^\n]*(\n|\Z)", "", statement).strip()


def schema_files() -> dict[str, str]:
    """The present definition of everything: each file of supabase/schemas by `room/thing`, in loading
    order."""
    rooms = sorted(
        (room for room in (SQL / "schemas").iterdir() if room.is_dir()), key=lambda room: room.name
    )
    return {
        f"{room.name}/{Path(file.name).stem}": file.read_text(encoding="utf-8")
        for room in rooms
        for file in sorted(room.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".sql")
    }


def host_columns() -> list[tuple[str, str]]:
    """The columns of the library's tables that we read or write, as the function of that name lists them, but
    for those that a step adds."""
    filled = [(f"{row['field'].partition('.')[0]}s", row["column"]) for row in read_registry()]
    listed = re.findall(
        r"^        \('(\w+)', '([a-z0-9_ ]+)'\)", schema_files()["80_operating/installation"], re.MULTILINE
    )
    read = [(table, column) for table, columns in listed for column in columns.split()] + filled
    return [place for place in read if place not in columns_brought()]


def columns_brought() -> set[tuple[str, str]]:
    """The columns of the library's tables that a step adds where a host has none: the three of works, and
    those of later fields."""
    added = re.compile(r"alter table public\.(\w+)((?:\s+add column if not exists \w+[^;,]*,?)+);")
    return {
        (table, column)
        for step in released_steps()
        for table, columns in added.findall(step.text)
        for column in re.findall(r"add column if not exists (\w+)", columns)
    }


def definition() -> str:
    """All schema files as one text that makes everything anew. Bodies are not looked into while it runs, so
    that a function may stand before the table it reads."""
    rooms = (f"-- {name}\n\n{text.strip()}\n" for name, text in schema_files().items())
    return "set check_function_bodies = off;\n\n" + "\n".join(rooms) + "\nreset check_function_bodies;\n"


def expected_objects() -> dict[str, str]:
    """What this package's version has: the md5 of each function's body by its name with its schema, and
    nothing for `view schema.name`, `index schema.name`, `trigger name` and `policy name`, which only have
    to be there."""
    text = definition()
    return bodies_in(text) | {name: "" for name in objects_in(text)}


def objects_in(text: str) -> dict[str, str]:
    """The statement that makes each view, index, trigger and policy of a text, by its kind and name. An index
    is in the schema of its table."""
    objects = {}
    for statement in split(text):
        if made := OBJECT.search(statement):
            kind, name, table = made["kind"], made["name"], made["table"]
            if kind == "index":
                name = f"{table.partition('.')[0]}.{name}"
            objects[f"{kind} {name}"] = statement
    return objects


def bodies_in(text: str) -> dict[str, str]:
    """The md5 of the body of each function that a text makes, by its name with its schema. One that runs as
    its owner has that written behind its body."""
    bodies = {
        name: body + (" security definer" if "security definer" in head else "")
        for name, head, _, body in FUNCTION.findall(text)
    }
    return {
        name: hashlib.md5(body.encode(), usedforsecurity=False).hexdigest() for name, body in bodies.items()
    }
