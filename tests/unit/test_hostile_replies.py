"""What a provider that means harm may cost us before a database is in sight: no key, and little memory.

What it may put into the catalogue is in `tests/integration/hostile_replies`.
"""

from __future__ import annotations

import tracemalloc

import httpx
import pytest

from book_enrichment.providers import (
    GoogleBooks,
    Lookup,
    OpenLibrary,
    Provider,
    ProviderUnavailable,
)
from book_enrichment.providers.http import MAX_BODY_BYTES
from misbehaving import bomb, endless, http, misbehaving

PROVIDERS = ("openlibrary", "googlebooks")
KEY = "a-key-that-is-nobodys-business"
ISBN = "9780439023481"


def make_provider(name: str, client: httpx.AsyncClient, address: str) -> Provider:
    if name == "openlibrary":
        return OpenLibrary(client, address, "reader@example.org")
    return GoogleBooks(client, address, KEY)


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
