"""A stand-in for openlibrary.org: the few addresses we use, over real HTTP, from a catalogue of our own.

It keeps the manners that matter: 403 without a contact in the User-Agent, 429 above a rate, one edition per
work in a search, `/api/books` keyed as asked. The demo runs it beside the worker, the tests inside their own
loop (`async with serve() as library`). Keys and cover ids from 900,000,000 up exist only in `catalogue.json`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import signal
import socket
import time
import unicodedata
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from drawn_covers import drawn_cover

CATALOGUE = Path(__file__).with_name("catalogue.json")
DEFAULT_FIELDS = ("key", "title", "subtitle", "author_name", "author_key", "first_publish_year", "cover_i")
COVER_SIZES = {"S": (40, 58), "M": (180, 270), "L": (330, 500)}
"""Pixels, width and height."""

Handler = Callable[[Request], Awaitable[Response]]


class Library:
    """The catalogue, the log of calls, and canned replies for tests that need a bad day."""

    def __init__(self, catalogue: Path = CATALOGUE, rate: int | None = None) -> None:
        self.works: list[dict[str, Any]] = json.loads(catalogue.read_text(encoding="utf-8"))["works"]
        self.editions = [(work, edition) for work in self.works for edition in work["editions"]]
        self.by_isbn = {
            isbn: (work, edition) for work, edition in self.editions for isbn in both_isbns(edition)
        }
        self.calls: list[dict[str, Any]] = []
        self.canned: deque[Handler] = deque()
        self.rate = rate
        """Calls per second above which the answer is 429; None for no limit."""
        self.base_url = ""
        self.app = Starlette(
            routes=[
                Route("/_calls", self.call_log, methods=["GET", "DELETE"]),
                Route("/search.json", self.logged(self.search)),
                Route("/api/books", self.logged(self.books)),
                Route("/isbn/{isbn}.json", self.logged(self.isbn)),
                Route("/works/{key}.json", self.logged(self.work)),
                Route("/books/{key}.json", self.logged(self.book)),
                Route("/authors/{key}.json", self.logged(self.author)),
                Route("/b/id/{name}.jpg", self.logged(self.cover)),
            ]
        )

    def misbehave(self, handler: Handler, times: int = 1) -> None:
        """Let the next calls be answered by `handler` instead."""
        self.canned.extend([handler] * times)

    def logged(self, handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            call = {
                "method": request.method,
                "path": request.url.path,
                "query": dict(request.query_params),
                "user_agent": request.headers.get("user-agent", ""),
                "at": time.time(),
                "status": None,
            }
            self.calls.append(call)
            response = await (self.refusal(call) or (self.canned.popleft() if self.canned else handler))(
                request
            )
            call["status"] = response.status_code
            return response

        return answer

    def refusal(self, call: dict[str, Any]) -> Handler | None:
        """Who does not say who is calling, or calls too often, is sent away. Covers are open to all."""
        if call["path"].startswith("/b/"):
            return None
        if not re.search("http|@|bot", call["user_agent"]):
            return canned(403, {"status": 403, "error": "Please identify yourself in the User-Agent"})
        recent = sum(earlier["at"] > call["at"] - 1 for earlier in self.calls)
        if self.rate is not None and recent > self.rate:
            return canned(429, {"status": 429, "error": "Too many requests"})
        return None

    async def call_log(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.calls.clear()
        return JSONResponse(self.calls)

    async def search(self, request: Request) -> Response:
        """`q=isbn:(A OR B)` or words, `title=`, `author=`; one matching edition per work, as upstream."""
        query = request.query_params
        asked = query.get("q", "")
        if "q" in query and len(asked) < 3:
            return JSONResponse({"error": "Query too short"}, status_code=422)
        isbns = set(re.findall("[0-9]{9,12}[0-9Xx]", asked)) if "isbn:" in asked else None
        title, author = words(query.get("title", "")), words(query.get("author", ""))
        free = set() if isbns is not None else words(asked)
        hits = []
        for work in self.works:
            names = words(" ".join(person["name"] for person in work["authors"]))
            edition = shown_edition(work, isbns, title)
            if edition and author <= names and free <= names | title_words(work, edition):
                hits.append((work, edition))
        hits.sort(key=lambda hit: words(hit[0]["title"]) != title)
        fields = query["fields"].split(",") if "fields" in query else list(DEFAULT_FIELDS)
        limit = int(query.get("limit", "100"))
        docs = [search_doc(work, edition, fields) for work, edition in hits[:limit]]
        return JSONResponse({"numFound": len(hits), "start": 0, "numFoundExact": True, "docs": docs})

    async def books(self, request: Request) -> Response:
        """`bibkeys=` bare or `ISBN:`; only a bare key is tried in both forms. Unknown keys are left out."""
        found = {}
        for key in filter(None, request.query_params.get("bibkeys", "").split(",")):
            isbn = key.removeprefix("ISBN:")
            work, edition = self.by_isbn.get(isbn, (None, None))
            if work and edition and (key == isbn or isbn in edition["isbns"]):
                found[key] = books_entry(key, work, edition, request.query_params.get("jscmd", "viewapi"))
        return JSONResponse(found)

    async def isbn(self, request: Request) -> Response:
        _, edition = self.by_isbn.get(request.path_params["isbn"], (None, None))
        return RedirectResponse(f"{edition['key']}.json", status_code=302) if edition else not_found()

    async def work(self, request: Request) -> Response:
        key = f"/works/{request.path_params['key']}"
        return next(
            (JSONResponse(work_record(work)) for work in self.works if work["key"] == key), not_found()
        )

    async def book(self, request: Request) -> Response:
        key = f"/books/{request.path_params['key']}"
        records = (edition_record(work, edition) for work, edition in self.editions if edition["key"] == key)
        return next(map(JSONResponse, records), not_found())

    async def author(self, request: Request) -> Response:
        key = f"/authors/{request.path_params['key']}"
        people = (person for work in self.works for person in work["authors"] if person["key"] == key)
        person = next(people, None)
        return JSONResponse({**person, "type": {"key": "/type/author"}}) if person else not_found()

    async def cover(self, request: Request) -> Response:
        """A cover drawn for every id we know; PNG bytes, which browsers accept."""
        number, _, size = request.path_params["name"].partition("-")
        picture = self.cover_picture(int(number), size) if number.isdecimal() else None
        return not_found() if picture is None else Response(picture, media_type="image/png")

    def cover_picture(self, number: int, size: str) -> bytes | None:
        """What is shown under a cover id; None for an id or a size that is not known."""
        works = (
            work for work, edition in self.editions if number in (work.get("cover"), edition.get("cover"))
        )
        work = next(works, None)
        if work is None or size not in COVER_SIZES:
            return None
        author = work["authors"][0]["name"] if work["authors"] else ""
        return drawn_cover(number, work["title"], author, *COVER_SIZES[size])


def canned(status: int, body: object, **headers: str) -> Handler:
    """A handler that always answers this; header names take underscores (`retry_after="7"`)."""

    async def handler(_: Request) -> Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return JSONResponse(body, status_code=status, headers=named)

    return handler


def not_found() -> Response:
    return JSONResponse({"error": "notfound"}, status_code=404)


def words(text: str) -> set[str]:
    """Folded words: no accents, no case, no punctuation."""
    plain = unicodedata.normalize("NFKD", text.replace("'", "").replace("’", "")).casefold()
    return set(re.findall(r"\w+", "".join(letter for letter in plain if not unicodedata.combining(letter))))


def title_words(*things: dict[str, Any]) -> set[str]:
    return words(" ".join(f"{thing.get('title', '')} {thing.get('subtitle', '')}" for thing in things))


def both_isbns(edition: dict[str, Any]) -> list[str]:
    """The edition's ISBNs in both forms, as the search index has them."""
    tens = [isbn10(isbn) for isbn in edition["isbns"] if len(isbn) == 13 and isbn.startswith("978")]
    return [*edition["isbns"], *tens]


def isbn10(isbn: str) -> str:
    body = isbn[3:12]
    check = -sum((10 - place) * int(digit) for place, digit in enumerate(body)) % 11
    return body + ("X" if check == 10 else str(check))


def shown_edition(work: dict[str, Any], isbns: set[str] | None, title: set[str]) -> dict[str, Any] | None:
    """The first edition that fits the question; None when the work does not."""
    fitting: Iterable[dict[str, Any]] = work["editions"]
    if isbns is not None:
        fitting = (edition for edition in fitting if isbns.intersection(both_isbns(edition)))
    if title:
        fitting = (edition for edition in fitting if title <= title_words(work, edition))
    return next(iter(fitting), None)


def search_doc(work: dict[str, Any], edition: dict[str, Any], fields: list[str]) -> dict[str, Any]:
    whole = {
        "key": work["key"],
        "title": work["title"],
        "subtitle": work.get("subtitle"),
        "author_name": [person["name"] for person in work["authors"]],
        "author_key": [person["key"].removeprefix("/authors/") for person in work["authors"]],
        "first_publish_year": work.get("first_publish_year"),
        "cover_i": work.get("cover"),
        "description": work.get("description"),
        "edition_count": len(work["editions"]),
    }
    shown = {
        "key": edition["key"],
        "title": edition.get("title", work["title"]),
        "subtitle": edition.get("subtitle"),
        "isbn": both_isbns(edition),
        "cover_i": edition.get("cover"),
        "language": [edition["language"]] if "language" in edition else None,
        "publisher": [edition["publisher"]] if "publisher" in edition else None,
        "publish_date": [edition["publish_date"]] if "publish_date" in edition else None,
        "format": [edition["format"]] if "format" in edition else None,
    }
    doc = {field: whole[field] for field in fields if whole.get(field) is not None}
    if "editions" in fields:
        named = [field.removeprefix("editions.") for field in fields if field.startswith("editions.")]
        kept = {field: shown[field] for field in named or fields if shown.get(field)}
        doc["editions"] = {"numFound": 1, "start": 0, "numFoundExact": True, "docs": [kept]}
    return doc


def work_record(work: dict[str, Any]) -> dict[str, Any]:
    record = {
        "key": work["key"],
        "title": work["title"],
        "subtitle": work.get("subtitle"),
        "authors": [{"author": {"key": person["key"]}} for person in work["authors"]],
        "description": work.get("description"),
        "covers": [work["cover"]] if "cover" in work else None,
        "type": {"key": "/type/work"},
    }
    return {name: value for name, value in record.items() if value}


def edition_record(work: dict[str, Any], edition: dict[str, Any]) -> dict[str, Any]:
    record = {
        "key": edition["key"],
        "title": edition.get("title", work["title"]),
        "subtitle": edition.get("subtitle"),
        "works": [{"key": work["key"]}],
        "authors": [{"key": person["key"]} for person in work["authors"]],
        "isbn_13": [isbn for isbn in edition["isbns"] if len(isbn) == 13],
        "isbn_10": [isbn for isbn in both_isbns(edition) if len(isbn) == 10],
        "publishers": [edition["publisher"]] if "publisher" in edition else None,
        "publish_date": edition.get("publish_date"),
        "number_of_pages": edition.get("pages"),
        "physical_format": edition.get("format"),
        "languages": [{"key": f"/languages/{edition['language']}"}] if "language" in edition else None,
        "covers": [edition["cover"]] if "cover" in edition else None,
        "type": {"key": "/type/edition"},
    }
    return {name: value for name, value in record.items() if value}


def books_entry(key: str, work: dict[str, Any], edition: dict[str, Any], jscmd: str) -> dict[str, Any]:
    record = edition_record(work, edition)
    if jscmd == "details":
        record["authors"] = [{"key": person["key"], "name": person["name"]} for person in work["authors"]]
        return {"bib_key": key, "info_url": edition["key"], "preview": "noview", "details": record}
    if jscmd == "data":
        return {
            "key": edition["key"],
            "title": record["title"],
            "authors": [{"name": person["name"]} for person in work["authors"]],
            "publishers": [{"name": name} for name in record.get("publishers", [])],
            "identifiers": {"isbn_13": record.get("isbn_13", []), "isbn_10": record.get("isbn_10", [])},
            "publish_date": record.get("publish_date"),
            "number_of_pages": record.get("number_of_pages"),
        }
    return {"bib_key": key, "info_url": edition["key"], "preview": "noview"}


class Server(uvicorn.Server):
    """Leaves the signals to whoever runs the loop: in the tests that is not us."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serve(
    catalogue: Path = CATALOGUE, *, port: int = 0, rate: int | None = None
) -> AsyncIterator[Library]:
    """A library listening on 127.0.0.1 for as long as the block runs; port 0 takes a free one."""
    library = Library(catalogue, rate)
    async with listening(library.app, port) as library.base_url:
        yield library


@asynccontextmanager
async def listening(app: Starlette, port: int = 0) -> AsyncIterator[str]:
    """The address at which the app answers for as long as the block runs."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()  # from here on a caller may connect, even before the server has started
        config = uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=1)
        server = Server(config)
        running = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await running


async def main() -> None:
    parser = argparse.ArgumentParser(description="A stand-in for openlibrary.org with a catalogue of its own")
    parser.add_argument("--port", type=int, default=54390)
    parser.add_argument("--catalogue", type=Path, default=CATALOGUE)
    parser.add_argument("--rate", type=int, help="calls per second above which it answers 429")
    arguments = parser.parse_args()
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    try:
        async with serve(arguments.catalogue, port=arguments.port, rate=arguments.rate) as library:
            print(f"Open Library stand-in: {library.base_url}", flush=True)
            await stopped.wait()
    except OSError as error:
        raise SystemExit(f"cannot listen on 127.0.0.1:{arguments.port}: {error.strerror}") from error


if __name__ == "__main__":
    asyncio.run(main())
