"""The whole way, server to catalogue, with providers that mean harm or are broken.

Each reply ends in a recorded reason and a later try, or in a miss; the worker goes on, no attempt is spent,
and nothing that does not belong there reaches the catalogue.
"""

from __future__ import annotations

import copy
import json
import re
import tracemalloc
import uuid
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from book_enrichment.database import open_database
from book_enrichment.providers import (
    GoogleBooks,
    Lookup,
    OpenLibrary,
    Provider,
    ProviderUnavailable,
    Timeouts,
)
from book_enrichment.providers.http import MAX_BODY_BYTES
from book_enrichment.settings import Settings
from book_enrichment.work import Stats, Worker
from misbehaving import BROKEN, bomb, endless, http, misbehaving

PROVIDERS = ("openlibrary", "googlebooks")
QUICK = Timeouts(connect=0.5, read=0.3, total=0.6)
PATIENT = Timeouts()
KEY = "a-key-that-is-nobodys-business"
TITLE, AUTHOR, ISBN = "The Glass Orchard", "Mina Voss", "9780439023481"
STORY = "Trees of glass."
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


def make_provider(
    name: str, client: httpx.AsyncClient, address: str, timeouts: Timeouts = PATIENT
) -> Provider:
    if name == "openlibrary":
        return OpenLibrary(client, address, "reader@example.org", timeouts=timeouts)
    return GoogleBooks(client, address, KEY, timeouts=timeouts)


Work = Callable[..., Awaitable[Stats]]
Rows = Callable[[str], Awaitable[list[dict[str, Any]]]]


@pytest.fixture
async def rows(connect) -> Rows:
    """`await rows("select …")`"""
    connection = await connect()

    async def rows(query: str) -> list[dict[str, Any]]:
        return await (await connection.execute(query)).fetchall()

    return rows


@pytest.fixture
async def work(connect, database_url: str) -> Work:
    """`await work("googlebooks", address)` puts books in line and lets a worker ask only that provider."""

    async def work(
        name: str, address: str, isbns: tuple[str, ...] = (ISBN,), timeouts: Timeouts = PATIENT
    ) -> Stats:
        connection = await connect()
        await connection.execute(
            "update enrichment.providers set is_enabled = provider = %s, needs_opt_in = false, tokens = 1000,"
            " rate_per_second = 1000, burst_size = 1000, daily_limit = null",
            [name],
        )
        await connection.execute("update enrichment.settings set provider_keys = '{googlebooks}'")
        author = uuid.uuid4()
        await connection.execute("insert into authors (id, name) values (%s, %s)", [author, AUTHOR])
        works = []
        for isbn in isbns:
            works.append(uuid.uuid4())
            await connection.execute("insert into works (id, title) values (%s, %s)", [works[-1], TITLE])
            await connection.execute(
                "insert into editions (work_id, isbn13) values (%s, %s)", [works[-1], isbn]
            )
            await connection.execute("insert into work_authors values (%s, %s)", [works[-1], author])
        await connection.execute("select public.enqueue_enrichment(%s)", [works])
        settings = Settings(
            _env_file=None,
            database_url=database_url,
            auto_enabled=True,
            auto_apply_metadata=True,
            provider_delay_ms=0,
            batch_size=100,
            contact="reader@example.org",
        )
        async with open_database(settings) as database, httpx.AsyncClient() as client:
            worker = Worker(database, [make_provider(name, client, address, timeouts)], settings)
            return await worker.run(drain=True, patience=0)

    return work


async def assert_nothing_happened_yet(rows: Rows, name: str, reason: str) -> None:
    """The row waits and says why; no attempt, no record, no value, no audit row; the reason is on record."""
    (row,) = await rows("select * from enrichment_queue")
    assert (row["status"], row["attempt_count"], row["last_error"]) == ("pending", 0, None)
    assert row["wait_reason"]
    assert row["next_attempt_after"] > datetime.now(UTC)
    (provider,) = await rows(f"select last_error from enrichment.providers where provider = '{name}'")
    assert provider["last_error"].startswith(f"{name}: {reason}: ")
    assert await rows("select * from source_records") == []
    assert await rows("select * from enrichment_audit_log") == []
    (book,) = await rows("select * from works join editions on editions.work_id = works.id")
    empty = ("default_cover_url", "description", "first_publish_year", "publisher", "isbn10", "total_pages")
    assert [book[field] for field in empty] == [None] * len(empty)


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize(("reason", "reply"), BROKEN.values(), ids=BROKEN.keys())
async def test_a_broken_reply_leaves_a_reason_and_nothing_else(
    work: Work, rows: Rows, name: str, reason: str, reply: Any
) -> None:
    async with misbehaving(reply) as address:
        stats = await work(name, address, timeouts=QUICK if reason == "timeout" else PATIENT)

    await assert_nothing_happened_yet(rows, name, reason)
    assert sum(stats.released.values()) == 1


@pytest.mark.parametrize("name", PROVIDERS)
async def test_a_server_that_is_not_there_leaves_a_reason(work: Work, rows: Rows, name: str) -> None:
    async with misbehaving(b"") as address:
        pass
    await work(name, address)

    await assert_nothing_happened_yet(rows, name, "unreachable")


@pytest.mark.parametrize("name", PROVIDERS)
async def test_a_secure_provider_is_not_followed_to_an_open_one(name: str) -> None:
    """https to http, on the same host: our key and contact would go in the clear."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(302, headers={"Location": f"http://{request.url.host}/x"})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        provider = make_provider(name, client, "https://books.example")
        with pytest.raises(ProviderUnavailable, match=r"redirect to http://books\.example"):
            await anext(provider.answers([Lookup(name, "isbn", ISBN)], yes))


async def yes() -> bool:
    return True


# What follows is sound JSON with something wrong inside.


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


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("kind", ["100 MB", "gzip bomb", "2 MB that unfold"])
async def test_the_largest_replies_take_bounded_memory(name: str, kind: str) -> None:
    """2 MB is read at most, counted after unpacking; the worst JSON of that size unfolds to 35 times it."""
    unfolding = b'{"docs":[' + b'{"":0},' * ((MAX_BODY_BYTES - 100) // 7) + b'{}],"items":[],"totalItems":1}'
    replies = {"100 MB": endless, "gzip bomb": bomb(), "2 MB that unfold": http(unfolding)}
    async with misbehaving(replies[kind]) as address, httpx.AsyncClient() as client:
        provider = make_provider(name, client, address)
        tracemalloc.start()
        try:
            answers = [answer async for answer in provider.answers([Lookup(name, "isbn", ISBN)], yes)]
        except ProviderUnavailable as trouble:
            answers, reasons = [], {trouble.reason}
        else:
            reasons = set()
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()

    assert reasons <= {"bad_reply"}
    assert all((answer.raw, answer.error) == (None, None) for answer in answers)
    print(f"{name}, {kind}: peak {peak / 1e6:.1f} MB")
    assert peak < (80_000_000 if kind.startswith("2 MB") else 8_000_000)
