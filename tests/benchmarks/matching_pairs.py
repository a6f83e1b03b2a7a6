"""Labelled pairs of books: how a file of them is read, and how the database's functions judge them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import psycopg

from packages import ROOT, PlatformError

OWN_PAIRS = ROOT / "tests" / "benchmarks" / "pairs.tsv"

Row = dict[str, Any]
Connection = psycopg.Connection[Row]


@dataclass(frozen=True)
class Pair:
    """A line of the file: a book of a library, a provider's candidate, and whether they are the same."""

    lib_title: str
    lib_author: str
    lib_isbn13: str
    cand_title: str
    cand_author: str
    cand_isbn13: str
    label: str
    origin: str
    cand_subtitle: str
    pair_id: str

    @property
    def is_same(self) -> bool:
        return self.label == "1"

    @property
    def cand_authors(self) -> list[str]:
        return [name.strip() for name in self.cand_author.split(";") if name.strip()]


def read_pairs(path: Path) -> list[Pair]:
    """The pairs of a file. Raises PlatformError saying which line is wrong and how."""
    try:
        lines = path.read_bytes().decode("utf-8-sig").split("\n")
    except OSError as error:
        raise PlatformError(
            f"{path} cannot be read: {error.strerror}. PAIRS= takes a file of labelled pairs; "
            f"{OWN_PAIRS.relative_to(ROOT)} is one to begin with."
        ) from error
    except UnicodeDecodeError as error:
        raise PlatformError(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8.") from error
    header = lines[0].rstrip("\r").split("\t")
    missing = [field.name for field in fields(Pair) if field.name not in header]
    if missing:
        raise PlatformError(
            f"{path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}; its first line "
            f"must name {', '.join(field.name for field in fields(Pair))}, separated by tabs."
        )
    pairs = [
        read_pair(header, line.rstrip("\r"), f"{path}, line {number}")
        for number, line in enumerate(lines[1:], start=2)
        if line.strip()
    ]
    if not pairs:
        raise PlatformError(f"{path} has a header and no pairs.")
    return pairs


def read_pair(header: list[str], line: str, place: str) -> Pair:
    cells = line.split("\t")
    if len(cells) != len(header):
        raise PlatformError(
            f"{place} has {len(cells)} cells, the header {len(header)}; "
            "cells are separated by tabs, without quotes."
        )
    named = dict(zip(header, cells, strict=True))
    pair = Pair(**{field.name: named[field.name] for field in fields(Pair)})
    if pair.label not in ("0", "1"):
        raise PlatformError(f"{place}: label is {pair.label!r}; 1 is the same book, 0 another.")
    if not pair.origin:
        raise PlatformError(f"{place}: origin is empty; it names the group the pair is counted in.")
    if "\0" in line:
        raise PlatformError(f"{place} holds a NUL character, which Postgres cannot store; remove it.")
    return pair


# As enrichment.score_candidates calls them.
LOAD = """
create extension if not exists pg_trgm schema extensions;
create temp table pairs (
    n integer, lib_title text, lib_authors text[], lib_isbn text, cand_title text, cand_subtitle text,
    cand_authors text[], cand_isbn text
) on commit drop
"""

PARSE = """
create temp table parsed on commit drop as
select
    n, lib_isbn,
    enrichment.parse_title(lib_title) as lib_title, enrichment.parse_authors(lib_authors) as lib_authors,
    enrichment.parse_title(cand_title, cand_subtitle) as cand_title,
    enrichment.parse_authors(cand_authors) as cand_authors,
    array_remove(array[enrichment.isbn_key(cand_isbn)], null) as cand_isbns
from pairs
"""

# "offset 0" keeps the planner from computing a score once per mention.
JUDGE = """
select
    s.*, enrichment.confidence_of(s.title_score, s.author_score, 0)::text as hidden,
    enrichment.confidence_of(s.title_score, s.author_score, s.isbn_score)::text as shown
from (
    select
        p.n, enrichment.title_score(p.lib_title, p.cand_title) as title_score,
        enrichment.author_score(p.lib_authors, p.cand_authors) as author_score,
        enrichment.isbn_score(p.lib_isbn, null, p.cand_isbns) as isbn_score,
        to_jsonb(p) - 'n' as parts,
        extensions.similarity(
            concat_ws(' ', r.lib_title, array_to_string(r.lib_authors, ' ')),
            concat_ws(' ', r.cand_title, array_to_string(r.cand_authors, ' '))
        ) as similarity
    from parsed as p
    join pairs as r on r.n = p.n
    offset 0
) as s
order by s.n
"""


@dataclass(frozen=True)
class Judged:
    """A pair and what was made of it: score parts, and the tier with its ISBNs hidden and shown."""

    pair: Pair
    title_score: int
    author_score: int | None
    isbn_score: int
    hidden: str
    shown: str
    similarity: float
    parts: dict[str, Any]


def judge(connection: Connection, pairs: Sequence[Pair]) -> list[Judged]:
    """Judges pairs by the database's functions. Leaves its temporary tables to the running transaction."""
    load(connection, pairs)
    rows = connection.execute(JUDGE).fetchall()
    return [Judged(pairs[row.pop("n")], **row) for row in rows]


def load(connection: Connection, pairs: Iterable[Pair]) -> None:
    connection.execute(LOAD.encode())
    with connection.cursor().copy("copy pairs from stdin") as copy:
        copy.set_types(["int4", "text", "text[]", "text", "text", "text", "text[]", "text"])
        for n, pair in enumerate(pairs):
            authors = [pair.lib_author] if pair.lib_author else []
            ours = (pair.lib_title, authors, pair.lib_isbn13 or None)
            theirs = (pair.cand_title, pair.cand_subtitle or None, pair.cand_authors)
            copy.write_row((n, *ours, *theirs, pair.cand_isbn13 or None))
    connection.execute(PARSE)
