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
from collections.abc import Sequence
from pathlib import Path

import psutil
import psycopg
from psycopg.rows import dict_row
from rapidfuzz import fuzz, utils
from rich.console import Console

from matching_figures import figures, origins, share, write_errors
from matching_pairs import OWN_PAIRS, Connection, Pair, Row, judge, read_pairs
from matching_rules import author_of_request, texts, title_of_request
from matching_tables import show
from packages import LOCAL, PlatformError
from stack import Stack, refuse_foreign_project

DATABASE = f"measure_matching_{os.getpid()}"
ERRORS = LOCAL / "matching_errors.tsv"
TIMED_PAIRS, TIMED_RAW_PAIRS, TIMED_ROUNDS = 50_000, 10_000, 3

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
