"""What a bad reply means when Open Library gives it: which are a miss, which are not, and what is kept.

The replies that are as bad from any provider go the whole way to the database in
`tests/integration/hostile_replies`.
"""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from book_enrichment.providers import Answer, Lookup, OpenLibrary, ProviderUnavailable
from book_enrichment.providers.http import retry_after_seconds
from book_enrichment.providers.trimming import clean_json
from misbehaving import http, misbehaving
from open_library import canned, serve

KEY = "9780439023481"
LOOKUP = Lookup("openlibrary", "isbn", KEY)


async def yes() -> bool:
    return True


async def asked(base_url: str, lookup: Lookup = LOOKUP) -> list[Answer]:
    async with httpx.AsyncClient() as client:
        provider = OpenLibrary(client, base_url, "reader@example.org")
        return [answer async for answer in provider.answers([lookup], yes)]


async def trouble_with(base_url: str) -> ProviderUnavailable:
    with pytest.raises(ProviderUnavailable) as trouble:
        await asked(base_url)
    assert trouble.value.report()["failed"] == 1
    return trouble.value


BAD_REPLIES: dict[str, bytes] = {
    "400 to a batch": http({}, status="400 Bad Request"),
    "no documents": http({"numFound": 0}),
    "found but not shown": http({"numFound": 3, "docs": []}),
    "an error with 200": http({"error": "solr is down", "docs": []}),
}


@pytest.mark.parametrize("reply", BAD_REPLIES.values(), ids=BAD_REPLIES.keys())
async def test_a_reply_that_hides_the_books_is_no_miss(reply: bytes) -> None:
    async with misbehaving(reply) as base_url:
        assert (await trouble_with(base_url)).reason == "bad_reply"


async def test_a_name_that_does_not_resolve_is_unreachable() -> None:
    assert (await trouble_with("http://open-library.invalid")).reason == "unreachable"


async def test_a_dead_second_look_is_no_miss() -> None:
    """The search found nothing and the second look broke: nothing is known yet."""
    async with misbehaving(http({"numFound": 0, "docs": []}), http({}, status="500 Oops")) as base_url:
        assert (await trouble_with(base_url)).reason == "server_error"


async def test_editions_nobody_asked_for_are_no_miss() -> None:
    """An error object in place of the editions would otherwise be remembered as `nobody has it`."""
    async with misbehaving(http({"docs": []}), http({"error": "try later"})) as base_url:
        assert (await trouble_with(base_url)).reason == "bad_reply"


async def test_retry_after_is_carried_in_seconds() -> None:
    reply = http({}, "Retry-After: 37", status="429 Too Many Requests")
    async with misbehaving(reply) as base_url:
        trouble = await trouble_with(base_url)

    assert (trouble.reason, trouble.retry_after) == ("rate_limited", 37.0)
    assert trouble.report() == {
        "provider": "openlibrary",
        "failed": 1,
        "last_error": "openlibrary: rate_limited: HTTP 429",
        "retry_after": 37.0,
        "reason": None,
    }


async def test_retry_after_may_be_a_date() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    reply = http({}, f"Retry-After: {later}", status="503 Service Unavailable")
    async with misbehaving(reply) as base_url:
        trouble = await trouble_with(base_url)

    assert trouble.reason == "rate_limited"
    assert trouble.retry_after == pytest.approx(90, abs=5)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("soon", None),
        ("-5", None),
        ("²", None),
        ("nan", None),
        ("", None),
        ("0", 0.0),
        ("999999999", 86_400.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400.0),
    ],
)
def test_retry_after_is_between_zero_and_a_day(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header) == seconds


async def test_a_redirect_on_the_same_host_is_followed_for_a_permit_of_its_own() -> None:
    permits = 0

    async def permit() -> bool:
        nonlocal permits
        permits += 1
        return True

    moved = http(b"", "Location: /elsewhere.json?q=1", status="301 Moved Permanently")
    async with misbehaving(moved, http({"docs": [doc_of(KEY)]})) as base_url, httpx.AsyncClient() as client:
        provider = OpenLibrary(client, base_url, "reader@example.org")
        found = [answer async for answer in provider.answers([LOOKUP], permit)]

    assert permits == 2
    assert found[0].raw is not None


def doc_of(key: str, **fields: Any) -> dict[str, Any]:
    return {"key": "/works/OL1W", "title": "A", "editions": {"docs": [{"isbn": [key]}]}} | fields


async def docs_from(*docs: Any) -> list[dict[str, Any]]:
    """What is handed on when a search answers these documents (and the second look nothing)."""
    async with misbehaving(http({"docs": docs}), http({})) as base_url:
        (answer,) = await asked(base_url)
    return [] if answer.raw is None else answer.raw["docs"]


async def test_what_jsonb_refuses_is_taken_out() -> None:
    (doc,) = await docs_from(doc_of(KEY, title="The\x00 Hunger\ud800 Games", subtitle="\x00", cover_i=10**30))

    assert (doc["title"], doc["subtitle"], doc["cover_i"]) == ("The Hunger Games", "", None)


async def test_numbers_without_end_become_null() -> None:
    body = json.dumps({"docs": [doc_of(KEY)]}).replace(
        '"title"', '"first_publish_year": NaN, "cover_i": 1e999, "title"'
    )
    async with misbehaving(http(body)) as base_url:
        (answer,) = await asked(base_url)

    assert answer.raw is not None
    assert answer.raw["docs"][0].get("first_publish_year") is None
    assert answer.raw["docs"][0]["cover_i"] is None


async def test_a_long_description_is_cut() -> None:
    (doc,) = await docs_from(doc_of(KEY, description="x" * 1_000_000, author_name=["Somebody"] * 10_000))

    assert (len(doc["description"]), len(doc["author_name"])) == (10_000, 100)


async def test_a_document_without_measure_is_left_out() -> None:
    """It cannot be a book: its ISBN becomes a miss, not a megabyte in the cache."""
    assert await docs_from(doc_of(KEY, author_name=["x" * 1_000] * 100)) == []


@pytest.mark.parametrize(
    "doc",
    [
        None,
        7,
        "doc",
        [],
        {},
        {"editions": None},
        {"editions": []},
        {"editions": {"docs": None}},
        {"editions": {"docs": 7}},
        {"editions": {"docs": {"isbn": ["9780439023511"]}}},
        {"editions": {"docs": [None, 3, [KEY], {"isbn": None}, {"isbn": {KEY: 1}}, {"isbn": [None, 4, {}]}]}},
    ],
)
async def test_a_document_of_the_wrong_shape_is_passed_over(doc: object) -> None:
    """And the good one beside it is kept."""
    assert await docs_from(doc) == []
    assert len(await docs_from(doc, doc_of(KEY))) == 1


@pytest.mark.parametrize(
    "entry", [None, [], {}, {"details": None}, {"details": {"isbn_13": "9780439023511"}}]
)
async def test_an_edition_that_is_another_book_is_a_miss(entry: object) -> None:
    async with misbehaving(http({"docs": []}), http({KEY: entry})) as base_url:
        (answer,) = await asked(base_url)

    assert (answer.raw, answer.error) == (None, None)


async def test_gzip_is_understood() -> None:
    body = gzip.compress(json.dumps({"docs": [doc_of(KEY)]}).encode())
    async with misbehaving(http(body, "Content-Encoding: gzip", "Content-Type: text/plain")) as base_url:
        (answer,) = await asked(base_url)

    assert answer.raw is not None


async def test_it_recovers_when_the_server_does() -> None:
    async with serve() as library:
        library.misbehave(canned(500, {}))

        assert (await trouble_with(library.base_url)).reason == "server_error"
        (answer,) = await asked(library.base_url)

    assert answer.raw is not None


def test_clean_json_bounds_depth_and_keeps_what_is_sound() -> None:
    deep: Any = "bottom"
    for _ in range(50):
        deep = [deep]
    sound = {"a": [1, 2.5, True, None, "é😀"], "description": {"type": "/type/text", "value": "told"}}

    assert json.dumps(clean_json(deep)).count("[") == 8
    assert clean_json(sound) == {"a": [1, 2.5, True, None, "é😀"], "description": "told"}
    assert clean_json({"a\x00b": {"c\ud800": "d"}, "e": {object(): object()}}) is not None
