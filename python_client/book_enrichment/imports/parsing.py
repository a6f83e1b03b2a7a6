"""From the bytes of a file to numbered records: encoding, delimiter, quotes.

What comes in was exported by Goodreads or StoryGraph and then perhaps opened and saved by a spreadsheet, cut
off by a download or mistaken for something else. Trouble with the whole file raises `ImportFileError`;
trouble with one line stays with that line (`Record.problem`), and the next line is read as if nothing had
happened. Which export it is and what the cells mean comes after, in `export.py`, `goodreads.py` and
`storygraph.py`.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

MAX_FILE_BYTES = 20 * 1024 * 1024
"""A library of 10,000 books with reviews is about 5 MB."""
MAX_RECORDS = 50_000
"""Lines with something in them. More could not be sent in time; three million open quotes took 100 s."""
MAX_LINES = 1_000_000
"""Blank ones and those within reviews too: each costs memory, whatever is in it."""
MAX_READINGS = 5
"""How often, in all, open quotes may make us read the file again: one reading of 20 MB takes 0.3 s."""

Encoding = Literal["utf-8", "utf-16", "cp1252", "damaged utf-8"]
DELIMITERS = (",", ";", "\t")
DAMAGE = re.compile("[\0\udc80-\udcff]")
"""Characters Postgres cannot store: NUL, and the surrogates that stand for bytes which are not UTF-8."""

_OTHER_FILES = (
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a spreadsheet or zip archive"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"<", "a web page or XML"),
    (b"{", "JSON"),
    (b"[", "JSON"),
)
_EXPORT_AGAIN = "Export your library from Goodreads or StoryGraph again and import the .csv file unchanged."
_IN_PARTS = "Import it in parts, each with the header line; books that are there already stay as they are."
_END = "\x1eend of file\x1e"
"""A line put after another one; a quote still open would swallow it."""


class ImportFileError(ValueError):
    """The file as a whole cannot be imported. `message` says why, `hint` what to do; nothing was read."""

    def __init__(self, message: str, hint: str = _EXPORT_AGAIN) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Record:
    """One CSV record."""

    number: int
    """Counts records, blank ones too, as a spreadsheet counts rows; the first line of a file is 1."""
    line: int
    """Its first physical line, from 1."""
    cells: list[str]
    problem: str | None = None


def decoded(data: bytes) -> tuple[str, Encoding]:
    """The text of a file and the name of its encoding: utf-8, utf-16, cp1252, or "damaged utf-8".

    UTF-16 needs its byte order mark. What is not strict UTF-8 is Windows-1252, the one other encoding
    spreadsheets save these exports in; no statistics, because a guess over a few accented titles changes with
    the titles. But when most non-ASCII characters are sound UTF-8, some bytes were damaged underway: those
    stay visible as surrogates (see DAMAGE), so that only their lines are lost and not every accent in the
    file.

    Raises ImportFileError for an empty file, another kind of file, and text in none of these encodings.
    """
    start = data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    if not data.removeprefix(b"\xef\xbb\xbf").strip():
        raise ImportFileError("The file is empty")
    for magic, name in _OTHER_FILES:
        if start.startswith(magic):
            raise ImportFileError(f"This is {name}, not a CSV file")
    try:
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            return data.decode("utf-16"), "utf-16"
        try:
            return data.decode("utf-8-sig"), "utf-8"
        except UnicodeDecodeError:
            text = data.decode("utf-8-sig", errors="surrogateescape")
            damaged = len(text) - len(text.encode("utf-8", errors="ignore").decode("utf-8"))
            accented = len(text) - len(text.encode("ascii", errors="ignore"))
            if accented > 2 * damaged:
                return text, "damaged utf-8"
            return data.decode("cp1252"), "cp1252"
    except UnicodeDecodeError:
        raise ImportFileError("The file is not text in UTF-8, UTF-16 or Windows-1252") from None


def lines_of(text: str) -> list[str]:
    """Physical lines with their ends (CR, LF, CRLF, nothing else), without the "sep=;" of Excel.

    Raises ImportFileError for more than MAX_LINES.
    """
    if max(text.count("\n"), text.count("\r")) > MAX_LINES:
        raise ImportFileError(f"The file has more than {MAX_LINES:,} lines", _IN_PARTS)
    lines = list(io.StringIO(text, newline=""))
    return lines[1:] if lines and re.fullmatch(r'"?sep=[,;\t]"?\s*', lines[0]) else lines


def records(lines: list[str], delimiter: str) -> Iterator[Record]:
    """Every record of the file, the header first; blank ones are counted but not yielded.

    A quote that is never closed swallows lines up to the next quote or the end of the file. So records are
    read strictly; where that fails the one physical line is read leniently by itself, and reading goes on
    with the next.

    Raises ImportFileError when that costs more than MAX_READINGS: then the file is not quoted as CSV at all;
    and for more than MAX_RECORDS below the header.
    """
    for count, record in enumerate(_all_records(lines, delimiter)):
        if count > MAX_RECORDS:
            raise ImportFileError(f"The file has more than {MAX_RECORDS:,} books", _IN_PARTS)
        yield record


def _all_records(lines: list[str], delimiter: str) -> Iterator[Record]:
    number, first, swallowed = 0, 0, 0
    while first < len(lines):
        remaining = map(lines.__getitem__, range(first, len(lines)))
        reader = csv.reader(remaining, delimiter=delimiter, strict=True)
        last = first
        try:
            for cells in reader:
                number += 1
                if any(map(str.strip, cells)):
                    yield Record(number, last + 1, cells)
                last = first + reader.line_num
            return
        except csv.Error:
            number += 1
            cells, problem = _line_by_itself(lines[last], delimiter)
            yield Record(number, last + 1, cells, problem and f"line {last + 1}: {problem}")
            swallowed += first + reader.line_num - last
            if swallowed > MAX_READINGS * len(lines) + 1_000:
                raise ImportFileError(
                    "The quotes of this file do not match: too many are never closed"
                ) from None
            first = last + 1


def _line_by_itself(line: str, delimiter: str) -> tuple[list[str], str | None]:
    """The cells of one physical line, and what is wrong with it."""
    try:
        cells, *rest = csv.reader([line.rstrip("\r\n") + "\n", _END], delimiter=delimiter)
    except csv.Error:
        return [], f"a cell is longer than {csv.field_size_limit():,} characters"
    return (cells, None) if rest == [[_END]] else (cells[:-1], "a quote is opened and never closed")
