"""The fields that may be filled, from the registry, `data/fields.tsv`, of which the database's own
statements are made.

API, command line and page take names, labels and order from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from book_enrichment.lists import read_list

Kind = Literal["image", "text", "year", "date", "isbn", "language", "word", "number", "minutes"]


@dataclass(frozen=True, slots=True)
class FillableField:
    """A field that may be filled, as programs and people know it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"use_attribute_docstrings": True}

    name: str
    """As proposals, locks and histories name it: `work.cover_url`."""
    label: str
    """As people call it."""
    kind: Kind
    """What its values are, and so how to show one: a `date` is `2008-09-14`, a `language` mostly a code."""


def read_registry() -> list[dict[str, Any]]:
    """Each field's line by column name; a - there is an empty text."""
    columns, *lines = read_list("fields")
    return [
        {column: "" if value == "-" else value for column, value in zip(columns, line, strict=True)}
        for line in lines
    ]


FIELDS = tuple(FillableField(row["field"], row["label"], row["kind"]) for row in read_registry())
NAMES = tuple(field.name for field in FIELDS)
