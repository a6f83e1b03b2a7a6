"""Goodreads' export: 24 columns or 31 depending on the year; everything we read is in both.

The identity written to `external_ids` is the host app's own, so that a library the host imported is
recognised.
"""

from __future__ import annotations

import re

from . import cells as cell
from .cells import SHELVES, Cells, Remarks
from .rows import ImportRow, Status

LABEL = "Goodreads"
REQUIRED = ("Title", "Author", "ISBN", "ISBN13", "Exclusive Shelf")
OPTIONAL = (
    "Book Id",
    "Additional Authors",
    "My Rating",
    "Publisher",
    "Binding",
    "Number of Pages",
    "Year Published",
    "Original Publication Year",
    "Date Added",
    "Bookshelves",
)
OTHER_NAMES: dict[str, str] = {}


def import_row(row_number: int, cells: Cells, remarks: Remarks) -> ImportRow:
    """One book. Never raises; `problem` is set when there is no title."""
    title = cells["title"].strip()
    authors = cell.once([cells["author"].strip(), *cell.listed(cells.get("additional authors", ""))])
    isbn13, asin13 = cell.isbn_or_asin(cells["isbn13"], remarks)
    isbn10, asin10 = cell.isbn_or_asin(cells["isbn"], remarks)
    shelf, shelves = cells["exclusive shelf"].strip(), cells.get("bookshelves", "")
    status = shelf_status(shelf, shelves, remarks)
    binding = cell.binding_word(cells.get("binding", ""))
    book_id = cell.unwrapped(cells.get("book id", ""))
    if not re.fullmatch(r"[0-9]{1,20}", book_id):
        uid = host_uid(cells["isbn"], cells["isbn13"])
        book_id = cell.identity_hash(title, authors, uid, shelf or shelves)
    return ImportRow(
        row_number=row_number,
        external_id=f"goodreads:{book_id}",
        title=cell.squeezed(title),
        authors=tuple(cell.once(map(cell.squeezed, authors))),
        isbn=isbn13 or isbn10,
        isbn_alternate=isbn10 if isbn13 else None,
        asin=asin10 or asin13,
        publisher=cell.squeezed(cells.get("publisher", "")),
        published_year=cell.year(cells.get("year published", ""), remarks),
        first_publish_year=cell.year(cells.get("original publication year", ""), remarks),
        total_pages=cell.pages(cells.get("number of pages", ""), binding, remarks),
        format=binding,
        status=status,
        rating=cell.rating_of_ten(cells.get("my rating", ""), remarks),
        tags=tuple(tag for tag in cell.listed(shelves.lower()) if tag not in SHELVES),
        date_added=cell.iso_date(cells.get("date added", ""), remarks),
        problem=None if title else "the row has no title",
    )


def shelf_status(shelf: str, shelves: str, remarks: Remarks) -> Status:
    """The exclusive shelf's status; for a shelf of the reader's own, the first known one among the others."""
    for name in (shelf.lower(), *cell.listed(shelves.lower())):
        if name in SHELVES:
            return SHELVES[name]
    if shelf:
        remarks.add("the shelf is the reader's own and was read as to-read")
    return "to_read"


def host_uid(isbn: str, isbn13: str) -> str:
    """The ISBN inside the host's identity hash: ISBN13 or ISBN, whichever first has the shape of one."""
    codes = [cell.unwrapped(code).replace("-", "") for code in (isbn13, isbn)]
    shaped = (code for code in codes if re.fullmatch(r"[0-9Xx]{10}|[0-9]{13}", code))
    return next(shaped, codes[0] or codes[1])
