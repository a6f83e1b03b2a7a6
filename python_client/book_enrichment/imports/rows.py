"""One line of a reader's export, in the shape `import_library` takes.

Every data line of a file becomes exactly one `ImportRow`, also a line nobody can read: that one carries
`problem`, and the database answers `rejected` with it. `goodreads.py` and `storygraph.py` make these rows
from cells.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Status = Literal["to_read", "reading", "completed", "abandoned"]


@dataclass(frozen=True, slots=True)
class ImportRow:
    """A book on somebody's shelf. None means "the export does not say"."""

    row_number: int
    """As a spreadsheet counts: the header is 1, the first book 2."""
    external_id: str | None = None
    """`goodreads:<Book Id>`, or the source and a sha256 in hex after a colon. None only with `problem`."""
    title: str | None = None
    """As exported, "(Series, #1)" included, runs of white space made one. None only with `problem`."""
    authors: tuple[str, ...] = ()
    isbn: str | None = None
    """Digits and X as found, ISBN-13 preferred; the database checks them and restores lost zeros."""
    isbn_alternate: str | None = None
    """The other one, when the export has an ISBN-13 and an ISBN-10."""
    asin: str | None = None
    publisher: str | None = None
    published_year: int | None = None
    """Year of this edition."""
    first_publish_year: int | None = None
    """Year of the work; negative is BC."""
    total_pages: int | None = None
    format: str | None = None
    """`hardcover`, `paperback`, `ebook`, `audiobook` or `board book`."""
    language: str | None = None
    """Neither export names it."""
    status: Status = "to_read"
    rating: int | None = None
    """1 to 10; None is unrated."""
    tags: tuple[str, ...] = ()
    date_added: str | None = None
    """ISO date."""
    problem: str | None = None
    """Why this line could not be read; one sentence without a full stop."""

    def to_json(self) -> dict[str, Any]:
        """The row as one element of `import_library`'s `rows`: every field under its own name, lists for
        tuples."""
        return asdict(self) | {"authors": list(self.authors), "tags": list(self.tags)}
