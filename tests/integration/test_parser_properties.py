"""Whatever a reply holds, reading it raises nothing and gives only values that fit our columns.

Hypothesis writes the replies: any JSON at all, and records of the shapes the providers send with some of
their values replaced, always the same 150. EXAMPLES=3000 tries so many others. The parsers run in a real
database.
"""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row

from book_enrichment.providers.google_books import trimmed_volume
from book_enrichment.providers.open_library import trimmed_details, trimmed_doc
from book_enrichment.providers.trimming import clean_json

quickly = settings(
    max_examples=int(os.environ.get("EXAMPLES", "150")),
    deadline=None,
    database=None,
    derandomize="EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

PIECES = (
    "<script>|</script>|<b|<|>|/|<<i>img src=x onerror=y>|<!--|&lt;|\x01|\x1b|\x7f|\x85|\n|\t| |a|é|ẞ|本|٣|😀"
    "|'|\"|2008-02-31|Feb 30, 1999|1999-13|en-GB|/languages/eng|/works/OL1W|/books/OL1M|0439023483|-1"
    "|9780439023481|978-0-439-02348-1|043902348X|٣٣٣٣|javascript:alert(1)|https://books.google.evil/|%|1e400"
    "|http://books.google.com/books/content?id=a&zoom=0|\\"
)
FRAGMENTS = PIECES.split("|")
TEXTS = st.one_of(
    st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join),
    st.text(max_size=30),
    st.builds(lambda text, times: text * times, st.sampled_from(FRAGMENTS), st.integers(0, 30_000)),
)
STORABLE = TEXTS.map(lambda text: re.sub("[\x00\ud800-\udfff]", "", text))
NUMBERS = st.one_of(
    st.integers(-(10**18), 10**18),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0, -1, 1, 999, 1000, 2099, 2100, 30_000, 30_001, 2**31, 10**60]),
)


def any_json(texts: st.SearchStrategy[str], numbers: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        st.one_of(st.none(), st.booleans(), numbers, texts),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(NAMES) | texts, inner, max_size=4)
        ),
        max_leaves=12,
    )


WORK = {
    "key": "/works/OL1W",
    "title": "The Glass Orchard",
    "subtitle": "A Novel",
    "authors": [{"author": {"key": "/authors/OL2A"}}],
    "covers": [-1, 7],
    "description": {"type": "/type/text", "value": "Trees of glass."},
    "first_publish_date": "June 2008",
}
EDITION = {
    "key": "/books/OL3M",
    "title": "The Glass Orchard",
    "subtitle": "A Novel",
    "works": [{"key": "/works/OL1W"}],
    "authors": [{"key": "/authors/OL2A", "name": "Mina Voss"}],
    "isbn_13": ["9780439023481"],
    "isbn_10": ["0439023483"],
    "covers": [7],
    "description": "Trees of glass.",
    "publishers": ["Lantern Press"],
    "publish_date": "June 12, 2008",
    "languages": [{"key": "/languages/eng"}],
    "physical_format": "Hardcover",
    "number_of_pages": 374,
}
SEARCH_DOC = {
    "key": "/works/OL1W",
    "title": "The Glass Orchard",
    "subtitle": "A Novel",
    "author_name": ["Mina Voss"],
    "author_key": ["OL2A"],
    "first_publish_year": 2008,
    "cover_i": 7,
    "description": "Trees of glass.",
    "editions": {
        "docs": [
            {
                "key": "/books/OL3M",
                "title": "The Glass Orchard",
                "isbn": ["9780439023481"],
                "cover_i": 8,
                "language": ["eng"],
                "publisher": ["Lantern Press"],
                "publish_date": ["2008-06-12"],
                "format": ["Hardcover"],
            }
        ]
    },
}
VOLUME = {
    "id": "aBcD",
    "volumeInfo": {
        "title": "The Glass Orchard",
        "subtitle": "A Novel",
        "authors": ["Mina Voss"],
        "publisher": "Lantern Press",
        "publishedDate": "2008-06-12",
        "description": "Trees of glass.",
        "pageCount": 374,
        "language": "en",
        "printType": "BOOK",
        "industryIdentifiers": [{"type": "ISBN_13", "identifier": "9780439023481"}],
        "imageLinks": {"thumbnail": "http://books.google.com/books/content?id=aBcD&zoom=5&edge=curl"},
    },
}
SHAPES = [
    ("openlibrary", "work", WORK),
    ("openlibrary", "edition", EDITION),
    ("openlibrary", "isbn_lookup", {"edition": EDITION}),
    ("openlibrary", "isbn_lookup", {"docs": [SEARCH_DOC, SEARCH_DOC]}),
    ("openlibrary", "title_lookup", {"docs": [SEARCH_DOC]}),
    ("googlebooks", "work", VOLUME),
    ("googlebooks", "edition", VOLUME),
    ("googlebooks", "isbn_lookup", {"items": [VOLUME]}),
    ("googlebooks", "title_lookup", {"items": [VOLUME, VOLUME]}),
]


def paths(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        yield (*here, step)
        yield from paths(inner, (*here, step))


NAMES = sorted(
    {step for _, _, shape in SHAPES for path in paths(shape) for step in path if isinstance(step, str)}
)


@st.composite
def replies(draw: st.DrawFn) -> tuple[str, str, Any]:
    """A record of a known shape, some of whose values are anything."""
    provider, entity_type, shape = draw(st.sampled_from(SHAPES))
    changed = copy.deepcopy(shape)
    for _ in range(draw(st.integers(0, 4))):
        path = draw(st.sampled_from(sorted(paths(changed), key=str)))
        place: Any = changed
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = draw(st.one_of(STORABLE, NUMBERS, any_json(STORABLE, NUMBERS)))
        if not isinstance(changed, dict) or not list(paths(changed)):
            break
    return provider, entity_type, changed


@pytest.fixture(scope="module")
def connection(stack: Any, database: str) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    url = stack.database_url(database)
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
        connection.execute("set statement_timeout = '10s'")
        yield connection


CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
TAG = re.compile("<[a-zA-Z/!?]")
COVER = re.compile(
    r"https://(covers\.openlibrary\.org/b/id/[1-9][0-9]{0,8}-M\.jpg"
    r"|books\.google\.(com|[a-z]{2}|com?\.[a-z]{2})/[a-zA-Z0-9/?&=%_.,:;~+-]+)"
)


def assert_line(text: str | None, longest: int) -> None:
    if text is not None:
        assert 0 < len(text) <= longest
        assert text == text.strip(" \t\n\r")
        assert not CONTROL.search(text)
        assert not TAG.search(text)


def assert_fits(book: dict[str, Any]) -> None:
    """Each value as its column, or what is made of it, wants it."""
    assert book["work_key"] is not None
    assert book["title"] is not None
    limits = {
        "work_key": 64,
        "edition_key": 64,
        "title": 512,
        "subtitle": 512,
        "publisher": 255,
        "format": 64,
    }
    for field, longest in limits.items():
        assert_line(book[field], longest)
    for field, longest in (("author_names", 255), ("author_ids", 64)):
        assert book[field] is None or 0 < len(book[field]) <= 400
        for text in book[field] or []:
            assert_line(text, longest)
    assert all(re.fullmatch("97[89][0-9]{10}", isbn, re.ASCII) for isbn in book["isbns"] or [])
    if book["cover_url"] is not None:
        assert COVER.fullmatch(book["cover_url"])
        assert len(book["cover_url"]) <= 1100
        assert not re.search("[?&]zoom=(?!1(&|$))|edge=curl", book["cover_url"])
    if book["description"] is not None:
        assert 0 < len(book["description"]) <= 20_000
        assert not CONTROL.search(re.sub("[\n\r\t]", "", book["description"]))
        assert not TAG.search(book["description"])
    assert book["first_publish_year"] is None or 1000 <= book["first_publish_year"] <= 2099
    assert book["publish_date"] is None or 1000 <= book["publish_date"].year <= 2099
    assert book["language"] is None or re.fullmatch("[a-z]{3}", book["language"])
    assert book["total_pages"] is None or 1 <= book["total_pages"] <= 30_000
    assert book["total_audio_minutes"] is None


READ = "select * from enrichment.read_record(%s, %s, %s::jsonb)"


@pytest.mark.parametrize(("provider", "entity_type", "shape"), SHAPES)
def test_the_shapes_are_read(connection: Any, provider: str, entity_type: str, shape: Any) -> None:
    """So that what follows tries the readers, and not only the refusals before them."""
    books = connection.execute(READ, (provider, entity_type, json.dumps(shape))).fetchall()
    assert books
    for book in books:
        assert_fits(book)


@quickly
@given(replies())
def test_what_is_read_fits(connection: Any, reply: tuple[str, str, Any]) -> None:
    provider, entity_type, raw = reply
    books = connection.execute(READ, (provider, entity_type, json.dumps(raw))).fetchall()
    assert len(books) <= 11
    for book in books:
        assert_fits(book)
        connection.execute("select enrichment.parse_title(%(title)s, %(subtitle)s)", book)
        connection.execute("select enrichment.parse_authors(%(author_names)s)", book)


@quickly
@given(any_json(STORABLE, NUMBERS))
def test_any_json_is_borne(connection: Any, raw: Any) -> None:
    """By every reader, under every name a record may have."""
    query = """
        select r.* from unnest('{openlibrary,googlebooks,nobooks}'::text[]) as provider
        cross join unnest('{work,edition,isbn_lookup,title_lookup,other}'::text[]) as entity_type
        cross join lateral enrichment.read_record(provider, entity_type, %s::jsonb) as r
    """
    for book in connection.execute(query, [json.dumps(raw)]).fetchall():
        assert_fits(book)


WILD = st.one_of(st.floats(), st.integers(), st.just(10**400), st.just(-(2**63) - 1))
WILD_TEXTS = st.one_of(
    TEXTS, st.text(st.characters(), max_size=10), st.sampled_from(["\x00", "a\ud800b", "\udfff"])
)


@quickly
@given(any_json(WILD_TEXTS, WILD), st.integers(0, 300))
def test_what_is_cleaned_can_be_stored(connection: Any, value: Any, levels: int) -> None:
    """NUL, surrogates, NaN, endless numbers, any depth: jsonb takes it; cleaned again it is the same."""
    deep = value
    for level in range(levels):
        deep = [deep] if level % 2 else {"inner": deep}
    for each in (value, deep):
        cleaned = clean_json(each)
        connection.execute("select %s::jsonb", [json.dumps(cleaned)])
        assert clean_json(cleaned) == cleaned


@quickly
@given(any_json(WILD_TEXTS, WILD))
def test_trimming_bears_anything(value: Any) -> None:
    """Also where a record belongs; what is left is small."""
    for trimmed in (trimmed_doc, trimmed_details, trimmed_volume):
        for record in (value, {"details": value}, {"editions": value}, {"id": "a", "volumeInfo": value}):
            assert len(json.dumps(trimmed(record))) <= 33_000
