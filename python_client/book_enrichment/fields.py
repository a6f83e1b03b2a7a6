"""The fields that may be filled, from the registry that the database's own statements are made of.

`fields.tsv` is supabase/data/fields.tsv. API, command line and page take names, labels and order from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

Kind = Literal["image", "text", "year", "date", "isbn", "language", "word", "number", "minutes"]


@dataclass(frozen=True, slots=True)
class Field:
    """A field as programs and people know it."""

    name: str
    label: str
    kind: Kind


def read_registry() -> list[dict[str, Any]]:
    """Each field's line by column name; a - there is an empty text."""
    text = (files("book_enrichment") / "fields.tsv").read_text(encoding="utf-8")
    _, columns, *lines = [line.split("\t") for line in text.splitlines()]
    return [
        {column: "" if value == "-" else value for column, value in zip(columns, line, strict=True)}
        for line in lines
    ]


FIELDS = tuple(Field(row["field"], row["label"], row["kind"]) for row in read_registry())
NAMES = tuple(field.name for field in FIELDS)
