"""Sound JSON with something wrong inside: what does not belong there never reaches the catalogue."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from misbehaving import http, misbehaving

from .conftest import AUTHOR, ISBN, PROVIDERS, STORY, TITLE, Rows, Work

# Not these: a page number, a count or a code may be anything that fits its column.
FITS = """
select w.title, w.default_cover_url, w.description, w.first_publish_year, e.*
from works as w join editions as e on e.work_id = w.id
where w.title <> 'The Glass Orchard'
    or w.default_cover_url !~ '^https://(covers[.]openlibrary[.]org/b/id/[0-9]+-M[.]jpg|books[.]google[.]com/books/[!-~]+)$'
    or w.description ~ '[\\x01-\\x08\\x0B\\x0C\\x0E-\\x1F\\x7F]|<[a-zA-Z/!?]' or length(w.description) > 20000
    or w.first_publish_year not between 1000 and 2099
    or e.publisher ~ '[\\x01-\\x1F\\x7F]|<[a-zA-Z/!?]'
    or e.language !~ '^[a-z]{3}$'
    or e.format ~ '[\\x01-\\x1F\\x7F]|<[a-zA-Z/!?]'
    or e.total_pages not between 1 and 30000
    or e.isbn13 !~ '^978[0-9]{10}$' or e.isbn10 !~ '^[0-9]{9}[0-9X]$'
"""


def search_doc(isbn: str) -> dict[str, Any]:
    return {
        "key": f"/works/OL{isbn}W",
        "title": TITLE,
        "subtitle": "A Novel",
        "author_name": [AUTHOR],
        "author_key": ["OL7A"],
        "first_publish_year": 2008,
        "cover_i": 11,
        "description": STORY,
        "editions": {
            "docs": [
                {
                    "key": f"/books/OL{isbn}M",
                    "title": TITLE,
                    "subtitle": "A Novel",
                    "isbn": [isbn],
                    "cover_i": 12,
                    "language": ["eng"],
                    "publisher": ["Lantern Press"],
                    "publish_date": ["2008-09-14"],
                    "format": ["Hardcover"],
                }
            ]
        },
    }


def volume(isbn: str) -> dict[str, Any]:
    return {
        "id": f"V{isbn}",
        "volumeInfo": {
            "title": TITLE,
            "subtitle": "A Novel",
            "authors": [AUTHOR],
            "publisher": "Lantern Press",
            "publishedDate": "2008-09-14",
            "description": STORY,
            "industryIdentifiers": [{"type": "ISBN_13", "identifier": isbn}],
            "pageCount": 374,
            "printType": "BOOK",
            "language": "en",
            "imageLinks": {"thumbnail": "http://books.google.com/books/content?id=V&zoom=1&edge=curl"},
        },
    }


BOOK_OF = {"openlibrary": search_doc, "googlebooks": volume}
PLACES = {  # where each provider keeps what; a text may stand in a list
    "openlibrary": {
        "description": ("description",),
        "publisher": ("editions", "docs", 0, "publisher", 0),
        "authors": ("author_name",),
        "isbns": ("editions", "docs", 0, "isbn"),
        "number": ("first_publish_year",),
        "cover": ("editions", "docs", 0, "cover_i"),
    },
    "googlebooks": {
        "description": ("volumeInfo", "description"),
        "publisher": ("volumeInfo", "publisher"),
        "authors": ("volumeInfo", "authors"),
        "isbns": ("volumeInfo", "industryIdentifiers"),
        "number": ("volumeInfo", "pageCount"),
        "cover": ("volumeInfo", "imageLinks", "thumbnail"),
    },
}


def replaced(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    changed = copy.deepcopy(value)
    place = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = new
    return changed


def asked_isbns(target: str) -> list[str]:
    return re.findall("978[0-9]{10}", " ".join(map(" ".join, parse_qs(urlsplit(target).query).values())))


def reply_with(name: str, books: list[Any]) -> bytes:
    """A search that found these."""
    shown = {"docs": books} if name == "openlibrary" else {"items": books, "totalItems": len(books)}
    text = json.dumps(shown)
    return http(re.sub('"literally: ([^"]+)"', r"\1", text), "Content-Type: application/json")


def serving(name: str, book_of: Callable[[str], Any]) -> Callable[[str], bytes]:
    """Answers a search with one book for each ISBN in it, and a second look with nothing."""

    def answer(target: str) -> bytes:
        if target.startswith("/api/books"):
            return http({})
        return reply_with(name, [book_of(isbn) for isbn in asked_isbns(target)])

    return answer


def deep(levels: int) -> Any:
    value: Any = STORY
    for _ in range(levels):
        value = [value]
    return value


SCRIPT = (
    "<script>steal()</script><p>Trees of <b onclick='x'>glass</b>.</p>"
    "<style>p{}</style><<b>img src=x onerror=y"
)
POISON: dict[str, tuple[str, Any, str | None]] = {
    # what: (where, the value, the description or publisher that is kept; None for none)
    "NUL in a text": ("description", "Trees\x00 of glass.", STORY),
    "control characters": ("description", "\x01Trees\x1b of\x7f glass.\x08", STORY),
    "a lone surrogate": ("description", "Trees \ud800of glass.", STORY),
    "HTML and scripts": ("description", SCRIPT, "Trees of glass.\nimg src=x onerror=y"),
    "a script in the publisher": (
        "publisher",
        "<script>steal()</script>Lantern <i>Press</i>",
        "Lantern Press",
    ),
    "1 MB of description": ("description", "x" * 1_000_000, "x" * 10_000),
    "a description 500 deep": ("description", deep(500), None),
    "a publisher of 10,000 letters": ("publisher", "P" * 10_000, None),
    "10,000 authors": ("authors", [AUTHOR, *(f"Author {n}" for n in range(10_000))], STORY),
    "1e400": ("number", "literally: 1e400", STORY),
    "a number of 400 digits": ("number", "literally: " + "9" * 400, STORY),
    "minus 5": ("number", -5, STORY),
    "NaN": ("number", "literally: NaN", STORY),
    "half a page": ("number", 2000.5, STORY),
    "a cover that is a script": ("cover", "javascript:alert(1)", STORY),
    "a cover elsewhere": ("cover", "https://books.google.com.evil.example/books/content?id=1", STORY),
    "a cover that breaks out": ("cover", 'http://books.google.com/books/content?id=1"><script>', STORY),
    "a cover id below zero": ("cover", -1, STORY),
    "a cover id of 20 digits": ("cover", 10**20, STORY),
    "10,000 ISBNs": ("isbns", [ISBN] * 10_000, STORY),
}


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("case", POISON)
async def test_poison_in_a_reply_does_not_reach_the_catalogue(
    work: Work, rows: Rows, name: str, case: str
) -> None:
    """The book is filled with what is sound in the reply; the rest is left out, and nothing fails."""
    where, value, kept = POISON[case]
    if case == "10,000 ISBNs" and name == "googlebooks":
        value = [{"type": "ISBN_13", "identifier": isbn} for isbn in value]
    book = replaced(BOOK_OF[name](ISBN), PLACES[name][where], value)
    async with misbehaving(answer=serving(name, lambda _: book)) as address:
        await work(name, address)

    (row,) = await rows("select * from enrichment_queue")
    assert (row["status"], row["last_error"]) == ("completed", None)
    (filled,) = await rows("select * from works join editions on editions.work_id = works.id")
    assert filled["publisher" if where == "publisher" else "description"] == kept
    if where == "number":
        assert filled["total_pages"] is None
        assert filled["first_publish_year"] is None
    assert await rows(FITS) == []


WRONG = [
    None,
    True,
    7,
    -1,
    1e308,
    "",
    "x",
    [],
    {},
    [None],
    [[]],
    [{}],
    {"value": 7},
    {"a": "b"},
    ["x", 7, None],
]


def paths(value: Any, here: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in a document, the inner ones too."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        yield (*here, step)
        yield from paths(inner, (*here, step))


def numbered_isbn(number: int) -> str:
    body = f"978{number:09}"
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(body))
    return body + str(-total % 10)


@pytest.mark.parametrize("name", PROVIDERS)
async def test_any_type_anywhere_is_borne(work: Work, rows: Rows, name: str) -> None:
    """Every field of a book, and everything around it, once with each of these values: a book each."""
    changes = [(path, wrong) for path in paths(BOOK_OF[name](ISBN)) for wrong in WRONG]
    change_of = {numbered_isbn(number): change for number, change in enumerate(changes)}

    def book_of(isbn: str) -> Any:
        return replaced(BOOK_OF[name](isbn), *change_of[isbn])

    async with misbehaving(answer=serving(name, book_of)) as address:
        await work(name, address, tuple(change_of))

    states = await rows("select status, last_error, count(*) from enrichment_queue group by 1, 2")
    assert {row["status"] for row in states} <= {"completed", "skipped", "needs_review", "pending"}
    assert {row["last_error"] for row in states} == {None}
    assert {row["attempt_count"] for row in await rows("select * from enrichment_queue")} <= {0, 1}
    assert await rows(FITS) == []
    (finished,) = await rows("select count(*) from enrichment_queue where status = 'completed'")
    assert finished["count"] > len(changes) / 2


@pytest.mark.parametrize("name", PROVIDERS)
async def test_an_edition_that_says_it_is_another_isbn_is_a_miss(work: Work, rows: Rows, name: str) -> None:
    """Its cover and text are another book's, whatever title it bears."""
    other = BOOK_OF[name]("9780439023511")

    def answer(target: str) -> bytes:
        if target.startswith("/api/books"):
            return http(
                {ISBN: {"details": {"key": "/books/OL1M", "title": TITLE, "isbn_13": ["9780439023511"]}}}
            )
        return reply_with(name, [other] if asked_isbns(target) else [])

    async with misbehaving(answer=answer) as address:
        await work(name, address)

    (row,) = await rows("select * from enrichment_queue")
    assert row["status"] == "skipped"
    assert {str(record["raw"]) for record in await rows("select raw from source_records")} == {
        "{'no_match': True}"
    }
    (book,) = await rows("select * from works")
    assert (book["default_cover_url"], book["description"]) == (None, None)
