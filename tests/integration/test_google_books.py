"""GoogleBooks asks for little, with a key that shows nowhere, and knows what each refusal means.

Over real HTTP to the project's own stand-in. What a broken or hostile server may do is in
`test_hostile_replies.py`.
"""

from __future__ import annotations

import asyncio
import json
import traceback
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

import google_books
import open_library
from book_enrichment.providers import Answer, GoogleBooks, Lookup, ProviderUnavailable
from book_enrichment.settings import Settings
from book_enrichment.work import open_worker
from google_books import KEY, Shop, error
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


def quota(value: str, period: str) -> dict[str, Any]:
    limits = {"quota_limit_value": value, "quota_unit": f"1/{period}/{{project}}"}
    return error(429, "rateLimitExceeded", "Quota exceeded for quota metric 'Queries'", **limits)


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


# Through the worker and the database


@pytest.fixture
async def library() -> AsyncIterator[open_library.Library]:
    async with open_library.serve() as library:
        yield library


@pytest.fixture
def settings(database_url: str, library: open_library.Library, shop: Shop) -> Settings:
    return Settings(
        _env_file=None,
        database_url=database_url,
        auto_enabled=True,
        auto_apply_metadata=True,
        provider_delay_ms=0,
        contact="tests@example.org",
        open_library_url=library.base_url,
        google_books_url=shop.base_url,
        google_books_api_key=KEY,
    )


@pytest.fixture
async def queue_book(connect, settings: Settings, create_reader) -> Callable[[], Awaitable[None]]:
    """`await queue_book()`: The Hunger Games, without a cover, for a reader who opted in to Google."""
    connection = await connect()
    ada, _ = create_reader("ada")
    await connection.execute("update users set enable_google_books = true")
    await connection.execute("update enrichment.settings set provider_keys = '{googlebooks}'")

    async def queue_book() -> None:
        work = uuid.uuid4()
        await connection.execute("insert into works (id, title) values (%s, 'The Hunger Games')", [work])
        await connection.execute("insert into authors (id, name) values (%s, 'Suzanne Collins')", [work])
        await connection.execute("insert into work_authors values (%s, %s)", [work, work])
        await connection.execute(
            "insert into editions (work_id, isbn13) values (%s, %s)", [work, HUNGER_GAMES]
        )
        await connection.execute("select public.enqueue_enrichment(%s, 'manual_bulk', %s)", [[work], ada])

    return queue_book


async def one(connect: Any, query: str) -> dict[str, Any]:
    row: dict[str, Any] = await (await (await connect()).execute(query)).fetchone()
    return row


async def test_google_is_asked_for_what_open_library_left_open(
    connect, settings: Settings, queue_book, library, shop: Shop
) -> None:
    """The library knows no number of pages for a search; Google does. The cover stays Open Library's."""
    await queue_book()
    async with open_worker(settings) as worker:
        await worker.run(drain=True, patience=5)

    assert [call["query"]["q"] for call in shop.calls] == [f"isbn:{HUNGER_GAMES}"]
    book = await one(connect, "select * from works join editions on editions.work_id = works.id")
    assert book["total_pages"] == 374
    assert book["default_cover_url"].startswith("https://covers.openlibrary.org/")
    row = await one(connect, "select * from enrichment_queue")
    assert row["status"] == "completed"
    assert sorted(row["providers_attempted"]) == ["googlebooks", "openlibrary"]


async def test_a_book_only_google_knows_gets_its_cover(
    connect, settings: Settings, queue_book, library, shop: Shop
) -> None:
    """Linked at Google, https and zoom 1; never downloaded."""
    library.works.clear()
    library.by_isbn.clear()
    await queue_book()
    async with open_worker(settings) as worker:
        await worker.run(drain=True, patience=5)

    book = await one(connect, "select * from works")
    assert book["default_cover_url"] == (
        "https://books.google.com/books/content?id=G900000001&printsec=frontcover&img=1&zoom=1&source=gbs_api"
    )


async def test_without_a_key_google_is_not_asked(connect, settings: Settings, queue_book, shop: Shop) -> None:
    """Rows that another worker's key would serve stay for that one."""
    await queue_book()
    async with open_worker(settings.model_copy(update={"google_books_api_key": None})) as worker:
        assert list(worker.providers) == ["openlibrary"]
        await worker.run(drain=True, patience=0)

    assert shop.calls == []


async def test_the_database_learns_that_there_is_a_key(
    connect, settings: Settings, queue_book, shop: Shop
) -> None:
    """And never which."""
    await (await connect()).execute("update enrichment.settings set provider_keys = '{}'")
    async with open_worker(settings) as worker:
        await worker.run(drain=True, patience=0)

    assert (await one(connect, "select * from enrichment.settings"))["provider_keys"] == ["googlebooks"]
    assert KEY not in str(await one(connect, "select s::text from enrichment.settings as s"))


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (error(400, "API_KEY_INVALID", "API key not valid."), 400, "bad_key"),
        (quota("0", "d"), 429, "quota_zero"),
        (quota("1000", "d"), 429, "daily"),
        (error(403, "unknownLocation", ""), 403, "unknown_location"),
    ],
)
async def test_a_refusal_that_no_retry_cures_pauses_google(
    connect, settings: Settings, queue_book, shop: Shop, body: Any, status: int, reason: str
) -> None:
    """One call finds out; the reason is on record, the breaker stays shut, and no attempt is spent."""
    for _ in range(2):
        shop.misbehave(open_library.canned(status, body))
    await queue_book()
    async with open_worker(settings) as worker:
        await asyncio.wait_for(worker.run(drain=True, patience=0), 30)

    state = await one(connect, "select * from enrichment.providers where provider = 'googlebooks'")
    assert (state["paused_reason"], state["failures"], state["open_until"]) == (reason, 0, None)
    assert state["last_error"].startswith(f"googlebooks: {reason}: HTTP {status} ")
    row = await one(connect, "select * from enrichment_queue")
    assert (row["attempt_count"], row["last_error"]) in ((0, None), (1, None))
    assert len(shop.calls) == 1
