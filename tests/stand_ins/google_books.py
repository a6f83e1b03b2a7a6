"""A stand-in for the Google Books API: `volumes` by ISBN or by title and author, from our own catalogue.

It keeps the manners that matter: quota 0 without a key, 400 for a wrong one, 403 without a country, partial
replies. Tests run it inside their own loop (`async with serve() as shop`); `shop.calls`, `shop.misbehave` and
`canned` are those of the Open Library stand-in.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from open_library import Handler, Library, both_isbns, canned, listening, title_words, words

KEY = "a-key-for-tests-and-nothing-else"
LANGUAGES = {"eng": "en", "fre": "fr", "ger": "de", "spa": "es"}


class Shop(Library):
    """The catalogue as Google would tell it; `base_url` ends in the version of the API."""

    def __init__(self, key: str = KEY) -> None:
        super().__init__()
        self.key = key
        self.app = Starlette(routes=[Route("/books/v1/volumes", self.logged(self.volumes))])

    def refusal(self, call: dict[str, Any]) -> Handler | None:
        query = call["query"]
        if "key" not in query:
            return canned(429, error(429, "rateLimitExceeded", "Quota exceeded", quota_limit_value="0"))
        if query["key"] != self.key:
            return canned(
                400, error(400, "API_KEY_INVALID", "API key not valid. Please pass a valid API key.")
            )
        if "country" not in query:
            return canned(403, error(403, "unknownLocation", "Cannot determine user location."))
        return None

    async def volumes(self, request: Request) -> Response:
        """`q=isbn:…`, or words of the title after `intitle:` and of one author after `inauthor:`."""
        query = request.query_params
        isbn = re.search("isbn:([0-9Xx]+)", query["q"])
        title = words(" ".join(re.findall('intitle:"([^"]*)"', query["q"])))
        author = words(" ".join(re.findall('inauthor:"([^"]*)"', query["q"])))
        hits = [
            volume(work, edition)
            for work, edition in self.editions
            if (isbn and isbn[1] in both_isbns(edition))
            or (
                title
                and title <= title_words(work, edition)
                and author <= words(" ".join(person["name"] for person in work["authors"]))
            )
        ]
        shown = hits[: int(query.get("maxResults", "10"))]
        return JSONResponse({"totalItems": len(hits)} | ({"items": shown} if shown else {}))


def volume(work: dict[str, Any], edition: dict[str, Any]) -> dict[str, Any]:
    """An edition as Google lists it."""
    number = "".join(filter(str.isdigit, edition["key"]))
    info = {
        "title": edition.get("title", work["title"]),
        "subtitle": edition.get("subtitle", work.get("subtitle")),
        "authors": [person["name"] for person in work["authors"]],
        "publisher": edition.get("publisher"),
        "publishedDate": edition.get("publish_date"),
        "description": work.get("description"),
        "industryIdentifiers": [
            {"type": f"ISBN_{len(isbn)}", "identifier": isbn} for isbn in both_isbns(edition)
        ],
        "pageCount": edition.get("pages"),
        "printType": "BOOK",
        "language": LANGUAGES.get(edition.get("language", "")),
        "imageLinks": {
            "thumbnail": f"http://books.google.com/books/content?id=G{number}&printsec=frontcover&img=1&zoom=1"
            "&edge=curl&source=gbs_api"
        },
    }
    return {"id": f"G{number}", "volumeInfo": {name: value for name, value in info.items() if value}}


def error(code: int, reason: str, message: str, **metadata: str) -> dict[str, Any]:
    """An error body of Google's: the old list of reasons and the new list of details."""
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "metadata": metadata}]
    errors = [{"message": message, "domain": "global", "reason": reason}]
    return {"error": {"code": code, "message": message, "errors": errors, "details": details}}


def quota(value: str, period: str) -> dict[str, Any]:
    """The error body of a spent quota: `value` calls a `period` ("d", "min")."""
    limits = {"quota_limit_value": value, "quota_unit": f"1/{period}/{{project}}"}
    return error(429, "rateLimitExceeded", "Quota exceeded for quota metric 'Queries'", **limits)


@asynccontextmanager
async def serve(key: str = KEY) -> AsyncIterator[Shop]:
    """A shop listening on 127.0.0.1 for as long as the block runs."""
    shop = Shop(key)
    async with listening(shop.app) as address:
        shop.base_url = f"{address}/books/v1"
        yield shop
