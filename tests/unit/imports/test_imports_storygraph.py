"""What a StoryGraph row becomes."""

from __future__ import annotations

import hashlib

from book_enrichment.imports import read_export


def test_a_row_carries_everything_the_export_knows_about_the_book(read_sample):
    """There is no publisher, year or page count to take, and no second ISBN."""
    assert read_sample("storygraph").rows[1].to_json() == {
        "row_number": 3,
        "external_id": "storygraph:"
        + hashlib.sha256(
            "one hundred years of solitude|gabriel garcía márquez|9780060531041".encode()
        ).hexdigest(),
        "title": "One Hundred Years of Solitude",
        "authors": ["Gabriel García Márquez"],
        "isbn": "9780060531041",
        "isbn_alternate": None,
        "asin": None,
        "publisher": None,
        "published_year": None,
        "first_publish_year": None,
        "total_pages": None,
        "format": "hardcover",
        "language": None,
        "status": "reading",
        "rating": None,
        "tags": [],
        "date_added": "2023-08-20",
        "problem": None,
    }


def test_narrators_and_translators_are_no_authors(read_sample):
    """`Contributors` stays out; authors are listed once whatever their case."""
    assert read_sample("storygraph").rows[0].authors == ("Terry Pratchett", "Neil Gaiman")


def test_the_uid_is_an_isbn_or_an_asin_or_nothing(read_sample):
    """Hyphens go, a lost zero stays lost here, Amazon's number is kept apart."""
    assert [(row.isbn, row.asin) for row in read_sample("storygraph").rows] == [
        ("9780060853983", None),
        ("9780060531041", None),
        ("38549081X", None),
        (None, "B00EMXBDMA"),
        (None, None),
    ]


def test_formats_statuses_and_tags_are_the_librarys(read_sample):
    """audio is an audiobook, digital an ebook, paused is still reading; tags keep their case."""
    rows = read_sample("storygraph").rows
    assert [row.format for row in rows] == ["audiobook", "hardcover", "paperback", "ebook", None]
    assert [row.status for row in rows] == ["completed", "reading", "reading", "abandoned", "to_read"]
    assert rows[0].tags == ("Comfort Reads", "angels")


def test_quarter_stars_round_as_in_the_host_app(read_sample):
    """4.25 stars are 8 points; a quarter star rounds to none at all and counts as unrated."""
    assert [row.rating for row in read_sample("storygraph").rows] == [8, None, None, None, None]


def test_the_identity_is_the_hosts_hash(read_sample):
    """Over the whole UID without hyphens, ASINs and lost zeros included, and an empty one."""
    identities = [
        "good omens|terry pratchett,neil gaiman|9780060853983",
        "one hundred years of solitude|gabriel garcía márquez|9780060531041",
        "the handmaid's tale|margaret atwood|38549081X",
        "the martian|andy weir|B00EMXBDMA",
        "a wizard of earthsea|ursula k. le guin|",
    ]
    assert [row.external_id for row in read_sample("storygraph").rows] == [
        "storygraph:" + hashlib.sha256(identity.encode()).hexdigest() for identity in identities
    ]


def test_the_column_names_of_2021_are_understood():
    """The first exports said Author and ISBN."""
    data = b"Title,Author,ISBN,Format,Read Status\nEmma,Jane Austen,9780141439587,paperback,read\n"
    export = read_export(data)
    assert export.source == "storygraph"
    assert (export.rows[0].authors, export.rows[0].isbn) == (("Jane Austen",), "9780141439587")
