"""What files are understood, and what is said about those that are not."""

from __future__ import annotations

import codecs

import pytest

from book_enrichment.imports import MAX_FILE_BYTES, ImportFileError, read_export, read_export_file
from book_enrichment.imports.parsing import MAX_RECORDS

LES_MISERABLES = {"Title": "Les Misérables", "Author": "Victor Hugo", "Additional Authors": "Norman Denny"}


@pytest.mark.parametrize(
    ("codec", "encoding"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("utf-16", "utf-16"), ("cp1252", "cp1252")],
)
def test_accents_survive_the_encodings_spreadsheets_save(goodreads_text, codec, encoding):
    """UTF-8 with and without a byte order mark, UTF-16 and Windows-1252 give the same rows."""
    export = read_export(goodreads_text(LES_MISERABLES).encode(codec))
    assert (export.rows[0].title, export.encoding) == ("Les Misérables", encoding)


def test_big_endian_utf_16_is_read_by_its_byte_order_mark(goodreads_text):
    """The mark tells the byte order, and is not part of the first column's name."""
    data = codecs.BOM_UTF16_BE + goodreads_text(LES_MISERABLES).encode("utf-16-be")
    assert read_export(data).rows[0].title == "Les Misérables"


def test_a_guessed_encoding_is_said(goodreads_text):
    """Windows-1252 is a guess worth a look; UTF-8 is proven and says nothing."""
    text = goodreads_text(LES_MISERABLES)
    assert "Windows-1252" in read_export(text.encode("cp1252")).notes[0]
    assert read_export(text.encode()).notes == []


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends_of_spreadsheets_are_understood(goodreads_text, delimiter, newline):
    """Also when a title holds the delimiter and a review-like cell holds a line break."""
    book = {"Title": "One, two; three\tfour", "Publisher": "First\nsecond"}
    text = goodreads_text(book, {}, delimiter=delimiter).replace("\n", newline)
    rows = read_export(text.encode()).rows
    assert [(row.row_number, row.title) for row in rows] == [(2, "One, two; three four"), (3, "Emma")]
    assert rows[0].publisher == "First second"


def test_the_delimiter_line_of_excel_is_no_row(goodreads_text):
    """Excel hides "sep=;" too: the first book is still row 2."""
    export = read_export(b"sep=;\r\n" + goodreads_text({}, delimiter=";").encode())
    assert [row.row_number for row in export.rows] == [2]


def test_column_names_are_compared_loosely(goodreads_text):
    """Case, spaces and order of the header do not matter, unknown columns are passed over."""
    data = b"EXCLUSIVE  SHELF, isbn13 ,Mood,isbn,author,Title\nread,,sunny,0141439580,Jane Austen,Emma\n"
    (row,) = read_export(data).rows
    assert (row.title, row.isbn, row.status) == ("Emma", "0141439580", "completed")


def test_the_source_is_found_by_the_header(read_sample):
    """Nobody has to say which export it is."""
    assert read_sample("goodreads_24_columns").source == "goodreads"
    assert read_sample("storygraph").source == "storygraph"


def test_a_spreadsheets_re_save_is_read_as_far_as_it_goes(read_sample):
    """Semicolons, Windows-1252, lost zeros: the books are there, and what the spreadsheet lost is said."""
    export = read_sample("spreadsheet_cp1252")
    assert [(row.row_number, row.title, row.isbn) for row in export.rows] == [
        (2, "The Hunger Games (The Hunger Games, #1)", "439023483"),
        (3, "Les Misérables", "9780451525260"),
        (5, "The Little Prince", "156012197"),
    ]
    assert export.notes[1:] == [
        "2 rows: a spreadsheet turned the ISBN into a rounded number; export again to keep it",
        "1 row: a date could not be read and was left out",
    ]


def test_a_header_without_books_is_an_empty_library(goodreads_text):
    """No error: the reader has no books; a note says so."""
    export = read_export(goodreads_text().encode())
    assert (export.rows, export.notes) == ([], ["the file has a header and no books"])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf \r\n\n", "empty"),
        (b"\xff\xfe", "empty"),
        (b"%PDF-1.7 ...", "a PDF"),
        (b"PK\x03\x04[Content_Types].xml", "a spreadsheet or zip"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Excel workbook"),
        (b"\x1f\x8b\x08 ...", "gzip"),
        (b"\n<!DOCTYPE html><title>Sign in</title>", "a web page"),
        (b'{"books": []}', "JSON"),
        (b"Title\x81\xfe\xff", "not text"),
        (b"\xff\xfeT", "not text"),
        ("Title,Author\n".encode("utf-16-le"), "binary"),
        (b"Title,Author\nEmma,Jane Austen\n", "missing: ISBN, ISBN13, Exclusive Shelf"),
        (b"Title,Authors,Read Status\nEmma,Jane Austen,read\n", "StoryGraph export; missing: ISBN/UID"),
        (b"date,amount\n2024-01-01,12\n", "missing: Title, Author"),
        (b"just some words", "missing: Title"),
    ],
)
def test_a_file_that_is_no_export_is_refused_with_the_reason(data, message):
    """The message names what it is or which columns are missing, the hint which exports are understood."""
    with pytest.raises(ImportFileError, match=message) as refusal:
        read_export(data)
    assert "Goodreads" in refusal.value.hint
    assert "StoryGraph" in refusal.value.hint


def test_the_wrong_source_is_refused_and_the_right_one_named(goodreads_text):
    """A Goodreads file is not read as StoryGraph's, even when asked for."""
    with pytest.raises(ImportFileError, match="This is a Goodreads export, not one of StoryGraph") as refusal:
        read_export(goodreads_text({}).encode(), source="storygraph")
    assert "goodreads" in refusal.value.hint


def test_an_unknown_source_is_refused(goodreads_text):
    """The hint lists the known ones."""
    with pytest.raises(ImportFileError, match="librarything") as refusal:
        read_export(goodreads_text({}).encode(), source="librarything")
    assert refusal.value.hint == "Sources: goodreads, storygraph."


def test_a_file_of_50_mb_is_refused_before_it_is_read(tmp_path):
    """By its size on disk: this one is a hole that would read as NUL bytes."""
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.truncate(50 * 1024 * 1024)
    with pytest.raises(ImportFileError, match="larger than 20 MB"):
        read_export_file(path)


def test_too_many_bytes_are_refused_too():
    """An upload has no path."""
    with pytest.raises(ImportFileError, match="larger than 20 MB"):
        read_export(b" " * (MAX_FILE_BYTES + 1))


def test_a_path_that_cannot_be_read_is_refused(tmp_path):
    """A missing file and a folder, each with the reason of the operating system."""
    with pytest.raises(ImportFileError, match="No such file"):
        read_export_file(tmp_path / "missing.csv")
    with pytest.raises(ImportFileError, match="Is a directory"):
        read_export_file(tmp_path)


HEADER = b"Book Id,Title,Author,ISBN,ISBN13,Exclusive Shelf\n"


@pytest.mark.parametrize("line", [b"1,T,A,,,read\n", b'1,"x\n'])
def test_more_books_than_anyone_has_are_refused(line):
    """A small file can hold millions of lines; with a quote opened in each they took 100 s."""
    assert len(read_export(HEADER + line * MAX_RECORDS).rows) == MAX_RECORDS
    with pytest.raises(ImportFileError, match="more than 50,000 books") as refusal:
        read_export(HEADER + line * (MAX_RECORDS + 1))
    assert "in parts" in refusal.value.hint


def test_blank_rows_of_a_spreadsheet_are_no_books():
    """Some save every row they could have had."""
    assert len(read_export(HEADER + b"1,T,A,,,read\n" + b",,,,,\n" * (MAX_RECORDS + 1)).rows) == 1


def test_more_lines_than_fit_into_memory_are_refused():
    """Before a string is made of each."""
    with pytest.raises(ImportFileError, match="more than 1,000,000 lines"):
        read_export(HEADER + b"a\n" * 1_000_001)
