"""How a row of a verb's answer becomes a record.

It is read by column name. The two transports speak differently (PostgREST sends strings and JSON numbers,
psycopg sends objects), so a value is decoded by the type its field is annotated with, and both end in equal
records. The records themselves are in records.py.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, ClassVar, Self
from uuid import UUID

from book_enrichment.errors import MIGRATE, VersionMismatch
from book_enrichment.providers import Lookup


def _datetime(value: Any) -> datetime | None:
    if value == "infinity":  # a row that waits for a switch has no moment to name
        return None
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return moment.astimezone(UTC)


def _uuid(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)


def _as_it_is(value: Any) -> Any:
    return value


@cache
def _decoder(annotation: Any) -> Callable[[Any], Any]:
    """The function that turns a column's value, from either transport, into the annotated type."""
    if annotation is datetime:
        return _datetime
    if annotation is UUID:
        return _uuid
    if annotation is float:
        return float
    if annotation is Lookup:
        return Lookup.from_row
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        (inner,) = (_decoder(part) for part in typing.get_args(annotation) if part is not types.NoneType)
        return lambda value: None if value is None else inner(value)
    if typing.get_origin(annotation) is tuple:
        element = _decoder(typing.get_args(annotation)[0])
        return lambda value: tuple(element(each) for each in value or ())
    return _as_it_is


@cache
def _decoders(record: Any) -> dict[str, Callable[[Any], Any]]:
    hints = typing.get_type_hints(record)
    return {field.name: _decoder(hints[field.name]) for field in dataclasses.fields(record)}


@dataclass(frozen=True, slots=True)
class Record:
    """A row of a verb's answer. Columns it does not know are ignored: a newer database may say more."""

    # The docstrings under the fields are what the API says of them.
    __pydantic_config__: ClassVar[dict[str, Any]] = {"use_attribute_docstrings": True}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Read by column name. VersionMismatch where the database leaves out a column that this names."""
        decoders = _decoders(cls)  # type: ignore[arg-type]  # mypy takes a class for unhashable
        try:
            return cls(**{name: decode(row[name]) for name, decode in decoders.items()})
        except KeyError:
            missing = decoders.keys() - row.keys()
            if not missing:
                raise
            raise VersionMismatch(
                f"the database is older than this package: it has no {', '.join(sorted(missing))}",
                hint=MIGRATE,
            ) from None
