"""A field that is added to the registry is a gap, can be locked, is filled, imported and undone: in a
database made of the schema files, with one line more in the registry and one column more at the host."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

import field_functions
from book_enrichment.fields import read_registry
from book_enrichment.migrate.steps import schema_files
from drafting import load_schemas
from stack import Stack

FIELD = "edition.chapters"
LINE = {"field": FIELD, "column": "chapter_count", "type": "integer", "label": "Chapters", "kind": "number"}
LINE |= {"known_to": "googlebooks", "only_where": ""}
ISBN = "9780439023481"

PARSER = """
insert into enrichment.providers (provider, "position", fills, rate_per_second, burst_size, tokens)
values ('toybooks', 3, '{edition.chapters}', 1, 5, 5);
update enrichment.providers set is_enabled = provider = 'toybooks';
create function enrichment.read_toybooks(entity_type text, raw jsonb)
returns setof enrichment.candidate_fields language sql stable set search_path = '' as $$
    select (jsonb_populate_record(null::enrichment.candidate_fields, raw)).*
$$;
select count(*) from public.configure_enrichment(
    '{"auto_enabled": true, "auto_apply_metadata": true, "contact": "tests@example.org"}'
);
"""


@pytest.fixture(scope="module")
def twelve(stack: Stack) -> Iterator[str]:
    """The address of a database whose registry has the twelfth field."""
    files = schema_files()
    files["15_fields/fields"] = field_functions.generated([*read_registry(), LINE])
    files["05_host/catalogue"] += "alter table public.editions add column chapter_count integer;\n"
    files["55_imports/rows"] += "alter table enrichment.import_rows add column chapters integer;\n"
    name = f"pytest_{os.getpid()}_twelve"
    stack.drop_database(name)
    stack.create_database(name)
    load_schemas(stack.database_url(name), files)
    yield stack.database_url(name)
    stack.drop_database(name)


class Library:
    """A reader with a book, in a transaction that is rolled back."""

    def __init__(self, connection: psycopg.Connection[dict[str, Any]]) -> None:
        self.connection = connection
        self.reader, self.work, self.edition, author = (uuid.uuid4() for _ in range(4))
        self.run("insert into auth.users (id, email) values (%s, 'ada@example.org')", self.reader)
        self.run("insert into users (id, handle) values (%s, 'ada')", self.reader)
        self.run("insert into works (id, title) values (%s, 'The Glass Orchard')", self.work)
        self.run("insert into authors (id, name) values (%s, 'Mina Voss')", author)
        self.run("insert into work_authors (work_id, author_id) values (%s, %s)", self.work, author)
        self.run(
            "insert into editions (id, work_id, isbn13) values (%s, %s, %s)", self.edition, self.work, ISBN
        )

    def run(self, query: str, *values: object) -> list[Any]:
        """The first column of each row of the answer."""
        cursor = self.connection.execute(query.encode(), values)
        return [next(iter(row.values())) for row in cursor] if cursor.description else []

    def gaps(self) -> list[str]:
        """What may be filled."""
        asked = "select enrichment.missing_fields(w, e) from works w join editions e on e.work_id = w.id"
        return self.run(asked)[0]

    def chapters(self) -> int | None:
        """What stands in the catalogue."""
        return self.run("select chapter_count from editions where id = %s", self.edition)[0]

    def fill(self, chapters: object = 12) -> uuid.UUID:
        """Queues the book and lets the sweep fill it from a stored reply; answers the queue row."""
        self.run(PARSER)
        (row,) = self.run(
            "select queue_id from enqueue_enrichment(array[%s], 'manual_bulk', %s)", self.work, self.reader
        )
        reply = {"work_key": "t1", "title": "The Glass Orchard", "author_names": ["Mina Voss"]}
        reply |= {"isbns": [ISBN], "chapters": chapters}
        self.run(
            "insert into source_records (provider, entity_type, provider_id, raw) "
            "values ('toybooks', 'isbn_lookup', %s, %s)",
            ISBN,
            psycopg.types.json.Jsonb(reply),
        )
        self.run("select count(*) from sweep_enrichment(10)")
        return row


@pytest.fixture
def library(twelve: str) -> Iterator[Library]:
    """A book that lacks everything but its ISBN."""
    with psycopg.connect(twelve, row_factory=dict_row) as connection:
        yield Library(connection)
        connection.rollback()


def test_it_is_a_gap_until_it_has_a_value(library) -> None:
    """Among what a book lacks."""
    assert FIELD in library.gaps()
    library.run("update editions set chapter_count = 3")
    assert FIELD not in library.gaps()


def test_it_can_be_locked(library) -> None:
    """By its name; then it is no gap that may be filled."""
    library.run("select field from lock_fields(%s, array[%s], %s)", library.work, FIELD, library.edition)
    assert FIELD not in library.gaps()


def test_it_is_shown_with_what_stands_there(library) -> None:
    """Beside what is proposed."""
    library.run("update editions set chapter_count = 3")
    asked = "select enrichment.current_values(w, e) from works w join editions e on e.work_id = w.id"
    assert library.run(asked)[0][FIELD] == 3


def test_its_providers_are_asked_for_it(library) -> None:
    """Those that the registry names, and no other."""
    fills = "select provider from enrichment.providers where %s = any(fills)"
    assert library.run(fills, FIELD) == ["googlebooks"]


def test_the_host_has_to_have_its_column(library) -> None:
    """Otherwise doctor says what is missing."""
    columns = library.run("select format('%%s.%%s', table_name, column_name) from enrichment.host_columns()")
    assert "editions.chapter_count" in columns


def test_what_a_reply_says_is_written_and_logged(library) -> None:
    """From the parser by name through the candidate into the catalogue."""
    row = library.fill()
    assert library.chapters() == 12
    (log,) = library.run(
        "select fields_changed from enrichment_audit_log "
        "where enrichment_queue_id = %s and fields_changed ? %s",
        row,
        FIELD,
    )
    assert log[FIELD] == {"old": None, "new": "12"}


def test_what_was_written_can_be_undone(library) -> None:
    """The value that was there before comes back, and the answer names the field."""
    row = library.fill()
    (restored,) = library.run("select fields_restored from undo_enrichment(%s)", row)
    assert FIELD in restored
    assert library.chapters() is None


def test_what_was_changed_since_is_kept(library) -> None:
    """An equal number is the same value, however it is written; another is not."""
    assert library.run("select enrichment.same_value(%s, '12', '012')", FIELD) == [True]
    row = library.fill()
    library.run("update editions set chapter_count = 13")
    (kept,) = library.run("select fields_kept from undo_enrichment(%s)", row)
    assert kept == [FIELD]
    assert library.chapters() == 13


def test_an_import_fills_it_and_takes_it_back(library) -> None:
    """From the column of a line that is called like it."""
    this_import = uuid.uuid4()
    library.run(
        "insert into enrichment.imports (id, user_id, import_source) values (%s, %s, 'goodreads')",
        this_import,
        library.reader,
    )
    library.run(
        "insert into enrichment.import_rows "
        "(import_id, row_number, first_row_of_book, work_id, edition_id, chapters) "
        "values (%s, 2, 2, %s, %s, 7)",
        this_import,
        library.work,
        library.edition,
    )
    library.run("select enrichment.fill_from_import(%s, %s)", this_import, library.reader)
    assert library.chapters() == 7
    (restored,) = library.run("select fields_restored from undo_import(%s)", this_import)
    assert restored == [FIELD]
    assert library.chapters() is None
