"""How far the matching can be trusted: `make measure-matching PAIRS=<tsv>`.

Labelled pairs (is the candidate the same book?) go into temporary tables of a local database, where the
functions that score candidates judge them, once with ISBNs hidden and once shown; three other rules judge
the same pairs beside them. Printed are precision, recall and false-accept rate (the share of other books
taken for this one) of Medium or better and of High, in total and per origin, then how many pairs one core
scores in a second. Whatever was judged wrongly goes into a TSV.

    measure_matching.py [PAIRS] [--json PATH] [--errors PATH] [--catalogue CSV]

PAIRS: UTF-8, tab separated, no quoting, a header with at least the columns of `Pair`; several `cand_author`
are separated by `;`, `label` is 1 for the same book and 0 for another. CSV: a list of books with `work_id`,
`title` and `authors` (separated by commas); each book is offered every other book of its first author.

In the JSON `by_origin` holds, under the name of an origin, the recall where all its pairs are the same book
and the false-accept rate otherwise; an origin with pairs of both kinds has its recall under `<origin>+`.
"""

import argparse
import csv
import json
import os
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg.rows import dict_row
from rapidfuzz import fuzz, utils
from rich.console import Console
from rich.table import Table

from packages import LOCAL, ROOT, PlatformError
from stack import Stack, refuse_foreign_project

DATABASE = f"measure_matching_{os.getpid()}"
OWN_PAIRS = ROOT / "tests" / "matching" / "pairs.tsv"
ERRORS = LOCAL / "matching_errors.tsv"
# Catalogue cards of two universities, statements of responsibility for authors: not what a reader imports.
LEARNED_ORIGINS = {"human_uw_x_uiuc", "uw_x_uiuc_isbn"}
TIMED_PAIRS, TIMED_RAW_PAIRS, TIMED_ROUNDS = 50_000, 10_000, 3

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


# The file


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


# Our functions, as enrichment.score_candidates calls them

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


# The rule of the request: what the host application's scores do, spelled out again


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


# Figures

Accepts = Callable[[Judged], bool]
GOOD_TIERS = ("medium", "high")

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


def share(part: int, whole: int) -> float | None:
    """None where there is nothing to take a share of."""
    return part / whole if whole else None


def rates(judged: Sequence[Judged], accepts: Accepts) -> Row:
    """Precision, recall, false-accept rate, and the rates by origin."""
    accepted = {id(j) for j in judged if accepts(j)}
    same = [j for j in judged if j.pair.is_same]
    other = [j for j in judged if not j.pair.is_same]
    right = sum(id(j) in accepted for j in same)
    by_origin: dict[str, float | None] = {}
    for origin in sorted({j.pair.origin for j in judged}):
        takes_same = [id(j) in accepted for j in same if j.pair.origin == origin]
        takes_other = [id(j) in accepted for j in other if j.pair.origin == origin]
        if takes_same:
            by_origin[f"{origin}+" if takes_other else origin] = share(sum(takes_same), len(takes_same))
        if takes_other:
            by_origin[origin] = share(sum(takes_other), len(takes_other))
    return {
        "precision": share(right, len(accepted)),
        "recall": share(right, len(same)),
        "false_accept_rate": share(len(accepted) - right, len(other)),
        "by_origin": by_origin,
    }


def figures(judged: Sequence[Judged]) -> Row:
    """What goes into the JSON, but for speed and the catalogue."""
    result: Row = {"pairs": len(judged)}
    for view in ("hidden", "shown"):
        tiers = {id(j): j.hidden if view == "hidden" else j.shown for j in judged}
        high = rates(judged, lambda j, tiers=tiers: tiers[id(j)] == "high")
        consumer = [j for j in judged if j.pair.origin not in LEARNED_ORIGINS]
        result[view] = rates(judged, lambda j, tiers=tiers: tiers[id(j)] in GOOD_TIERS) | {
            "consumer_recall": rates(consumer, lambda j, tiers=tiers: tiers[id(j)] in GOOD_TIERS)["recall"],
            "high_precision": high["precision"],
            "high_recall": high["recall"],
            "high_false_accept_rate": high["false_accept_rate"],
            "wrong_high": sum(tiers[id(j)] == "high" and not j.pair.is_same for j in judged),
        }
    result["baselines"] = {
        name: rates(judged, hidden) | {"shown": rates(judged, shown)}
        for name, (_, hidden, shown) in RULES.items()
    }
    return result


SCORES = ("title_score", "author_score", "isbn_score", "hidden", "shown")


def write_errors(path: Path, judged: Iterable[Judged]) -> int:
    """Every pair that is judged wrongly in either view, its scores and parsed parts; how many there are."""
    wrong = [error for j in judged if (error := error_line(j))]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        if wrong:
            file.write("\t".join(wrong[0]) + "\n")
        for line in sorted(wrong, key=lambda line: (line["error"], line["origin"])):
            file.write("\t".join("" if cell is None else str(cell) for cell in line.values()) + "\n")
    return len(wrong)


def error_line(j: Judged) -> Row | None:
    views = [view for view in ("hidden", "shown") if (getattr(j, view) in GOOD_TIERS) != j.pair.is_same]
    if not views:
        return None
    line = {"error": "missed" if j.pair.is_same else "false accept", "where": " and ".join(views)}
    line |= asdict(j.pair) | {name: getattr(j, name) for name in SCORES}
    return line | {f"parsed_{name}": json.dumps(part, ensure_ascii=False) for name, part in j.parts.items()}


# A whole catalogue

BOOKS = """
create temp table books on commit drop as
select
    n, work_id, authors[1] as first_author, enrichment.parse_title(title) as title_parts,
    enrichment.parse_title(bare_title) as bare_title_parts, enrichment.parse_authors(authors) as author_parts
from unnest(%s::text[], %s::text[], %s::text[], %s::text[]) with ordinality as b (
    work_id, title, bare_title, author_list, n
)
cross join lateral string_to_array(author_list, ', ') as authors
"""

OTHERS = """
select one.n - 1 as one, other.n - 1 as other, enrichment.confidence_of(
    enrichment.title_score(one.title_parts, other.title_parts),
    enrichment.author_score(one.author_parts, other.author_parts), 0
) >= 'medium' as as_printed, enrichment.confidence_of(
    enrichment.title_score(one.title_parts, other.bare_title_parts),
    enrichment.author_score(one.author_parts, other.author_parts), 0
) >= 'medium' as without_series
from books as one
join books as other
    on other.first_author = one.first_author and (other.work_id <> one.work_id or other.n = one.n)
"""


def measure_catalogue(connection: Connection, path: Path) -> Row:
    """What would happen if a provider offered every other book of the author, and if it offered the book.

    Candidates are offered in two writings: as the catalogue prints them, and without "(Series, #n)", as
    providers do. `wrong` counts a title once, whichever writing was taken; `itself` is the title as printed.
    """
    books = read_catalogue(path)
    for book in books:
        book["bare_title"] = re.sub(r"\s*\([^()]*#[^()]*\)\s*$", "", book["title"]) or book["title"]
    columns = [[book[name] for book in books] for name in ("work_id", "title", "bare_title", "authors")]
    connection.execute(BOOKS, columns)
    connection.execute("analyze books")
    rows = connection.execute(OTHERS).fetchall()
    others = [row for row in rows if row["one"] != row["other"]]
    by_request = [row for row in others if request_accepts(books[row["one"]], books[row["other"]])]
    wrong = {row["one"]: row["other"] for row in others if row["as_printed"] or row["without_series"]}
    itself = [row for row in rows if row["one"] == row["other"]]
    return {
        "titles": len(books),
        "pairs": len(others),
        "wrong": share(len(wrong), len(books)),
        "wrong_as_printed": share(len({row["one"] for row in others if row["as_printed"]}), len(books)),
        "wrong_by_request_rule": share(len({row["one"] for row in by_request}), len(books)),
        "itself": share(sum(row["as_printed"] for row in itself), len(books)),
        "itself_without_series": share(sum(row["without_series"] for row in itself), len(books)),
        "examples": [f"{books[one]['title']} ← {books[other]['title']}" for one, other in wrong.items()],
    }


def read_catalogue(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            books = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise PlatformError(f"{path} cannot be read: {error}. CATALOGUE= takes a CSV of books.") from error
    if not books or not {"work_id", "title", "authors"} <= books[0].keys():
        raise PlatformError(f"{path} must be a CSV whose header names work_id, title and authors.")
    for number, book in enumerate(books, start=1):
        if not (book["work_id"] and book["title"] and book["authors"]):
            raise PlatformError(f"{path}: book {number} lacks its work_id, title or authors.")
    return books


def request_accepts(one: dict[str, str], other: dict[str, str]) -> bool:
    if author_of_request(one["authors"].split(", ")[0], other["authors"].split(", ")) < 2:
        return False
    return any(title_of_request(one["title"], other[name]) >= 3 for name in ("title", "bare_title"))


# Speed

STORED = """
create temp table many on commit drop as
select p.* from generate_series(1, %s) as round cross join parsed as p limit %s
"""

FROM_STORED = """
select count(enrichment.confidence_of(
    enrichment.title_score(lib_title, cand_title), enrichment.author_score(lib_authors, cand_authors),
    enrichment.isbn_score(lib_isbn, null, cand_isbns)
)) as pairs
from many
"""

FROM_RAW = """
select count(enrichment.confidence_of(
    enrichment.title_score(
        enrichment.parse_title(lib_title), enrichment.parse_title(cand_title, cand_subtitle)
    ),
    enrichment.author_score(enrichment.parse_authors(lib_authors), enrichment.parse_authors(cand_authors)),
    enrichment.isbn_score(lib_isbn, null, array[enrichment.isbn_key(cand_isbn)])
)) as pairs
from generate_series(1, %s) as round cross join pairs
"""


def measure_speed(connection: Connection, pairs: Sequence[Pair]) -> Row:
    """Pairs per second of one core, from stored parts and from raw text, and rapidfuzz on the same pairs.

    Counted is processor time, of the server's process and of this one, so that a busy machine does not show.
    Medians of rounds that take turns.
    """
    connection.execute("set local max_parallel_workers_per_gather = 0")
    connection.execute("set local jit = off")
    repeats = -(-TIMED_PAIRS // len(pairs))
    connection.execute(STORED, [repeats, TIMED_PAIRS])
    connection.execute("analyze many")
    server = psutil.Process(connection.info.backend_pid)
    ready = [tuple(map(utils.default_process, texts(pair))) for pair in pairs]
    raw_rounds = max(1, TIMED_RAW_PAIRS // len(pairs))

    def of_server(statement: str, values: Sequence[int] = ()) -> float:
        before = sum(server.cpu_times()[:2])
        counted = connection.execute(statement.encode(), values or None).fetchall()[0]["pairs"]
        return counted / max(sum(server.cpu_times()[:2]) - before, 0.01)

    def of_rapidfuzz() -> float:
        before = time.process_time()
        for _ in range(repeats):
            for one, other in ready:
                fuzz.token_set_ratio(one, other)
        return repeats * len(ready) / (time.process_time() - before)

    rounds = [
        {
            "pairs_per_second": of_server(FROM_STORED),
            "raw_pairs_per_second": of_server(FROM_RAW, [raw_rounds]),
            "rapidfuzz_pairs_per_second": of_rapidfuzz(),
        }
        for _ in range(TIMED_ROUNDS)
    ]
    return {name: round(statistics.median(r[name] for r in rounds)) for name in rounds[0]}


# The tables people see


def shown_rate(rate: float | None, percent: bool = False) -> str:
    if rate is None:
        return "–"
    return f"{rate:.2%}" if percent else f"{rate:.4f}"


def show(result: Row, out: Console) -> None:
    out.print(totals_table(result))
    for kind in ("recall", "false accepts"):
        out.print(origins_table(result, kind))
    for view in ("hidden", "shown"):
        recall = shown_rate(result[view]["consumer_recall"])
        out.print(f"Consumer books only (without the two university sets), ISBN {view}: recall {recall}.")
    if "catalogue" in result:
        books = result["catalogue"]
        out.print(
            f"Catalogue of {books['titles']:,} titles, every other book of the author as candidate: "
            f"{shown_rate(books['wrong'], True)} of titles would get a wrong cover "
            f"(the request's rule: {shown_rate(books['wrong_by_request_rule'], True)}); "
            f"{shown_rate(books['itself'], True)} take their own book, "
            f"{shown_rate(books['itself_without_series'], True)} also without its series."
        )
    stored, raw = result["pairs_per_second"], result["raw_pairs_per_second"]
    other = result["rapidfuzz_pairs_per_second"]
    out.print(
        f"On one core: {stored:,} pairs a second from stored parts, {raw:,} from raw text; "
        f"rapidfuzz {other:,} ({stored / other:.2f} and {raw / other:.2f} of it)."
    )


def totals_table(result: Row) -> Table:
    table = Table("rule", "ISBN", title=f"{result['pairs']:,} pairs: same book or not?")
    for heading in ("precision", "recall", "false accepts", "wrong High"):
        table.add_column(heading, justify="right")
    for view in ("hidden", "shown"):
        ours = result[view]
        high = {name: ours[f"high_{name}"] for name in ("precision", "recall", "false_accept_rate")}
        table.add_row("ours, Medium or better", view, *totals(ours), "")
        table.add_row("ours, High", view, *totals(high), str(ours["wrong_high"]))
    for name, (title, _, _) in RULES.items():
        rule = result["baselines"][name]
        table.add_row(title, "hidden", *totals(rule), "")
        if rule["shown"] != {part: rule[part] for part in rule["shown"]}:
            table.add_row(title, "shown", *totals(rule["shown"]), "")
    return table


def totals(rule: Row) -> list[str]:
    precision, recall = shown_rate(rule["precision"]), shown_rate(rule["recall"])
    return [precision, recall, shown_rate(rule["false_accept_rate"], True)]


def origins_table(result: Row, kind: str) -> Table:
    table = Table("origin", title=f"By origin: {kind} of Medium or better")
    for heading in ("pairs", "hidden", "shown", "request", "pg_trgm", "rapidfuzz"):
        table.add_column(heading, justify="right")
    views = [result["hidden"], result["shown"], *(result["baselines"][name] for name in RULES)]
    for origin, counted in result["origins"].items():
        if counted["rate"] == kind:
            rates = [shown_rate(view["by_origin"][origin], True) for view in views]
            table.add_row(origin, str(counted["pairs"]), *rates)
    return table


def origins(pairs: Sequence[Pair]) -> Row:
    """Each key of by_origin: what its rate is, and of how many pairs."""
    counted: Row = {}
    for origin in sorted({pair.origin for pair in pairs}):
        labels = [pair.is_same for pair in pairs if pair.origin == origin]
        if not all(labels):
            counted[origin] = {"rate": "false accepts", "pairs": labels.count(False)}
        if any(labels):
            name = origin if all(labels) else f"{origin}+"
            counted[name] = {"rate": "recall", "pairs": labels.count(True)}
    return counted


def measure(url: str, pairs: Sequence[Pair], errors: Path, catalogue: Path | None) -> Row:
    """Everything, in one transaction that is taken back: the database is left as it was."""
    with (
        psycopg.connect(url, row_factory=dict_row) as connection,
        connection.transaction(force_rollback=True),
    ):
        judged = judge(connection, pairs)
        result = figures(judged) | {"origins": origins(pairs)}
        result["errors"] = write_errors(errors, judged)
        if catalogue:
            result["catalogue"] = measure_catalogue(connection, catalogue)
        return result | measure_speed(connection, pairs)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pairs", type=Path, nargs="?", default=OWN_PAIRS)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--errors", type=Path, default=ERRORS)
    parser.add_argument("--catalogue", type=Path)
    options = parser.parse_args()
    try:
        refuse_foreign_project("the measurement")
        pairs = read_pairs(options.pairs)
        if options.catalogue:
            read_catalogue(options.catalogue)
        stack = Stack("test", durable=False)
        stack.up(migrated=False, rest=False)
        try:
            url = stack.create_database(DATABASE, template=stack.migrated_template())
            try:
                result = measure(url, pairs, options.errors, options.catalogue)
            finally:
                stack.drop_database(DATABASE)
        finally:
            stack.down_if_unused()
        if options.json:
            options.json.parent.mkdir(parents=True, exist_ok=True)
            text = json.dumps(result, indent=2, ensure_ascii=False) + "\n"
            options.json.write_text(text, encoding="utf-8")
    except (PlatformError, psycopg.Error, OSError) as error:
        sys.exit(str(error))
    out = Console(width=max(100, Console().width))
    show(result, out)
    out.print(
        f"{result['errors']} pairs judged wrongly are in {options.errors}.", soft_wrap=True, markup=False
    )


if __name__ == "__main__":
    main()
