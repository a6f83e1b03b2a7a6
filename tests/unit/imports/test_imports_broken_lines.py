"""One bad line costs one row."""

from __future__ import annotations

import csv

import pytest

from book_enrichment.imports import ImportFileError, read_export


def test_every_line_of_a_broken_file_is_a_row_or_a_reason(read_sample):
    """The reason names the line; the books around it are read, and each line appears once."""
    assert [(row.row_number, row.problem) for row in read_sample("broken_lines").rows] == [
        (2, None),
        (3, "line 3: 10 cells where the header has 7"),
        (4, "line 4: 3 cells where the header has 7"),
        (5, "line 5: 5 cells where the header has 7"),
        (6, None),
        (7, "line 7: damaged characters (NUL bytes or broken UTF-8)"),
        (8, "the row has no title"),
        (9, None),
        (10, "line 10: a quote is opened and never closed"),
        (11, None),
    ]


def test_a_refused_row_still_shows_its_title(read_sample):
    """So that the reader finds the book in the report."""
    titles = {row.row_number: row.title for row in read_sample("broken_lines").rows}
    assert (titles[3], titles[7], titles[10]) == (
        "To Kill a Mockingbird",
        "The Name\ufffd of the Wind",
        "Dune",
    )


def test_an_open_quote_does_not_swallow_the_rest_of_the_file(goodreads_text):
    """Only the line that opens it is lost, though the next quote is three books further on."""
    lines = goodreads_text({}, {"Title": "Dune"}, {}, {"Title": "One, two"}, {}).splitlines(keepends=True)
    lines[2] = lines[2].replace("Dune", '"Dune')
    rows = read_export("".join(lines).encode()).rows
    assert [row.problem for row in rows] == [
        None,
        "line 3: a quote is opened and never closed",
        None,
        None,
        None,
    ]


def test_an_unescaped_quote_in_a_title_is_kept(goodreads_text):
    """Programs that forget to double quotes leave lines that can still be read."""
    text = goodreads_text({"Title": "@"}).replace("@", '"Emma" and others')
    (row,) = read_export(text.encode()).rows
    assert (row.title, row.problem) == ("Emma and others", None)


def test_a_file_whose_quotes_never_match_is_refused(goodreads_text):
    """Every one of these lines opens a quote that swallows all the following: minutes, line by line."""
    text = goodreads_text() + 'a""","""\n' * 10_000
    with pytest.raises(ImportFileError, match="The quotes of this file do not match"):
        read_export(text.encode())


def test_many_broken_lines_are_many_rows(goodreads_text):
    """As long as the damage of each ends at the next quote, every line gets its reason."""
    text = goodreads_text(*[{"Title": "@"}] * 500, {}).replace("@", '"Emma')
    problems = [row.problem for row in read_export(text.encode()).rows]
    assert (len(problems), problems.count(None)) == (501, 1)


def test_empty_lines_are_passed_over_and_counted(goodreads_text):
    """Row numbers are those a spreadsheet shows; empty cells a spreadsheet appends are no cells."""
    text = goodreads_text({}, {}) + "\n,,,,,,,,,,,,,,\n" + goodreads_text({}).splitlines()[1] + ",,,\n\n"
    assert [(row.row_number, row.problem) for row in read_export(text.encode()).rows] == [
        (2, None),
        (3, None),
        (6, None),
    ]


def test_a_damaged_byte_costs_one_row_and_no_accents(goodreads_text):
    """Mostly sound UTF-8 stays UTF-8: read as Windows-1252, every accent of the file would be wrong."""
    data = goodreads_text({"Title": "Les Misérables"}, {"Author": "Brontë"}, {"Title": "Émile"}, {}).encode()
    export = read_export(data.replace("Émile".encode(), "Émile".encode()[1:]))
    assert export.encoding == "damaged utf-8"
    assert [row.title for row in export.rows if not row.problem] == ["Les Misérables", "Emma", "Emma"]
    assert export.rows[2].problem == "line 4: damaged characters (NUL bytes or broken UTF-8)"


def test_damage_in_a_cell_nobody_reads_costs_nothing():
    """A NUL in a review is not imported, so it harms no one."""
    data = b"Title,Author,ISBN,ISBN13,Exclusive Shelf,My Review\nEmma,Jane Austen,,,read,good\0book\n"
    assert read_export(data).rows[0].problem is None


def test_a_title_of_5000_characters_is_left_to_the_database(read_goodreads):
    """The database knows its column's length and rejects the row; it is not checked twice."""
    (row,) = read_goodreads({"Title": "x" * 5000}).rows
    assert (len(row.title), row.problem) == (5000, None)


def test_a_cell_beyond_the_csv_limit_costs_one_row(goodreads_text):
    """131,072 characters, by default, is more than a title or a review ever has."""
    export = read_export(goodreads_text({}, {"Publisher": "x" * (csv.field_size_limit() + 1)}, {}).encode())
    assert [row.problem is None for row in export.rows] == [True, False, True]
    assert "a cell is longer than" in export.rows[1].problem
