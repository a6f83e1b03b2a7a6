"""Books of the host's, what stands in them, and what Open Library says of them."""

import uuid
from dataclasses import dataclass
from typing import Any

from host_app import ADA, HostApp

AUTHOR = "Anna Berg"
RIVALS = ("openlibrary:/works/OL901W", "openlibrary:/works/OL902W")


@dataclass(frozen=True)
class Book:
    """A work, its only edition and, once somebody asked for it, its queue row."""

    work: uuid.UUID
    edition: uuid.UUID
    title: str
    number: int
    """What its cover, its ISBN and the provider's keys are made of."""
    before: dict[str, Any]
    """What `values` answered before enrichment, or an import, wrote anything."""
    row: uuid.UUID | None = None

    @property
    def isbn(self) -> str:
        """Its ISBN-13."""
        return isbn13(self.number)


def isbn13(number: int) -> str:
    """A valid ISBN-13 for each number."""
    digits = f"978000000{number:03}"
    total = sum(int(digit) * (1, 3)[place % 2] for place, digit in enumerate(digits))
    return f"{digits}{-total % 10}"


def values(host: HostApp, work: uuid.UUID) -> dict[str, Any]:
    """The host's columns of a work and its only edition. Null, empty and 0 are three different things."""
    (row,) = host.query(
        """
        select to_jsonb(w) - %s::text[] as work, to_jsonb(e) - %s::text[] as edition
        from public.works as w join public.editions as e on e.work_id = w.id
        where w.id = %s
        """,
        ["enrichment_status", "enrichment_confidence", "last_enriched_at", "updated_at"],
        ["updated_at"],
        work,
    )
    return row


def add_book(host: HostApp, number: int, title: str, readers: tuple[str, ...] = (ADA,)) -> Book:
    """A work with an edition, as the host's own import leaves it: gaps are null, empty or 0."""
    (row,) = host.query(
        """
        with work as (
            insert into public.works (title, description, first_publish_year) values (%s, '', 0) returning id
        ),
        edition as (
            insert into public.editions (work_id, isbn13, language) select id, %s, '' from work returning id
        ),
        author as (insert into public.authors (name) values (%s) returning id),
        wrote as (
            insert into public.work_authors (work_id, author_id) select work.id, author.id from work, author
        ),
        shelved as (
            insert into public.library_items (user_id, work_id, preferred_edition_id, status, visibility)
            select reader, work.id, edition.id, 'to_read', 'private'
            from work, edition, unnest(%s::uuid[]) as reader
        )
        select work.id as work, edition.id as edition from work, edition
        """,
        title,
        isbn13(number),
        AUTHOR,
        list(readers),
    )
    return Book(**row, title=title, number=number, before=values(host, row["work"]))


def host_book(host: HostApp, title: str) -> Book:
    """One of the books that host.sql has."""
    (row,) = host.query(
        """
        select w.id as work, e.id as edition
        from public.works as w join public.editions as e on e.work_id = w.id
        where w.title = %s
        """,
        title,
    )
    return Book(**row, title=title, number=0, before=values(host, row["work"]))


def reply(book: Book) -> dict[str, Any]:
    """What Open Library says of the book: it, and its very edition."""
    return {
        "docs": [
            {
                "key": f"/works/OL{book.number}W",
                "title": book.title,
                "author_name": [AUTHOR],
                "cover_i": book.number,
                "description": f"The story of {book.title}.",
                "first_publish_year": 1990,
                "editions": {
                    "docs": [
                        {
                            "key": f"/books/OL{book.number}M",
                            "title": book.title,
                            "isbn": [book.isbn],
                            "publisher": ["Harbour Press"],
                            "publish_date": ["2001-05-17"],
                            "language": ["eng"],
                        }
                    ]
                },
            }
        ]
    }


def cover_url(book: Book) -> str:
    """The address of the cover in that reply."""
    return f"https://covers.openlibrary.org/b/id/{book.number}-M.jpg"


def two_long_walks() -> dict[str, Any]:
    """Two works of one author which fit The Long Walk equally well; neither has its ISBN."""
    subtitles = {901: "A Winter in Lapland", 902: "Across the Andes"}
    return {
        "docs": [
            {
                "key": f"/works/OL{number}W",
                "title": f"The Long Walk: {subtitle}",
                "author_name": [AUTHOR],
                "cover_i": number,
                "first_publish_year": 1100 + number,
            }
            for number, subtitle in subtitles.items()
        ]
    }
