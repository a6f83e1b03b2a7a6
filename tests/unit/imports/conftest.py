"""Helper verbs for import tests: a small Goodreads file from keyword rows, and the samples by name."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from book_enrichment.imports import Export, read_export, read_export_file

REPOSITORY = Path(__file__).parents[3]
COLUMNS = [
    "Book Id", "Title", "Author", "Additional Authors", "ISBN", "ISBN13", "My Rating", "Publisher", "Binding",
    "Number of Pages", "Year Published", "Original Publication Year", "Date Added", "Bookshelves",
    "Exclusive Shelf",
]  # fmt: skip

GoodreadsText = Callable[..., str]
ReadGoodreads = Callable[..., Export]


@pytest.fixture
def goodreads_text() -> GoodreadsText:
    """Text of a Goodreads export: one dict of changed cells per book, the rest as of a plain paperback."""

    def write(*books: dict[str, str], delimiter: str = ",", header: list[str] | None = None) -> str:
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
        writer.writerow(header or COLUMNS)
        for number, book in enumerate(books, start=1):
            plain = {
                "Book Id": str(number),
                "Title": "Emma",
                "Author": "Jane Austen",
                "Exclusive Shelf": "read",
            }
            writer.writerow([(plain | book).get(column, "") for column in COLUMNS])
        return text.getvalue()

    return write


@pytest.fixture
def read_goodreads(goodreads_text: GoodreadsText) -> ReadGoodreads:
    """Reads an export of the given books."""
    return lambda *books: read_export(goodreads_text(*books).encode())


@pytest.fixture
def read_sample() -> Callable[[str], Export]:
    """Reads tests/samples/<name>.csv."""
    return lambda name: read_export_file(REPOSITORY / "tests" / "samples" / f"{name}.csv")


@pytest.fixture
def demo() -> Export:
    """The demo's twenty books."""
    return read_export_file(REPOSITORY / "tests" / "demo" / "demo.csv")
