"""StoryGraph's export: no book number, publisher, year or pages; one `ISBN/UID` cell for ISBNs and ASINs.

`Contributors` are narrators and translators, mostly with the role behind the name, and are no authors. The
identity is the host app's hash, over the cells as they stand.
"""

from __future__ import annotations

from . import cells as cell
from .cells import SHELVES, Cells, Remarks
from .rows import ImportRow

LABEL = "StoryGraph"
REQUIRED = ("Title", "Authors", "ISBN/UID", "Read Status")
OPTIONAL = ("Format", "Star Rating", "Date Added", "Tags")
OTHER_NAMES = {"Author": "Authors", "ISBN": "ISBN/UID"}
"""Names of the 2021 exports."""


def import_row(row_number: int, cells: Cells, remarks: Remarks) -> ImportRow:
    """One book. Never raises; `problem` is set when there is no title."""
    title = cells["title"].strip()
    authors = cell.listed(cells["authors"])
    uid = cells["isbn/uid"].strip().replace("-", "")
    isbn, asin = cell.isbn_or_asin(cells["isbn/uid"], remarks)
    shelf = cells["read status"].strip().lower()
    if shelf and shelf not in SHELVES:
        remarks.add("the shelf is the reader's own and was read as to-read")
    return ImportRow(
        row_number=row_number,
        external_id=f"storygraph:{cell.identity_hash(title, authors, uid)}",
        title=cell.squeezed(title),
        authors=tuple(cell.once(map(cell.squeezed, authors))),
        isbn=isbn,
        asin=asin,
        format=cell.binding_word(cells.get("format", "")),
        status=SHELVES.get(shelf, "to_read"),
        rating=cell.rating_of_ten(cells.get("star rating", ""), remarks),
        tags=tuple(cell.listed(cells.get("tags", ""))),
        date_added=cell.iso_date(cells.get("date added", ""), remarks),
        problem=None if title else "the row has no title",
    )
