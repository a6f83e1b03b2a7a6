"""OpenLibrary asks little, splits what it gets, and says what nobody has.

Everything here goes over real HTTP to the project's own stand-in. What happens when a server misbehaves is in
`test_open_library_bad_days.py`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest

from book_enrichment.providers import Answer, Lookup, OpenLibrary, ProviderUnavailable, user_agent
from open_library import Library, canned, serve

CONTACT = "reader@example.org"
HUNGER_GAMES, MOCKINGJAY, UNKNOWN = "9780439023481", "9780439023511", "9780000000002"
THE_MARTIAN, THE_MARTIAN_HARDCOVER = "9780553418026", "9780804139021"


def isbn(key: str) -> Lookup:
    return Lookup("openlibrary", "isbn", key)


def titled(title: str, author: str | None = None) -> Lookup:
    return Lookup("openlibrary", "title", f"key of {title}", title, author)


class Permits:
    """Says yes `granted` times (always when None), counting how often it was asked."""

    def __init__(self, granted: int | None = None) -> None:
        self.granted, self.asked = granted, 0

    async def __call__(self) -> bool:
        self.asked += 1
        return self.granted is None or self.asked <= self.granted


@pytest.fixture
async def library() -> AsyncIterator[Library]:
    async with serve() as running:
        yield running


@pytest.fixture
async def open_library(library: Library) -> AsyncIterator[OpenLibrary]:
    async with httpx.AsyncClient() as client:
        yield OpenLibrary(client, library.base_url, CONTACT)


async def answers(
    provider: OpenLibrary, *lookups: Lookup, permit: Callable[[], Awaitable[bool]] | None = None
) -> dict[str, Answer]:
    return {answer.lookup.key: answer async for answer in provider.answers(lookups, permit or Permits())}


def first_isbns(library: Library) -> list[str]:
    """One ISBN of each work that has any."""
    return [work["editions"][0]["isbns"][0] for work in library.works if work["editions"][0]["isbns"]]


def paths(library: Library) -> list[str]:
    return [call["path"] for call in library.calls]


async def test_sixty_isbns_take_three_searches(library: Library, open_library: OpenLibrary) -> None:
    """25 keys a call; what they all answer needs no second look."""
    keys = first_isbns(library)

    found = await answers(open_library, *map(isbn, keys[:60]))

    assert paths(library) == ["/search.json"] * 3
    assert [call["query"]["q"].count("978") for call in library.calls] == [25, 25, 10]
    assert [key for key in keys[:60] if found[key].raw is None] == []


async def test_second_looks_are_pooled_over_the_searches(library: Library, open_library: OpenLibrary) -> None:
    """Misses of several batches are looked up together."""
    keys = first_isbns(library)
    misses = [f"97800000000{number:02}" for number in range(6)]

    found = await answers(open_library, *map(isbn, [*misses[:3], *keys[:54], *misses[3:]]))

    assert paths(library) == ["/search.json"] * 3 + ["/api/books"]
    assert all((found[key].raw, found[key].error) == (None, None) for key in misses)
    assert len(found) == 60


async def test_each_isbn_gets_the_documents_that_carry_it(open_library: OpenLibrary) -> None:
    """One reply holds many books; none is handed to another's ISBN."""
    found = await answers(open_library, isbn(HUNGER_GAMES), isbn(MOCKINGJAY))

    for key, title in ((HUNGER_GAMES, "The Hunger Games"), (MOCKINGJAY, "Mockingjay")):
        raw = found[key].raw
        assert raw is not None
        assert [doc["title"] for doc in raw["docs"]] == [title]
        assert key in raw["docs"][0]["editions"]["docs"][0]["isbn"]


async def test_a_second_edition_of_the_same_work_gets_a_second_look(
    library: Library, open_library: OpenLibrary
) -> None:
    """A search shows one edition per work, so the other ISBN would pass for a miss."""
    found = await answers(open_library, isbn(THE_MARTIAN), isbn(THE_MARTIAN_HARDCOVER))

    assert paths(library) == ["/search.json", "/api/books"]
    searched, looked_up = found[THE_MARTIAN].raw, found[THE_MARTIAN_HARDCOVER].raw
    assert searched is not None
    assert looked_up is not None
    assert "docs" in searched
    assert looked_up["edition"]["isbn_13"] == [THE_MARTIAN_HARDCOVER]
    assert looked_up["edition"]["authors"][0]["name"] == "Andy Weir"
    assert [doc["key"] for doc in looked_up["docs"]] == [looked_up["edition"]["works"][0]["key"]]
    assert looked_up["docs"][0]["cover_i"], "the search told the work's cover"
    assert "editions" not in looked_up["docs"][0], "and another edition's ISBN, which is none of this one's"


async def test_an_isbn_10_is_found_by_its_13_digit_form(library: Library, open_library: OpenLibrary) -> None:
    """Both spellings of one ISBN are one question and two answers."""
    found = await answers(open_library, isbn("075640407X"), isbn("9780756404079"))

    assert [call["query"]["q"] for call in library.calls] == ["isbn:(9780756404079)"]
    assert found["075640407X"].raw is not None
    assert found["075640407X"].raw == found["9780756404079"].raw


async def test_an_edition_filed_under_its_isbn_10_is_found(
    library: Library, open_library: OpenLibrary
) -> None:
    """Search knows only the other form; the second look tries both."""
    work, edition = library.by_isbn[MOCKINGJAY]
    edition["isbns"] = ["0439023513"]
    library.by_isbn["0439023513"] = (work, edition)
    library.misbehave(canned(200, {"numFound": 0, "docs": []}))

    found = await answers(open_library, isbn(MOCKINGJAY))

    raw = found[MOCKINGJAY].raw
    assert raw is not None
    assert raw["edition"]["isbn_10"] == ["0439023513"]


async def test_an_isbn_nobody_has_is_a_miss_after_the_second_look(
    library: Library, open_library: OpenLibrary
) -> None:
    found = await answers(open_library, isbn(UNKNOWN))

    assert paths(library) == ["/search.json", "/api/books"]
    assert found[UNKNOWN].as_result() == {
        "provider": "openlibrary",
        "kind": "isbn",
        "key": UNKNOWN,
        "no_match": True,
    }


async def test_what_is_no_isbn_is_refused_without_a_call(library: Library, open_library: OpenLibrary) -> None:
    """Such a key would reach Open Library as part of a query language."""
    found = await answers(open_library, isbn("1) OR title:(x"))

    assert library.calls == []
    assert found["1) OR title:(x"].error == "not an ISBN: 1) OR title:(x"
    with pytest.raises(ValueError, match="not an ISBN"):
        found["1) OR title:(x"].as_result()


async def test_a_title_is_searched_without_its_series(library: Library, open_library: OpenLibrary) -> None:
    """One call per title, at most five documents, and the series in brackets is no part of the title."""
    lookup = titled("The Left Hand of Darkness (Hainish Cycle, #4)", "Ursula K. Le Guin")

    found = await answers(open_library, lookup)

    (call,) = library.calls
    assert (call["query"]["title"], call["query"]["author"]) == (
        "The Left Hand of Darkness",
        "Ursula K. Le Guin",
    )
    assert call["query"]["limit"] == "5"
    raw = found[lookup.key].raw
    assert raw is not None
    assert raw["docs"][0]["author_name"] == ["Ursula K. Le Guin"]


async def test_a_title_may_come_without_an_author(library: Library, open_library: OpenLibrary) -> None:
    """Two books share this title; telling them apart is the matcher's work."""
    lookup = titled("The Stranger")

    found = await answers(open_library, lookup)

    assert "author" not in library.calls[0]["query"]
    raw = found[lookup.key].raw
    assert raw is not None
    assert {name for doc in raw["docs"] for name in doc["author_name"]} == {"Albert Camus", "Harlan Coben"}


async def test_a_title_nobody_has_is_a_miss(open_library: OpenLibrary) -> None:
    lookup = titled("A Book That Nobody Wrote", "Nobody")

    answer = (await answers(open_library, lookup))[lookup.key]
    assert (answer.raw, answer.error) == (None, None)


async def test_a_refused_title_is_that_look_ups_own_error(
    library: Library, open_library: OpenLibrary
) -> None:
    """400, 414 and 422 speak of the question; the next title is asked all the same."""
    library.misbehave(canned(422, {"detail": "query too short"}))
    first, second = titled("S."), titled("Dune", "Frank Herbert")

    found = await answers(open_library, first, second, titled("  "))

    assert found[first.key].error == "HTTP 422"
    assert found[second.key].raw is not None
    assert found["key of   "].error == "no title to search for"


async def test_answers_are_small_and_fit_for_jsonb(library: Library, open_library: OpenLibrary) -> None:
    """Each is stored once per look-up: about 2 KB at most."""
    lookups = [isbn(key) for _, edition in library.editions for key in edition["isbns"]]

    for answer in (await answers(open_library, *lookups)).values():
        assert answer.raw is not None
        assert len(json.dumps(answer.raw)) < 2_000


async def test_it_says_who_is_asking(library: Library, open_library: OpenLibrary) -> None:
    await answers(open_library, isbn(HUNGER_GAMES))

    assert library.calls[0]["user_agent"] == "BookEnrichment/0.1 (+reader@example.org)"


@pytest.mark.parametrize("contact", ["", "  ", "me", "a b@example.org", "me@example.org\r\nX-Other: 1"])
def test_a_contact_must_be_an_address(contact: str) -> None:
    with pytest.raises(ValueError, match="e-mail address or a web address"):
        user_agent(contact)


async def test_every_call_asks_for_a_permit(library: Library, open_library: OpenLibrary) -> None:
    permits = Permits()

    await answers(open_library, isbn(HUNGER_GAMES), isbn(UNKNOWN), titled("Dune"), permit=permits)

    assert permits.asked == len(library.calls) == 3


async def test_without_a_permit_it_stops_with_what_it_has(
    library: Library, open_library: OpenLibrary
) -> None:
    """The search was permitted, the second look was not: an unseen ISBN is neither found nor a miss."""
    found = await answers(open_library, isbn(HUNGER_GAMES), isbn(UNKNOWN), permit=Permits(granted=1))

    assert list(found) == [HUNGER_GAMES]
    assert paths(library) == ["/search.json"]


async def test_what_the_permit_raises_passes_through(library: Library, open_library: OpenLibrary) -> None:
    async def permit() -> bool:
        raise KeyError("no database")

    with pytest.raises(KeyError):
        await answers(open_library, isbn(HUNGER_GAMES), permit=permit)
    assert library.calls == []


async def test_answers_before_a_failed_call_stand(library: Library, open_library: OpenLibrary) -> None:
    """The first batch is kept when the second meets a broken server."""
    keys = first_isbns(library)
    kept: list[Answer] = []

    async def permit() -> bool:
        if library.calls:
            library.misbehave(canned(500, {}))
        return True

    async def keep() -> None:
        async for answer in open_library.answers(map(isbn, keys[:30]), permit):
            kept.append(answer)

    with pytest.raises(ProviderUnavailable) as trouble:
        await keep()

    assert [answer.lookup.key for answer in kept] == keys[:25]
    assert trouble.value.reason == "server_error"


async def test_a_403_means_identify_yourself(library: Library, open_library: OpenLibrary) -> None:
    """It pauses the provider and does not feed the breaker: no retry will cure it."""
    library.misbehave(canned(403, {"error": "who are you"}))

    with pytest.raises(ProviderUnavailable) as trouble:
        await answers(open_library, isbn(HUNGER_GAMES))

    report = trouble.value.report()
    assert (report["reason"], report["failed"]) == ("identify", 0)
    assert "BookEnrichment/0.1" in report["last_error"]


async def test_above_the_rate_it_is_told_so(library: Library, open_library: OpenLibrary) -> None:
    """The stand-in's own limit, as Open Library has one."""
    library.rate = 1

    with pytest.raises(ProviderUnavailable) as trouble:
        await answers(open_library, titled("Dune"), titled("Emma"))

    assert trouble.value.reason == "rate_limited"
    assert [call["status"] for call in library.calls] == [200, 429]


async def test_other_providers_look_ups_are_left_alone(library: Library, open_library: OpenLibrary) -> None:
    assert await answers(open_library, Lookup("googlebooks", "isbn", HUNGER_GAMES)) == {}
    assert library.calls == []
