"""Google Books: one call per ISBN or title, with a key, for what the providers before it left open.

A client without a key has a quota of 0 calls a day, a free key has 1,000. What else the API may say (bad
key, spent day, slow down, where are you) is told apart by the reasons in its error bodies: it uses 400, 403
and 429 for all of them.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import httpx

from .http import Guarded, LookupRefused, NotPermitted, Refusal, Timeouts
from .lookups import Answer, Lookup, Permit, ProviderUnavailable
from .trimming import clean_text, isbn13, listed, picked, search_title, sized

MAX_ITEMS = 5
"""How many volumes of a search are asked for and kept."""
SECONDS_PER_MINUTE = 60.0
"""How long to wait when told to slow down without a Retry-After: Google counts per minute and per day."""

VOLUME_FIELDS = (
    "title",
    "subtitle",
    "authors",
    "publisher",
    "publishedDate",
    "description",
    "industryIdentifiers",
    "pageCount",
    "language",
    "printType",
)
FIELDS_ASKED = f"totalItems,items(id,volumeInfo({','.join(VOLUME_FIELDS)},imageLinks/thumbnail))"

BAD_KEY = re.compile(
    "keyInvalid|keyExpired|API_KEY_|refererBlocked|accessNotConfigured|SERVICE_DISABLED|CONSUMER_|UNAUTHENTICATED",
    re.IGNORECASE,
)
NO_KEY = re.compile("unregistered|dailyLimitExceededUnreg", re.IGNORECASE)
SPENT_DAY = re.compile("dailyLimitExceeded|quotaExceeded", re.IGNORECASE)
TOO_FAST = re.compile("rateLimitExceeded|RATE_LIMIT_EXCEEDED|RESOURCE_EXHAUSTED", re.IGNORECASE)
PER_DAY = re.compile("/d/|per ?day", re.IGNORECASE)


class GoogleBooks:
    """Answers `isbn` and `title` look-ups from the Google Books API, or a server that speaks like it.

    Args:
        client: sends the requests.
        base_url: up to and with the version, `https://www.googleapis.com/books/v1`.
        key: sent with every request and shown nowhere: neither log, error nor stored reply holds it.
        country: two letters; without one, servers in data centres are refused (`unknownLocation`).

    Raises:
        ValueError: an empty key, or a country that is not two letters.
    """

    name = "googlebooks"
    keys_per_call = 1
    has_key = True

    def __init__(
        self,
        client: httpx.AsyncClient,
        base_url: str,
        key: str,
        *,
        country: str = "US",
        timeouts: Timeouts | None = None,
    ) -> None:
        if not re.fullmatch("[!-~]+", key):
            raise ValueError("the key for Google Books must be one printable word")
        if not re.fullmatch("[A-Za-z]{2}", country):
            raise ValueError("country must be two letters")
        self._question = {
            "maxResults": str(MAX_ITEMS),
            "printType": "books",
            "country": country.upper(),
            "fields": FIELDS_ASKED,
        }
        # Google compresses only for agents that name gzip.
        agent = "BookEnrichment/0.1 (gzip)"
        self._http = Guarded(
            client, self.name, base_url, agent, timeouts or Timeouts(), key=key, explain=refusal_of
        )

    async def answers(self, lookups: Iterable[Lookup], permit: Permit) -> AsyncIterator[Answer]:
        """See `Provider.answers`. One call per look-up, ISBNs first."""
        asked = {(lookup.kind, lookup.key): lookup for lookup in lookups if lookup.provider == self.name}
        try:
            for kind in ("isbn", "title"):
                for lookup in asked.values():
                    if lookup.kind == kind:
                        yield await self._answer(lookup, permit)
        except NotPermitted:
            return

    async def _answer(self, lookup: Lookup, permit: Permit) -> Answer:
        isbn = isbn13(lookup.key) if lookup.kind == "isbn" else None
        query = title_query(lookup) if lookup.kind == "title" else f"isbn:{isbn}"
        if lookup.kind == "isbn" and isbn is None:
            return Answer(lookup, error=f"not an ISBN: {clean_text(lookup.key, 40)}")
        if not query:
            return Answer(lookup, error="no title to search for")
        try:
            volumes = await self._volumes(query, permit)
        except LookupRefused as refusal:
            return Answer(lookup, error=str(refusal))
        except ProviderUnavailable as trouble:
            if trouble.reason != "not_found":
                raise
            return Answer(lookup)
        kept = [volume for volume in volumes if isbn is None or may_carry(volume, isbn)]
        return Answer(lookup, {"items": kept} if kept else None)

    async def _volumes(self, query: str, permit: Permit) -> list[dict[str, Any]]:
        """Trimmed volumes. A reply that is no search result must not be remembered as a miss."""
        reply = await self._http.get_object("/volumes", {"q": query, **self._question}, permit)
        if not reply:
            return []  # what a partial response leaves of a search that found nothing
        items = reply.get("items", [])
        total = reply.get("totalItems", 1 if items else None)
        if "error" in reply or not isinstance(items, list) or type(total) is not int:
            raise self._http.trouble("bad_reply", "a search without its volumes")
        return [volume for volume in map(trimmed_volume, items[:MAX_ITEMS]) if volume]


def title_query(lookup: Lookup) -> str:
    """`intitle:"…" inauthor:"…"`; empty where there is no title."""
    title, author = words(search_title(lookup.title)), words(clean_text(lookup.author or "", 250))
    return " ".join([f'intitle:"{title}"', *([f'inauthor:"{author}"'] if author else [])]) if title else ""


def words(text: str) -> str:
    """One line without quotation marks, which would end the phrase."""
    return " ".join(text.replace('"', " ").split())


def trimmed_volume(item: Any) -> dict[str, Any]:
    """What we keep of a volume; empty when it is none, or a magazine."""
    info = item.get("volumeInfo") if isinstance(item, dict) else None
    if (
        not isinstance(info, dict)
        or not isinstance(item.get("id"), str)
        or info.get("printType") == "MAGAZINE"
    ):
        return {}
    links = info.get("imageLinks")
    kept = picked(info, VOLUME_FIELDS)
    if isinstance(links, dict) and isinstance(links.get("thumbnail"), str):
        kept["imageLinks"] = picked(links, ("thumbnail",))
    return sized({"id": clean_text(item["id"]), "volumeInfo": kept}) if kept else {}


def may_carry(volume: dict[str, Any], isbn: str) -> bool:
    """Whether the volume has that ISBN, or none at all: one that names only others is another book."""
    identifiers = objects(volume["volumeInfo"].get("industryIdentifiers"))
    named = {isbn13(each.get("identifier")) for each in identifiers} - {None}
    return not named or isbn in named


def refusal_of(status: int, body: Mapping[str, Any]) -> Refusal:
    """What Google means by an error: cloud.google.com/apis/design/errors, and the older list in it."""
    error = body.get("error")
    if not isinstance(error, dict):
        return Refusal("bad_key" if status == 401 else None)
    errors, details = objects(error.get("errors")), objects(error.get("details"))
    limits = objects([each.get("metadata") for each in details])
    reasons = joined([*errors, *details, {"reason": error.get("status")}], "reason")
    message = joined([error], "message")
    period = f"{joined(limits, 'quota_unit', 'quota_limit')} {message}"
    said = clean_text(f"{reasons}: {message}", 300)

    if "0" in joined(limits, "quota_limit_value").split():
        return Refusal("quota_zero", said)
    if NO_KEY.search(f"{reasons} {message}"):
        return Refusal("no_key", said)
    if BAD_KEY.search(reasons) or status == 401:
        return Refusal("bad_key", said)
    if "unknownLocation" in reasons:
        return Refusal("unknown_location", said)
    if SPENT_DAY.search(reasons) or (TOO_FAST.search(reasons) and PER_DAY.search(period)):
        return Refusal("daily", said)
    if TOO_FAST.search(reasons):
        return Refusal("rate_limited", said, SECONDS_PER_MINUTE)
    return Refusal("not_found" if status == 404 and "notFound" in reasons else None, said)


def objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in listed(value) if isinstance(each, dict)]


def joined(things: list[dict[str, Any]], *names: str) -> str:
    """The values of those names that are texts or numbers, as words."""
    values = [thing.get(name) for thing in things for name in names]
    return " ".join(str(value) for value in values if isinstance(value, str | int))
