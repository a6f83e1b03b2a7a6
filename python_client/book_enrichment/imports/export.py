"""A whole file: whose export it is, its rows in order, and what the reader should be told about it.

`parsing.py` has made records of the bytes; here the header decides between the sources, and each record below
it becomes one `ImportRow`, read by its source or refused with the reason.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from . import goodreads, storygraph
from .cells import Cells, Remark, Remarks
from .parsing import (
    DAMAGE,
    DELIMITERS,
    MAX_FILE_BYTES,
    Encoding,
    ImportFileError,
    Record,
    decoded,
    lines_of,
    records,
)
from .rows import ImportRow


@dataclass(frozen=True)
class Export:
    """What a file holds."""

    source: str
    """`goodreads` or `storygraph`, as `import_library` names it."""
    rows: list[ImportRow]
    """Every data line once, in file order, row numbers rising; unreadable ones carry `problem`."""
    encoding: Encoding
    notes: list[str]
    """Sentences for the reader about what was guessed or left out; empty when all went by the book."""


@dataclass(frozen=True)
class Source:
    """A kind of export: its columns and how a row of it is read."""

    label: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    other_names: dict[str, str]
    import_row: Callable[[int, Cells, Remarks], ImportRow]

    def positions(self, header: list[str]) -> dict[str, int]:
        """Folded name of each column we read → its first place in the header."""
        other = {folded(name): folded(standard) for name, standard in self.other_names.items()}
        wanted = {folded(name) for name in self.required + self.optional}
        names = [folded(name) for name in header]
        places = {other[name]: names.index(name) for name in names if name in other}
        return places | {name: names.index(name) for name in names if name in wanted}

    def missing(self, header: list[str]) -> list[str]:
        """Required columns the header lacks."""
        found = self.positions(header)
        return [name for name in self.required if folded(name) not in found]


SOURCES = {
    name: Source(module.LABEL, module.REQUIRED, module.OPTIONAL, module.OTHER_NAMES, module.import_row)
    for name, module in (("goodreads", goodreads), ("storygraph", storygraph))
}
"""`import_source` → how to read it."""


def read_export_file(path: str | os.PathLike[str], source: str | None = None) -> Export:
    """`read_export` of a file; one above MAX_FILE_BYTES is refused by its size, before it is read.

    Raises ImportFileError, also when there is no such file or it may not be read.
    """
    try:
        with open(path, "rb") as file:
            refuse_size(os.fstat(file.fileno()).st_size)
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        message = f"{os.fspath(path)} cannot be read: {error.strerror}"
        raise ImportFileError(message, "Check the path.") from None
    return read_export(data, source)


def read_export(data: bytes, source: str | None = None) -> Export:
    """Read a whole export.

    data: the file's bytes, at most MAX_FILE_BYTES. source: `goodreads` or `storygraph`; None finds out by the
    header. Comma, semicolon or tab; UTF-8, UTF-16 or Windows-1252. A header without books gives no rows and a
    note.

    Raises ImportFileError when the file is too large, empty, no CSV, not one of these exports, or not the one
    named. A line that cannot be read raises nothing: it is a row with `problem`.
    """
    refuse_size(len(data))
    text, encoding = decoded(data)
    lines = lines_of(text)
    header, delimiter = header_of(lines)
    found = source_of(header.cells, source)
    remarks: Counter[Remark] = Counter()
    rows = list(import_rows(lines, delimiter, header, SOURCES[found], remarks))
    often_first = sorted(remarks.items(), key=lambda counted: (-counted[1], counted[0]))
    notes = [f"{count} {'row' if count == 1 else 'rows'}: {remark}" for remark, count in often_first]
    if encoding == "cp1252":
        notes.insert(0, "not UTF-8, so read as Windows-1252; look whether accents came out right")
    if not rows:
        notes.append("the file has a header and no books")
    return Export(found, rows, encoding, notes)


def import_rows(
    lines: list[str], delimiter: str, header: Record, source: Source, remarks: Counter[Remark]
) -> Iterator[ImportRow]:
    """The records below the header as rows; remarks counts how many rows each remark is about."""
    places = source.positions(header.cells)
    width = len(header.cells)
    for record in records(lines, delimiter):
        if record.number <= header.number:
            continue
        cells = {name: record.cells[place] for name, place in places.items() if place < len(record.cells)}
        if problem := record.problem or cell_count_problem(record, width) or damage_problem(record, cells):
            title = " ".join(DAMAGE.sub("\ufffd", cells.get("title", "")).split()) or None
            yield ImportRow(record.number, title=title, problem=problem)
        else:
            remarked: Remarks = set()
            yield source.import_row(record.number, cells, remarked)
            remarks.update(remarked)


def cell_count_problem(record: Record, width: int) -> str | None:
    """Too few cells, or too many that hold something: spreadsheets append empty ones."""
    count = len(record.cells)
    if count < width or any(map(str.strip, record.cells[width:])):
        return f"line {record.line}: {count} cells where the header has {width}"
    return None


def damage_problem(record: Record, cells: Cells) -> str | None:
    """Characters the database cannot store, in a cell we read; in a review they are harmless."""
    if any(map(DAMAGE.search, cells.values())):
        return f"line {record.line}: damaged characters (NUL bytes or broken UTF-8)"
    return None


def header_of(lines: list[str]) -> tuple[Record, str]:
    """The first record that is not blank, and the delimiter under which it shows most columns we know.

    Raises ImportFileError for a file without one.
    """
    if lines and "\0" in lines[0]:
        raise ImportFileError("This is a binary file, or UTF-16 without its byte order mark")
    firsts = [(next(records(lines, delimiter), None), delimiter) for delimiter in DELIMITERS]
    headers = [(record, delimiter) for record, delimiter in firsts if record]
    if not headers:
        raise ImportFileError("The file is empty")

    def columns_known(header: tuple[Record, str]) -> int:
        return max(len(source.positions(header[0].cells)) for source in SOURCES.values())

    return max(headers, key=columns_known)


def source_of(header: list[str], named: str | None) -> str:
    """The export this header belongs to; raises ImportFileError when it is none, or not the one named."""
    if named is not None and named not in SOURCES:
        raise ImportFileError(f"There is no import source {named!r}", f"Sources: {', '.join(SOURCES)}.")
    fitting = [name for name, source in SOURCES.items() if not source.missing(header)]
    if named in fitting or (fitting and named is None):
        return named or fitting[0]
    if named is not None and fitting:
        raise ImportFileError(
            f"This is a {SOURCES[fitting[0]].label} export, not one of {SOURCES[named].label}",
            f"Name the source {fitting[0]}, or none: the header tells.",
        )
    nearest = SOURCES[named or max(SOURCES, key=lambda name: len(SOURCES[name].positions(header)))]
    missing = ", ".join(nearest.missing(header))
    raise ImportFileError(
        f"This is not the header of a {nearest.label} export; missing: {missing}",
        "Understood are the CSV exports of Goodreads and StoryGraph, with their header line.",
    )


def folded(name: str) -> str:
    """A column name as it is compared: "  my  rating " is "My Rating"."""
    return " ".join(name.replace("_", " ").replace("\ufeff", "").lower().split())


def refuse_size(size: int) -> None:
    """Raises ImportFileError for more than MAX_FILE_BYTES."""
    if size > MAX_FILE_BYTES:
        raise ImportFileError(
            f"The file is larger than {MAX_FILE_BYTES >> 20} MB",
            "A library export is a few MB at most; split a larger one and repeat the header line.",
        )
