"""What is kept of a reply: the fields that are looked at, as jsonb can hold them, in a size that books have.

Nothing here judges whether a reply is the right book, and nothing raises, whatever types it meets.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

MAX_TEXT = 1_000
MAX_DESCRIPTION = 10_000
MAX_ITEMS = 100
MAX_DEPTH = 8
MAX_BOOK_CHARS = 32_000
"""Of a trimmed book as JSON, usually 1,000 to 2,000. A larger one is no book's."""

NOT_STORABLE = re.compile("[\x00\ud800-\udfff]")
"""NUL, which jsonb refuses, and surrogates, which are lone if they survived the JSON parser."""
SERIES_SUFFIX = re.compile(r"\s*\([^()]*#\s*\d[^()]*\)\s*$")


def clean_text(text: str, limit: int = MAX_TEXT) -> str:
    return NOT_STORABLE.sub("", text[:limit])


def clean_json(value: Any, depth: int = MAX_DEPTH) -> Any:
    """The value as jsonb can hold it and a parser can bear it.

    No NUL, no lone surrogates; numbers finite and within 64 bits, else null; texts cut at 1,000 characters
    (10,000 under the key `description`), lists and objects at 100 items; null below eight levels.
    """
    if isinstance(value, str):
        return clean_text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth == 0:
        return None
    if isinstance(value, list):
        return [clean_json(item, depth - 1) for item in value[:MAX_ITEMS]]
    if isinstance(value, dict):
        items = list(value.items())[:MAX_ITEMS]
        return {clean_text(str(key)): clean_member(str(key), item, depth - 1) for key, item in items}
    return None


def clean_member(key: str, value: Any, depth: int) -> Any:
    """A description may be long, plain or as Open Library's {"type", "value"}."""
    if key == "description" and isinstance(value, dict):
        value = value.get("value")
    if key == "description" and isinstance(value, str):
        return clean_text(value, MAX_DESCRIPTION)
    return clean_json(value, depth)


def picked(source: dict[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    """Those of the fields that hold something, cleaned."""
    kept = {field: source[field] for field in fields if source.get(field) not in (None, "", [])}
    cleaned: dict[str, Any] = clean_json(kept)
    return cleaned


def sized(book: dict[str, Any]) -> dict[str, Any]:
    """The book, or nothing when it is too large to be one."""
    return book if len(json.dumps(book)) <= MAX_BOOK_CHARS else {}


def listed(value: Any) -> list[Any]:
    """A list as it is, any other value as a list of one, nothing as an empty list."""
    return value if isinstance(value, list) else [] if value is None else [value]


def search_title(title: str | None) -> str:
    """A title as a search understands it: without its series in brackets."""
    return SERIES_SUFFIX.sub("", clean_text(title or "", 250)).strip()


def isbn13(text: object) -> str | None:
    """The 13-digit form of an ISBN in any spelling, None when it has no ISBN's shape."""
    digits = re.sub(r"[\s-]", "", text).upper() if isinstance(text, str) else ""
    if re.fullmatch("[0-9]{13}", digits):
        return digits
    if not re.fullmatch("[0-9]{9}[0-9X]", digits):
        return None
    body = "978" + digits[:9]
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(body))
    return body + str(-total % 10)
