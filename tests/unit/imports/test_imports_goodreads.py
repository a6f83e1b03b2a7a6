"""What a Goodreads row becomes."""

from __future__ import annotations

import hashlib

import pytest

from book_enrichment.imports.cells import BINDINGS


def test_a_row_carries_everything_the_export_knows_about_the_book(read_sample):
    """Every key of an import row is there, under the name and in the shape `import_library` takes."""
    assert read_sample("goodreads_24_columns").rows[0].to_json() == {
        "row_number": 2,
        "external_id": "goodreads:12067",
        "title": "Good Omens: The Nice and Accurate Prophecies of Agnes Nutter, Witch",
        "authors": ["Terry Pratchett", "Neil Gaiman"],
        "isbn": "9780060853983",
        "isbn_alternate": "0060853980",
        "asin": None,
        "publisher": "William Morrow",
        "published_year": 2006,
        "first_publish_year": 1990,
        "total_pages": 412,
        "format": "paperback",
        "language": None,
        "status": "completed",
        "rating": 10,
        "tags": ["favorites", "funny"],
        "date_added": "2021-04-20",
        "problem": None,
    }


def test_the_24_column_export_is_read_like_the_31_column_one(read_sample, demo):
    """The columns we read are in both; a quoted review over several lines stays one book."""
    old = read_sample("goodreads_24_columns")
    assert [row.row_number for row in old.rows] == [2, 3, 4, 5, 6]
    assert not any(row.problem for row in old.rows + demo.rows)


def test_authors_are_listed_once_with_single_spaces(read_goodreads):
    """Double spaces go, additional authors follow, a name repeated in another case is one author."""
    (row,) = read_goodreads(
        {"Author": "J.R.R.   Tolkien", "Additional Authors": "Alan  Lee, j.r.r.   tolkien, , Ted Nasmith"}
    ).rows
    assert row.authors == ("J.R.R. Tolkien", "Alan Lee", "Ted Nasmith")


@pytest.mark.parametrize(
    ("isbn10", "isbn13", "isbn", "alternate"),
    [
        ('="0439023483"', '="9780439023481"', "9780439023481", "0439023483"),
        ('="038549081X"', '=""', "038549081X", None),
        ('="038549081x"', "", "038549081X", None),
        ("439023483", "9.78044E+12", "439023483", None),
        ("0-439-02348-3", "978 0 439 02348 1", "9780439023481", "0439023483"),
        ("0439023483.0", "9780439023481.0", "9780439023481", "0439023483"),
        ('=""', '=""', None, None),
        ("0000000000", "none", None, None),
    ],
)
def test_isbns_are_unwrapped_and_passed_on_as_found(read_goodreads, isbn10, isbn13, isbn, alternate):
    """Wrapping and hyphens go, the ISBN-13 is first; a lost zero stays lost, a rounded number is no ISBN."""
    (row,) = read_goodreads({"ISBN": isbn10, "ISBN13": isbn13}).rows
    assert (row.isbn, row.isbn_alternate) == (isbn, alternate)


def test_an_asin_in_the_isbn_cell_is_an_asin(read_goodreads):
    """Amazon's number never passes for an ISBN."""
    (row,) = read_goodreads({"ISBN": '="B00EMXBDMA"'}).rows
    assert (row.isbn, row.asin) == (None, "B00EMXBDMA")


def test_isbns_rounded_by_a_spreadsheet_are_mentioned(read_goodreads):
    """The reader learns how many ISBNs are gone, once per row."""
    export = read_goodreads({"ISBN13": "9.78E+12"}, {"ISBN13": "9,78044E+12"}, {"ISBN13": "9780439023481"})
    assert export.notes == [
        "2 rows: a spreadsheet turned the ISBN into a rounded number; export again to keep it"
    ]


@pytest.mark.parametrize(
    ("binding", "format"),
    [
        ("Hardcover", "hardcover"),
        ("Library Binding", "hardcover"),
        ("Paperback", "paperback"),
        ("Mass Market Paperback", "paperback"),
        ("Tapa blanda", "paperback"),
        ("Kindle Edition", "ebook"),
        ("kindle_edition", "ebook"),
        ("ebook", "ebook"),
        ("Audible Audio", "audiobook"),
        ("Audio CD", "audiobook"),
        ("Audiobook", "audiobook"),
        ("Board Book", "board book"),
        ("Unknown Binding", None),
        ("", None),
        ("Papyrus scroll", None),
    ],
)
def test_bindings_become_the_formats_of_the_library(read_goodreads, binding, format):
    """Known words are mapped whatever their case, the rest stays empty and can be enriched."""
    (row,) = read_goodreads({"Binding": binding}).rows
    assert row.format == format


def test_every_binding_is_found_by_the_word_it_is_listed_under():
    """A word with a capital or a double space in the table would never match."""
    assert all(word == " ".join(word.lower().split()) for word in BINDINGS)


def test_hours_of_an_audiobook_are_not_taken_for_pages(read_goodreads):
    """Goodreads writes the 9 hours of an Audible edition into "Number of Pages"."""
    audio, paper = read_goodreads(
        {"Binding": "Audible Audio", "Number of Pages": "9"}, {"Binding": "Hardcover", "Number of Pages": "9"}
    ).rows
    assert (audio.total_pages, paper.total_pages) == (None, 9)


@pytest.mark.parametrize(
    ("shelf", "shelves", "status"),
    [
        ("read", "", "completed"),
        ("to-read", "", "to_read"),
        ("Currently-Reading", "", "reading"),
        ("paused", "", "reading"),
        ("did-not-finish", "", "abandoned"),
        ("dnf", "", "abandoned"),
        ("abandoned", "", "abandoned"),
        ("someday", "wishes, dnf", "abandoned"),
        ("someday", "wishes", "to_read"),
        ("", "", "to_read"),
    ],
)
def test_shelves_become_reading_states(read_goodreads, shelf, shelves, status):
    """The exclusive shelf decides; for one of the reader's own the others are asked, then to_read."""
    (row,) = read_goodreads({"Exclusive Shelf": shelf, "Bookshelves": shelves}).rows
    assert row.status == status


def test_shelves_that_are_no_state_become_tags(read_goodreads):
    """Lower case, each once, without the shelves that are a state."""
    (row,) = read_goodreads({"Bookshelves": "Favorites, to-read, favorites, sci-fi"}).rows
    assert row.tags == ("favorites", "sci-fi")


@pytest.mark.parametrize(
    ("cell", "rating"),
    [("5", 10), ("1", 2), ("0", None), ("", None), ("4.0", 8), ("6", None), ("-1", None), ("good", None)],
)
def test_five_stars_are_ten_points(read_goodreads, cell, rating):
    """1 to 5 doubles, 0 is unrated, anything else is left out without losing the book."""
    (row,) = read_goodreads({"My Rating": cell}).rows
    assert (row.rating, row.problem) == (rating, None)


@pytest.mark.parametrize(
    ("cell", "date"),
    [
        ("2023/01/28", "2023-01-28"),
        ("2023-1-8", "2023-01-08"),
        ("2023/02/30", None),
        ("28/01/2023", None),
        ("yesterday", None),
        ("0000/00/00", None),
    ],
)
def test_dates_are_iso_or_left_out(read_goodreads, cell, date):
    """A day that does not exist or cannot be told from a month is left out without losing the book."""
    (row,) = read_goodreads({"Date Added": cell}).rows
    assert (row.date_added, row.problem) == (date, None)


@pytest.mark.parametrize(
    ("cell", "year"),
    [("1862", 1862), ("-50", -50), ("2008.0", 2008), ("0", None), ("99999999999", None), ("1_862", None)],
)
def test_years_that_cannot_be_stored_are_left_out(read_goodreads, cell, year):
    """BC is a year; a number no calendar has would overflow the column."""
    (row,) = read_goodreads({"Year Published": cell, "Original Publication Year": cell}).rows
    assert (row.published_year, row.first_publish_year, row.problem) == (year, year, None)


def test_the_book_id_is_the_identity_the_host_app_writes(read_goodreads):
    """So that a library the host imported is recognised."""
    (row,) = read_goodreads({"Book Id": ' ="2767052" '}).rows
    assert row.external_id == "goodreads:2767052"


@pytest.mark.parametrize(
    ("cells", "uid_and_shelf"),
    [
        ({"Exclusive Shelf": "to-read"}, "|to-read"),
        ({"ISBN": '="0618260307"'}, "0618260307|read"),
        ({"ISBN": "0618260307", "ISBN13": '="9780618260300"'}, "9780618260300|read"),
        ({"ISBN": '="0618260307"', "ISBN13": "9.78E+12"}, "0618260307|read"),
        ({"ISBN": "03854908-1X"}, "038549081X|read"),
        ({"ISBN": "618260307"}, "618260307|read"),
        ({"Exclusive Shelf": "", "Bookshelves": "Read, Fantasy"}, "|read, fantasy"),
    ],
)
def test_without_a_book_id_the_identity_is_the_hosts_hash(read_goodreads, cells, uid_and_shelf):
    """Over the cells as they stand: the host keeps double spaces, and the case of an X."""
    book = {
        "Book Id": "",
        "Title": " The  Hobbit ",
        "Author": "J.R.R.  Tolkien",
        "Additional Authors": "Lee",
    }
    (row,) = read_goodreads(book | cells).rows
    identity = f"the  hobbit|j.r.r.  tolkien,lee|{uid_and_shelf}"
    assert row.external_id == "goodreads:" + hashlib.sha256(identity.encode()).hexdigest()
