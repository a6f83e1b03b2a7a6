"""The demo's export stays what `make demo` needs."""

from __future__ import annotations


def isbn_is_valid(isbn: str) -> bool:
    """By its check digit."""
    digits = [10 if digit == "X" else int(digit) for digit in isbn]
    if len(digits) == 10:
        return sum(weight * digit for weight, digit in zip(range(10, 0, -1), digits, strict=True)) % 11 == 0
    return sum(digit * (3 if place % 2 else 1) for place, digit in enumerate(digits)) % 10 == 0


def test_the_demo_has_twenty_books_without_a_problem(demo):
    """Nothing to refuse, nothing to remark, no book twice."""
    assert (len(demo.rows), demo.source, demo.notes) == (20, "goodreads", [])
    assert len({row.external_id for row in demo.rows}) == 20
    assert not any(row.problem for row in demo.rows)


def test_the_demo_shows_what_real_libraries_hold(demo):
    """Books without ISBN, with an ISBN-10 only, with a series, with accents, on every kind of shelf."""
    rows = demo.rows
    assert sum(row.isbn is None for row in rows) == 4
    assert [row.isbn for row in rows if row.isbn and len(row.isbn) == 10] == ["038549081X"]
    assert sum("#" in row.title for row in rows) >= 5
    assert {"Les Misérables", "One Hundred Years of Solitude"} <= {row.title for row in rows}
    assert {row.status for row in rows} == {"completed", "to_read", "reading", "abandoned"}
    assert {row.format for row in rows} == {"hardcover", "paperback", "ebook", "audiobook"}


def test_the_demos_isbns_are_true_to_their_check_digits(demo):
    """And the two ISBNs of a book are the same number."""
    for row in demo.rows:
        if row.isbn:
            assert isbn_is_valid(row.isbn), row.title
        if row.isbn_alternate:
            assert isbn_is_valid(row.isbn_alternate), row.title
            assert row.isbn[3:12] == row.isbn_alternate[:9], row.title
