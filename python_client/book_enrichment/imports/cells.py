"""What the cells of an export mean, one function per kind of cell, shared by both sources.

A value that cannot be read is left out and the book is kept: enrichment may know the year, the reader
certainly wants the book. `Remarks` keeps what was left out, for the notes of the whole file.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Literal

from .rows import Status

Cells = Mapping[str, str]
"""Folded column name → raw cell. Columns the file does not have are absent."""

Remark = Literal[
    "a date could not be read and was left out",
    "a rating could not be read and was left out",
    "a year or page count could not be read and was left out",
    "a spreadsheet turned the ISBN into a rounded number; export again to keep it",
    "an ISBN cell holds something else and was left out",
    "the shelf is the reader's own and was read as to-read",
]
Remarks = set[Remark]
"""What had to be left out or guessed in one row; each function below may add to it."""

SHELVES: Mapping[str, Status] = {
    "read": "completed",
    "to-read": "to_read",
    "currently-reading": "reading",
    "paused": "reading",
    "did-not-finish": "abandoned",
    "dnf": "abandoned",
    "abandoned": "abandoned",
    "dropped": "abandoned",
}

_WORDS = {
    "hardcover": (
        "hardcover, hardback, library binding, school & library binding, leather bound, cloth, turtleback, "
        "gebundene ausgabe, tapa dura, relié, copertina rigida, capa dura"
    ),
    "paperback": (
        "paperback, mass market paperback, trade paperback, perfect paperback, softcover, flexibound, "
        "pocket book, taschenbuch, broschiert, tapa blanda, broché, poche, copertina flessibile, capa comum"
    ),
    "ebook": "ebook, e-book, kindle edition, kindle, nook, epub, digital",
    "audiobook": (
        "audiobook, audible audio, audio cd, audio cassette, audio, audio play, mp3 cd, mp3 book, "
        "preloaded digital audio player"
    ),
    "board book": "board book",
}
BINDINGS: Mapping[str, str] = {word: name for name, words in _WORDS.items() for word in words.split(", ")}
"""The exports' binding, lower case → the format as the library stores it. Goodreads takes its words from
Amazon, so the marketplaces' languages occur. "Unknown Binding" and whatever is not listed stay empty, for
enrichment to fill."""

_SEPARATORS = re.compile(r"[\s'\u2019\u00ad\u2010-\u2015\u2212-]|\.0+$")
_ISBN = re.compile(r"[0-9]{1,12}[0-9X]")
_ASIN = re.compile(r"B[0-9A-Z]{9}")
_ROUNDED = re.compile(r"[0-9][.,][0-9]+E\+?[0-9]+")
_WHOLE = re.compile(r"(-?[0-9]{1,6})(?:\.0+)?")
_DATE = re.compile(r"([0-9]{4})[/.-]([0-9]{1,2})[/.-]([0-9]{1,2})")


def squeezed(cell: str) -> str | None:
    """The text with runs of white space made one space ("J.R.R.  Tolkien"); None when nothing is left."""
    return " ".join(cell.split()) or None


def unwrapped(cell: str) -> str:
    """`="0439023483"`, the exports' way to keep a spreadsheet's hands off a number → `0439023483`."""
    return cell.replace('"', "").replace("=", "").strip()


def isbn_or_asin(cell: str, remarks: Remarks) -> tuple[str | None, str | None]:
    """(ISBN, ASIN) of a cell, at most one of them.

    An ISBN is 2 to 13 digits, the last may be X, as found: whether a zero was lost is proven by the check
    digit, in the database. An ASIN is Amazon's B plus nine; one that looks like an ISBN-10 is one.
    """
    code = _SEPARATORS.sub("", unwrapped(cell)).upper()
    if not code.strip("0"):
        return None, None
    if _ISBN.fullmatch(code):
        return code, None
    if _ASIN.fullmatch(code):
        return None, code
    if _ROUNDED.fullmatch(code):
        remarks.add("a spreadsheet turned the ISBN into a rounded number; export again to keep it")
    else:
        remarks.add("an ISBN cell holds something else and was left out")
    return None, None


def whole(cell: str, low: int, high: int, remarks: Remarks) -> int | None:
    """A year or a count between low and high; 0 and blank mean unknown."""
    text = unwrapped(cell)
    match = _WHOLE.fullmatch(text)
    number = int(match[1]) if match else None
    if number is not None and number != 0 and low <= number <= high:
        return number
    if text and number != 0:
        remarks.add("a year or page count could not be read and was left out")
    return None


def year(cell: str, remarks: Remarks) -> int | None:
    """A year, negative for BC (Goodreads has Caesar at -50)."""
    return whole(cell, -5000, 2200, remarks)


def pages(cell: str, binding: str | None, remarks: Remarks) -> int | None:
    """1 to 99,999 pages. None for audiobooks: Goodreads counts hours or cassettes in the same column."""
    return None if binding == "audiobook" else whole(cell, 1, 99_999, remarks)


def binding_word(cell: str) -> str | None:
    """The format a binding is stored as, by BINDINGS ("kindle_edition" is "Kindle Edition")."""
    return BINDINGS.get(" ".join(cell.replace("_", " ").lower().split()))


def iso_date(cell: str, remarks: Remarks) -> str | None:
    """2024/03/09 or 2024-3-9 → 2024-03-09. Day-first and month-first dates are ambiguous and left out."""
    text = cell.strip()
    if not text:
        return None
    try:
        if match := _DATE.fullmatch(text):
            return date(*map(int, match.groups())).isoformat()
    except ValueError:
        pass
    remarks.add("a date could not be read and was left out")
    return None


def rating_of_ten(cell: str, remarks: Remarks) -> int | None:
    """0 to 5 stars → 1 to 10. Quarter stars round to even (4.25 → 8), as the host app does; 0 is unrated."""
    text = unwrapped(cell).replace(",", ".")
    if re.fullmatch(r"[0-5](\.[0-9]{1,4})?", text) and float(text) <= 5:
        return round(float(text) * 2) or None
    if text:
        remarks.add("a rating could not be read and was left out")
    return None


def listed(cell: str) -> list[str]:
    """Comma separated values, stripped, each once whatever its case, in order."""
    return once(part.strip() for part in cell.split(","))


def once(values: Iterable[str | None]) -> list[str]:
    """Non-empty values, each once whatever its case, in order; the first spelling stays."""
    kept: dict[str, str] = {}
    for value in values:
        if value:
            kept.setdefault(value.lower(), value)
    return list(kept.values())


def identity_hash(title: str, authors: Iterable[str], uid: str, *shelf: str) -> str:
    """The host app's identity of a book without a number: sha256 hex; all but the uid in lower case."""
    parts = [title.lower(), ",".join(author.lower() for author in authors), uid, *map(str.lower, shelf)]
    return hashlib.sha256("|".join(parts).encode()).hexdigest()
