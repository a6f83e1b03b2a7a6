"""Open Library: 25 ISBNs a call, a second look for what that cannot show, title searches for the rest.

Its staff ask for batches (internetarchive/openlibrary issues 11406 and 10585) and for a User-Agent that says
who is asking: without one it answers 403. Replies are trimmed to what the matcher reads, not judged.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any

import httpx

from .http import Guarded, LookupRefused, NotPermitted, Timeouts
from .lookups import Answer, Lookup, Permit
from .trimming import clean_text, isbn13, listed, picked, search_title, sized

KEYS_PER_CALL = 25
MAX_DOCS = 100
"""How many documents a search for ISBNs may bring."""
TITLE_DOCS = 5
"""How many hits of a title search are kept."""

WORK_FIELDS = (
    "key",
    "title",
    "subtitle",
    "author_name",
    "author_key",
    "first_publish_year",
    "cover_i",
    "description",
)
EDITION_FIELDS = (
    "key",
    "title",
    "subtitle",
    "isbn",
    "cover_i",
    "language",
    "publisher",
    "publish_date",
    "format",
)
DETAILS_FIELDS = (
    "key",
    "title",
    "subtitle",
    "isbn_10",
    "isbn_13",
    "covers",
    "authors",
    "works",
    "publishers",
    "publish_date",
    "number_of_pages",
    "physical_format",
    "languages",
    "description",
    "series",
)
FIELDS_ASKED = ",".join([*WORK_FIELDS, "editions", *(f"editions.{field}" for field in EDITION_FIELDS)])


class OpenLibrary:
    """Answers `isbn` and `title` look-ups from openlibrary.org or a server that speaks like it.

    `contact` is an e-mail address or a web page of whoever runs this, ValueError where it is none; or nothing
    yet: whoever has it from the database says it by `introduce`.
    """

    name = "openlibrary"

    def __init__(
        self,
        client: httpx.AsyncClient,
        base_url: str,
        contact: str | None = None,
        *,
        keys_per_call: int = KEYS_PER_CALL,
        timeouts: Timeouts | None = None,
    ) -> None:
        self.keys_per_call = keys_per_call
        self._is_unknown = contact is None
        agent = "" if contact is None else user_agent(contact)
        self._http = Guarded(client, self.name, base_url, agent, timeouts or Timeouts())

    def introduce(self, contact: str | None) -> None:
        """Who asks from now on."""
        self._is_unknown = not contact
        self._http.headers["User-Agent"] = agent_of(contact)

    async def answers(self, lookups: Iterable[Lookup], permit: Permit) -> AsyncIterator[Answer]:
        """See `Provider.answers`. One call per 25 ISBNs, one per 25 that it did not show, one per title."""
        if self._is_unknown:
            return  # the contact came after its asker had looked: with the next look it is there
        if not self._http.headers["User-Agent"]:
            raise self._http.trouble("identify", NO_ADDRESS)
        asked = {(lookup.kind, lookup.key): lookup for lookup in lookups if lookup.provider == self.name}
        try:
            async for answer in self._isbn_answers([x for x in asked.values() if x.kind == "isbn"], permit):
                yield answer
            for lookup in asked.values():
                if lookup.kind == "title":
                    yield await self._title_answer(lookup, permit)
        except NotPermitted:
            return

    async def _isbn_answers(self, lookups: list[Lookup], permit: Permit) -> AsyncIterator[Answer]:
        wanted: dict[str, list[Lookup]] = {}
        for lookup in lookups:
            isbn = isbn13(lookup.key)
            if isbn is None:
                yield Answer(lookup, error=f"not an ISBN: {clean_text(lookup.key, 40)}")
            else:
                wanted.setdefault(isbn, []).append(lookup)

        unseen: list[str] = []
        seen: list[dict[str, Any]] = []
        for isbns in batches(list(wanted), self.keys_per_call):
            docs = await self._search({"q": f"isbn:({' OR '.join(isbns)})", "limit": str(MAX_DOCS)}, permit)
            seen += docs
            for isbn in isbns:
                carriers = [doc for doc in docs if isbn in doc_isbns(doc)][:TITLE_DOCS]
                if not carriers:
                    unseen.append(isbn)
                for lookup in wanted[isbn] if carriers else ():
                    yield Answer(lookup, {"docs": carriers})

        # A search shows one edition of each work: its other ISBNs look like misses until asked for. Their
        # records often lack the work's cover and description, which the search has told already.
        for isbns in batches(unseen, self.keys_per_call):
            editions = await self._details(isbns, permit)
            for isbn in isbns:
                for lookup in wanted[isbn]:
                    yield Answer(lookup, with_work(editions[isbn], seen) if isbn in editions else None)

    async def _title_answer(self, lookup: Lookup, permit: Permit) -> Answer:
        title = search_title(lookup.title)
        if not title:
            return Answer(lookup, error="no title to search for")
        question = {"title": title, "limit": str(TITLE_DOCS)}
        if author := clean_text(lookup.author or "", 250).strip():
            question["author"] = author
        try:
            docs = await self._search(question, permit)
        except LookupRefused as refusal:
            return Answer(lookup, error=str(refusal))
        return Answer(lookup, {"docs": docs[:TITLE_DOCS]} if docs else None)

    async def _search(self, question: Mapping[str, str], permit: Permit) -> list[dict[str, Any]]:
        """Trimmed search documents. A reply that hides them must not be remembered as a miss."""
        reply = await self._object("/search.json", {**question, "fields": FIELDS_ASKED}, permit)
        docs = reply.get("docs")
        found = reply.get("numFound")
        if not isinstance(docs, list) or reply.get("error") or (not docs and found not in (0, None)):
            raise self._http.trouble("bad_reply", "a search without its documents")
        return [doc for doc in map(trimmed_doc, docs[:MAX_DOCS]) if doc]

    async def _details(self, isbns: list[str], permit: Permit) -> dict[str, dict[str, Any]]:
        """Edition records by ISBN. Bare keys: only those are tried in both the 10 and the 13 digit form."""
        question = {"bibkeys": ",".join(isbns), "jscmd": "details", "format": "json"}
        reply = await self._object("/api/books", question, permit)
        if not reply.keys() <= set(isbns):
            raise self._http.trouble("bad_reply", "editions nobody asked for")
        editions = {isbn: trimmed_details(entry) for isbn, entry in reply.items()}
        return {isbn: edition for isbn, edition in editions.items() if isbn in details_isbns(edition)}

    async def _object(self, path: str, question: Mapping[str, str], permit: Permit) -> dict[str, Any]:
        """A refused title is that title's own affair; a refused batch is no single ISBN's."""
        try:
            return await self._http.get_object(path, question, permit)
        except LookupRefused as refusal:
            if "title" in question:
                raise
            raise self._http.trouble("bad_reply", str(refusal)) from refusal


def user_agent(contact: str) -> str:
    """How we introduce ourselves: Open Library wants an address it can write to."""
    contact = contact.strip()
    if not re.fullmatch(r"[!-~]*(@|https?://)[!-~]+", contact):
        raise ValueError("contact must be an e-mail address or a web address")
    return f"BookEnrichment/0.1 (+{contact})"


NO_ADDRESS = "not asked: the contact of the settings is no e-mail or web address"


def agent_of(contact: str | None) -> str:
    """The same for a contact that may be none; empty where nobody could write to it."""
    try:
        return user_agent(contact or "")
    except ValueError:
        return ""


def batches(items: list[str], size: int) -> Iterator[list[str]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def trimmed_doc(doc: Any) -> dict[str, Any]:
    """What we keep of a search document; empty when it is none."""
    if not isinstance(doc, dict):
        return {}
    editions = doc.get("editions")
    shown = editions.get("docs") if isinstance(editions, dict) else None
    kept = [picked(edition, EDITION_FIELDS) for edition in listed(shown) if isinstance(edition, dict)]
    return sized(picked(doc, WORK_FIELDS) | ({"editions": {"docs": kept[:TITLE_DOCS]}} if kept else {}))


def trimmed_details(entry: Any) -> dict[str, Any]:
    """What we keep of an edition record of /api/books; empty when it is none."""
    details = entry.get("details") if isinstance(entry, dict) else None
    return sized(picked(details, DETAILS_FIELDS)) if isinstance(details, dict) else {}


def with_work(edition: dict[str, Any], docs: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """An edition record as a reply, with its work from the documents of a search, where that showed it."""
    works = {work.get("key") for work in listed(edition.get("works")) if isinstance(work, dict)}
    shown = [doc for doc in docs if doc.get("key") in works]
    told = [{name: value for name, value in doc.items() if name != "editions"} for doc in shown[:1]]
    return {"edition": edition} | ({"docs": told} if told else {})


def doc_isbns(doc: dict[str, Any]) -> set[str | None]:
    editions = doc.get("editions", {"docs": []})["docs"]
    return {isbn for edition in editions for isbn in listed_isbns(edition.get("isbn"))}


def details_isbns(details: dict[str, Any]) -> set[str | None]:
    return listed_isbns(details.get("isbn_13")) | listed_isbns(details.get("isbn_10"))


def listed_isbns(value: Any) -> set[str | None]:
    return {isbn13(item) for item in listed(value)}
