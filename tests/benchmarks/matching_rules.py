"""Other rules that judge the same pairs: the request's (what the host application's scores do, spelled out
again), pg_trgm's and rapidfuzz's."""

import re
from collections.abc import Callable, Sequence

from rapidfuzz import fuzz, utils

from matching_pairs import Judged, Pair

Accepts = Callable[[Judged], bool]
GOOD_TIERS = ("medium", "high")


def words(text: str) -> list[str]:
    """Runs of a–z and 0–9; any other letter parts words, so "Les Misérables" falls apart."""
    return re.findall("[a-z0-9]+", text.lower())


def title_of_request(one: str, other: str) -> int:
    """4: equal. 3: one holds the other, or 80 % of the words. 2: 60 % of the words."""
    ours, theirs = words(one), words(other)
    if not ours or not theirs:
        return 0
    if ours == theirs:
        return 4
    if " ".join(ours) in " ".join(theirs) or " ".join(theirs) in " ".join(ours):
        return 3
    coverage = len(set(ours) & set(theirs)) / max(len(set(ours)), len(set(theirs)))
    return 3 if coverage >= 0.8 else 2 if coverage >= 0.6 else 0


def author_of_request(ours: str, theirs: Sequence[str]) -> int:
    """3: equal. 2: one holds the other, 70 % of the words, last name and an initial. 1: ours unknown."""
    expected = words(ours)
    if not expected:
        return 1
    for name in map(words, theirs):
        if not name:
            continue
        if name == expected:
            return 3
        if " ".join(name) in " ".join(expected) or " ".join(expected) in " ".join(name):
            return 2
        if len(set(expected) & set(name)) >= 0.7 * len(set(expected)):
            return 2
        if name[-1] == expected[-1] and initials(name) & initials(expected):
            return 2
    return 0


def initials(name: Sequence[str]) -> set[str]:
    """First letters of the given names; one of up to three letters counts as initials written together."""
    given = (word if word.isalpha() and len(word) <= 3 else word[0] for word in name[:-1])
    return {letter for letters in given for letter in letters}


def isbn_of_request(one: str, other: str) -> int:
    """5: equal as 13 digits, 4: as 10. A 10 and a 13 are never compared."""
    ours, theirs = (text.strip().replace("-", "") for text in (one, other))
    return {13: 5, 10: 4}.get(len(ours), 0) if ours == theirs and ours.isdigit() else 0


def tier_of_request(pair: Pair, with_isbn: bool) -> str:
    title = title_of_request(pair.lib_title, pair.cand_title)
    if with_isbn and isbn_of_request(pair.lib_isbn13, pair.cand_isbn13) >= 4 and title >= 3:
        return "high"
    if title >= 3 and author_of_request(pair.lib_author, pair.cand_authors) >= 2:
        return "medium"
    return "low" if title >= 2 else "none"


def texts(pair: Pair) -> tuple[str, str]:
    """Title and author as one string each, for the rules that compare strings."""
    return f"{pair.lib_title} {pair.lib_author}", f"{pair.cand_title} {pair.cand_author}".replace(";", " ")


def token_set_ratio(pair: Pair) -> float:
    return fuzz.token_set_ratio(*texts(pair), processor=utils.default_process)


RULES: dict[str, tuple[str, Accepts, Accepts]] = {
    "request_rule": (
        "the request's rule",
        lambda j: tier_of_request(j.pair, with_isbn=False) in GOOD_TIERS,
        lambda j: tier_of_request(j.pair, with_isbn=True) in GOOD_TIERS,
    ),
    "pg_trgm": ("pg_trgm, similarity ≥ .7", lambda j: j.similarity >= 0.7, lambda j: j.similarity >= 0.7),
    "rapidfuzz": (
        "rapidfuzz, token_set_ratio ≥ 90",
        lambda j: token_set_ratio(j.pair) >= 90,
        lambda j: token_set_ratio(j.pair) >= 90,
    ),
}
