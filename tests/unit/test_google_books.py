"""GoogleBooks asks for little, with a key that shows nowhere, and knows what each refusal means.

Over real HTTP to the project's own stand-in. What a worker makes of it is in
`tests/integration/test_google_books.py`, what a broken or hostile server may do in
`tests/integration/hostile_replies`.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

import google_books
from book_enrichment.providers import Answer, GoogleBooks, Lookup, ProviderUnavailable
from book_enrichment.settings import Settings
from google_books import KEY, Shop, error, quota
from misbehaving import http, misbehaving

HUNGER_GAMES, UNKNOWN = "9780439023481", "9780000000002"


def isbn(key: str) -> Lookup:
    return Lookup("googlebooks", "isbn", key)


def titled(title: str, author: str | None = None) -> Lookup:
    return Lookup("googlebooks", "title", f"key of {title}", title, author)


async def yes() -> bool:
    return True


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with google_books.serve() as running:
        yield running


async def asked(address: str, *lookups: Lookup, key: str = KEY, permit: Any = yes) -> list[Answer]:
    async with httpx.AsyncClient() as client:
        provider = GoogleBooks(client, address, key)
        return [answer async for answer in provider.answers(lookups, permit)]


async def test_an_isbn_is_one_call_for_the_fields_we_read(shop: Shop) -> None:
    """Five volumes at most, books only, for one country, and no field more than the readers know."""
    (answer,) = await asked(shop.base_url, isbn(HUNGER_GAMES))

    (call,) = shop.calls
    assert call["query"] == {
        "q": f"isbn:{HUNGER_GAMES}",
        "maxResults": "5",
        "printType": "books",
        "country": "US",
        "fields": "totalItems,items(id,volumeInfo(title,subtitle,authors,publisher,publishedDate,description,"
        "industryIdentifiers,pageCount,language,printType,imageLinks/thumbnail))",
        "key": KEY,
    }
    assert "gzip" in call["user_agent"]
    assert answer.raw is not None
    (volume,) = answer.raw["items"]
    assert volume["volumeInfo"]["title"] == "The Hunger Games"
    assert volume["volumeInfo"]["imageLinks"]["thumbnail"].startswith("http://books.google.com/")


@pytest.mark.parametrize(
    ("title", "author", "query"),
    [
        ("Dune", "Frank Herbert", 'intitle:"Dune" inauthor:"Frank Herbert"'),
        ("Mockingjay (The Hunger Games, #3)", None, 'intitle:"Mockingjay"'),
        ('The "Genius"\n', 'A" OR isbn:1', 'intitle:"The Genius" inauthor:"A OR isbn:1"'),
    ],
)
async def test_a_title_is_asked_with_its_author(
    shop: Shop, title: str, author: str | None, query: str
) -> None:
    """Without its series, and without quotation marks that would end the phrase."""
    await asked(shop.base_url, titled(title, author))

    assert [call["query"]["q"] for call in shop.calls] == [query]


async def test_what_nobody_has_is_a_miss(shop: Shop) -> None:
    found = await asked(shop.base_url, isbn(UNKNOWN), titled("A Book That Nobody Wrote", "Nobody"))

    assert [(answer.raw, answer.error) for answer in found] == [(None, None)] * 2


@pytest.mark.parametrize("reply", [{}, {"totalItems": 0}, {"totalItems": 3}, {"totalItems": 0, "items": []}])
async def test_a_search_without_volumes_is_a_miss(reply: dict[str, Any]) -> None:
    """A partial reply to a search that found nothing may be an empty object; Google's count is a guess."""
    async with misbehaving(http(reply)) as address:
        (answer,) = await asked(address, isbn(HUNGER_GAMES))

    assert (answer.raw, answer.error) == (None, None)


async def test_a_volume_of_another_isbn_is_left_out_and_one_without_any_is_not() -> None:
    """Google finds by more than the number; what names only other numbers is another edition or book."""

    def volume(name: str, *isbns: str) -> dict[str, Any]:
        identifiers = [{"type": "OTHER", "identifier": "UOM:39015"}]
        identifiers += [{"type": "ISBN_10", "identifier": number} for number in isbns]
        return {"id": name, "volumeInfo": {"title": name, "industryIdentifiers": identifiers}}

    items = [volume("other", "0439023513"), volume("same", "0439023483"), volume("old")]
    items.append({"id": "m", "volumeInfo": {"title": "magazine", "printType": "MAGAZINE"}})
    async with misbehaving(http({"totalItems": 4, "items": items})) as address:
        (answer,) = await asked(address, isbn(HUNGER_GAMES))

    assert answer.raw is not None
    assert [item["id"] for item in answer.raw["items"]] == ["same", "old"]


async def test_what_is_no_question_costs_no_call(shop: Shop) -> None:
    found = await asked(
        shop.base_url, isbn("1 OR intitle:x"), titled(' " '), Lookup("openlibrary", "isbn", "1")
    )

    assert [answer.error for answer in found] == ["not an ISBN: 1 OR intitle:x", "no title to search for"]
    assert shop.calls == []


async def test_without_a_permit_it_stops_with_what_it_has(shop: Shop) -> None:
    permits = iter([True, False])

    async def permit() -> bool:
        return next(permits)

    found = await asked(shop.base_url, titled("Dune"), isbn(HUNGER_GAMES), isbn(UNKNOWN), permit=permit)

    assert [answer.lookup.key for answer in found] == [HUNGER_GAMES]


@pytest.mark.parametrize("key", ["", " ", "a b", "a\r\nX: 1"])
def test_a_key_must_be_one_word(key: str) -> None:
    with pytest.raises(ValueError, match="key"):
        GoogleBooks(httpx.AsyncClient(), "https://books.example", key)


def test_a_country_must_be_two_letters() -> None:
    with pytest.raises(ValueError, match="country"):
        GoogleBooks(httpx.AsyncClient(), "https://books.example", KEY, country="USA")


REFUSALS: dict[str, tuple[int, Any, str, float | None]] = {
    # what: (status, body, reason, seconds to wait)
    "quota 0": (429, quota("0", "d"), "quota_zero", None),
    "the day is spent": (429, quota("1000", "d"), "daily", None),
    "the day is spent, in words": (429, error(429, "rateLimitExceeded", "Queries per day"), "daily", None),
    "the day is spent, as it used to be said": (403, error(403, "dailyLimitExceeded", ""), "daily", None),
    "a spent quota as 400": (400, error(400, "quotaExceeded", "Quota exceeded"), "daily", None),
    "the minute is spent": (429, quota("100", "min"), "rate_limited", 60.0),
    "too fast for one user": (403, error(403, "userRateLimitExceeded", ""), "rate_limited", 60.0),
    "429 without a word": (429, "<html>", "rate_limited", None),
    "429 with too many": (429, quota("0", "d") | {"x": "x" * 100_000}, "rate_limited", None),
    "a wrong key": (400, error(400, "API_KEY_INVALID", "API key not valid."), "bad_key", None),
    "a wrong key, as it used to be said": (400, error(400, "keyInvalid", "Bad Request"), "bad_key", None),
    "an expired key": (400, error(400, "keyExpired", ""), "bad_key", None),
    "a key for other addresses": (403, error(403, "API_KEY_IP_ADDRESS_BLOCKED", ""), "bad_key", None),
    "an API that is switched off": (403, error(403, "accessNotConfigured", ""), "bad_key", None),
    "401": (401, "who?", "bad_key", None),
    "no key": (403, error(403, "forbidden", "Method doesn't allow unregistered callers"), "no_key", None),
    "nowhere": (
        403,
        error(403, "unknownLocation", "Cannot determine user location"),
        "unknown_location",
        None,
    ),
    "403 without a word": (403, "<html>Sorry", "identify", None),
    "a backend that fails": (503, error(503, "backendFailed", "Service unavailable"), "server_error", None),
    "a wrong address": (404, "<html>Not Found", "bad_reply", None),
    "an error of no shape": (500, {"error": [{"errors": 7}]}, "server_error", None),
    "reasons of no shape": (
        403,
        {"error": {"errors": [None, {"reason": {}}], "details": 1}},
        "identify",
        None,
    ),
}
PAUSES = {"quota_zero", "daily", "bad_key", "no_key", "unknown_location", "identify"}


@pytest.mark.parametrize(("status", "body", "reason", "wait"), REFUSALS.values(), ids=REFUSALS.keys())
async def test_each_refusal_has_its_reason(status: int, body: Any, reason: str, wait: float | None) -> None:
    """Reasons that no retry cures pause the provider and do not count as failures."""
    async with misbehaving(http(body, status=f"{status} No")) as address:
        with pytest.raises(ProviderUnavailable) as trouble:
            await asked(address, isbn(HUNGER_GAMES))

    report = trouble.value.report()
    assert (trouble.value.reason, report["retry_after"]) == (reason, wait)
    assert (report["reason"], report["failed"]) == ((reason, 0) if reason in PAUSES else (None, 1))


@pytest.mark.parametrize("body", [quota("100", "min"), quota("1000", "d"), "<html>"])
async def test_retry_after_wins(body: Any) -> None:
    async with misbehaving(http(body, "Retry-After: 41", status="429 Too Many Requests")) as address:
        with pytest.raises(ProviderUnavailable) as trouble:
            await asked(address, isbn(HUNGER_GAMES))

    assert trouble.value.retry_after == 41.0


async def test_a_refusal_cut_short_is_still_one() -> None:
    """The status and its header came whole."""
    reply = http(quota("100", "min"), "Retry-After: 41", status="429 Too Many Requests")[:-9]
    async with misbehaving(reply) as address:
        with pytest.raises(ProviderUnavailable) as trouble:
            await asked(address, isbn(HUNGER_GAMES))

    assert (trouble.value.reason, trouble.value.retry_after) == ("rate_limited", 41.0)


async def test_a_question_google_finds_malformed_is_that_look_ups_own_error() -> None:
    async with misbehaving(http(error(400, "invalid", "Bad query"), status="400 Bad Request")) as address:
        first, second = await asked(address, isbn(HUNGER_GAMES), titled("Dune"))

    assert first.error == second.error == "HTTP 400 invalid invalid: Bad query"


async def test_a_404_is_a_miss_only_when_google_says_so() -> None:
    reply = http(error(404, "notFound", "The volume ID could not be found."), status="404 Not Found")
    async with misbehaving(reply) as address:
        (answer,) = await asked(address, isbn(HUNGER_GAMES))

    assert (answer.raw, answer.error) == (None, None)


async def test_the_key_shows_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """Not in logs (httpx writes each URL), not in errors and their tracebacks, not in what is echoed."""
    caplog.set_level("DEBUG")
    caplog.set_level("DEBUG", logger="httpx")  # the command line turns it down
    told = f"bad key {KEY}"
    echo = {"id": KEY, "volumeInfo": {"title": told, "imageLinks": {"thumbnail": f"http://x/?key={KEY}"}}}
    replies = [
        http({"totalItems": 1, "items": [echo]}),
        http(error(400, "keyInvalid", told), status="400 Bad Request"),
        http(error(400, "invalid", told), status="400 Bad Request"),
        http("", f"Location: http://{KEY}.example/?key={KEY}", status="302 Found"),
        http("", f"X-Broken: {KEY}", f"Content-Encoding: {KEY}"),
        b"HTTP/9 " + KEY.encode(),
    ]
    shown: list[str] = []
    async with misbehaving(*replies) as address:
        for _ in replies:
            try:
                shown += [repr(answer) for answer in await asked(address, titled("Dune"))]
            except ProviderUnavailable as trouble:
                shown += [*traceback.format_exception(trouble), json.dumps(trouble.report())]

    logged = [record.getMessage() for record in caplog.records if record.name == "httpx"]
    assert any("HTTP Request: GET" in line and "Dune" in line for line in logged)
    # What the server says in its own headers is httpcore's to log, at DEBUG.
    lines = [record.getMessage() for record in caplog.records if record.name.split(".")[0] != "asyncio"]
    assert [line for line in lines if KEY in line and not line.startswith("receive_response_headers")] == []
    assert len(shown) >= len(replies)
    assert [text for text in shown if KEY in text] == []
    assert KEY not in str(Settings(_env_file=None, google_books_api_key=KEY))
