"""Promises over all files, and over a large one."""

from __future__ import annotations

import json
import time

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from book_enrichment.imports import ImportFileError, read_export

GOODREADS = b"Book Id,Title,Author,ISBN,ISBN13,My Rating,Year Published,Date Added,Exclusive Shelf\n"
STORYGRAPH = b"Title,Authors,ISBN/UID,Format,Read Status,Star Rating,Tags\n"
PIECES = [
    b",",
    b'"',
    b"\n",
    b"\r",
    b"\0",
    b'="',
    b"1",
    b"-",
    b"9780439023481",
    b"Emma",
    b"\xe9",
    b"\xc3\xa9",
    b" ",
]

any_bytes = st.binary(max_size=300)
csv_like = st.lists(st.sampled_from(PIECES), max_size=120).map(b"".join)
with_header = st.builds(bytes.__add__, st.sampled_from([GOODREADS, STORYGRAPH]), any_bytes | csv_like)


@settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(any_bytes | with_header)
@example(GOODREADS + b'"')
@example(GOODREADS + b"\xff\xfe")
def test_any_bytes_are_rows_or_an_import_file_error(data):
    """Never another exception; row numbers rise, a row has a title or a reason, all of it fits into jsonb."""
    try:
        rows = read_export(data).rows
    except ImportFileError:
        return
    numbers = [row.row_number for row in rows]
    assert numbers == sorted(set(numbers))
    assert all(row.problem or (row.title and row.external_id) for row in rows)
    sent = json.dumps([row.to_json() for row in rows], ensure_ascii=False)
    assert "\\u0000" not in sent
    sent.encode()


def test_ten_thousand_books_are_read_in_a_moment(goodreads_text):
    """About 0.4 s; 3 s leaves room for a slow machine and still catches work that grows with the square."""
    book = {
        "Title": "The Hunger Games (The Hunger Games, #1)",
        "ISBN": '="0439023483"',
        "ISBN13": '="9780439023481"',
        "Number of Pages": "374",
        "Date Added": "2023/01/28",
        "Bookshelves": "favorites, dystopia",
    }
    data = goodreads_text(*[book] * 10_000).encode()
    started = time.process_time()
    rows = read_export(data).rows
    assert time.process_time() - started < 3
    assert len(rows) == 10_000


def test_broken_quotes_in_a_large_file_cost_little(goodreads_text):
    """Each look ahead ends at the next quote or at the cell limit, not at the end of the file."""
    books = [{"Title": "@" if number % 2 == 0 else "Emma"} for number in range(10_000)]
    data = goodreads_text(*books).replace("@", '"Emma').encode()
    started = time.process_time()
    rows = read_export(data).rows
    assert time.process_time() - started < 3
    assert (len(rows), sum(row.problem is not None for row in rows)) == (10_000, 5_000)
