"""A small world for the matrix: what ada has, what bob has, and what a worker holds.

Of ada's books one waits for her review, one she approved, two came by an import of which one is in line and
one held by a worker, and one was never queued. Bob has a book of his own, in line, and the one that ada
approved.
"""

import uuid
from dataclasses import dataclass
from typing import Any

from book_enrichment.database import Database, PostgresTransport

from .conftest import Reader

# A work and an edition with an ISBN each, and what Open Library says about them as a host's import leaves it.
CACHED_BOOK = """
with work as (insert into public.works (id, title) values (%(work)s, %(title)s)),
edition as (insert into public.editions (id, work_id, isbn13) values (%(edition)s, %(work)s, %(isbn)s)),
ids as (
    insert into public.external_ids (entity_type, entity_id, provider, provider_id)
    values ('work', %(work)s, 'openlibrary', %(work_key)s),
    ('edition', %(edition)s, 'openlibrary', %(edition_key)s)
),
records as (
    insert into public.source_records (provider, entity_type, provider_id, raw)
    values
    ('openlibrary', 'work', %(work_key)s, jsonb_build_object(
        'key', %(work_key)s::text, 'title', %(title)s::text, 'covers', '[17]'::jsonb,
        'description', 'A story.', 'first_publish_date', '1990'
    )),
    ('openlibrary', 'edition', %(edition_key)s, jsonb_build_object(
        'key', %(edition_key)s::text, 'title', %(title)s::text, 'isbn_13', jsonb_build_array(%(isbn)s::text),
        'works', jsonb_build_array(jsonb_build_object('key', %(work_key)s::text)),
        'publishers', '["Harbour Press"]'::jsonb, 'publish_date', '2001-05-17',
        'languages', '[{"key": "/languages/eng"}]'::jsonb, 'physical_format', 'Paperback',
        'number_of_pages', 200
    ))
)
insert into public.library_items (user_id, work_id, preferred_edition_id, status, visibility)
values (%(reader)s, %(work)s, %(edition)s, 'to_read', 'private')
"""
ISBNS = ["9780439023481", "9780061120084"]


@dataclass(frozen=True)
class World:
    """Who is there, and what they have."""

    ada: Reader
    bob: Reader
    reviewed: uuid.UUID
    """Ada's work whose row waits for review."""
    review: uuid.UUID
    """That row."""
    shared: uuid.UUID
    """The work on both shelves."""
    approved: uuid.UUID
    """Its row, which ada asked for and approved."""
    waiting: uuid.UUID
    """Ada's work in line, and never looked up."""
    bare: uuid.UUID
    """Ada's work that was never queued."""
    bobs: uuid.UUID
    """Bob's work, in line."""
    import_id: uuid.UUID
    """Ada's import."""
    held: dict[str, Any]
    """A row that a worker holds: queue_id, claim_token."""


async def create(pool: Any, ada: Reader, bob: Reader) -> World:
    """The world, in an emptied database."""
    transport = PostgresTransport(pool)
    service = Database(transport)
    as_ada = Database(transport.as_reader({"sub": str(ada.id)}))
    await service.configure_enrichment({"auto_enabled": True, "contact": "tests@example.org"})
    works = []
    async with pool.connection() as connection:
        for number, isbn in enumerate(ISBNS):
            works.append(uuid.uuid4())
            book = {
                "work": works[-1],
                "edition": uuid.uuid4(),
                "title": f"Chronicle {number}",
                "isbn": isbn,
                "work_key": f"/works/OL{number + 1}W",
                "edition_key": f"/books/OL{number + 1}M",
                "reader": ada.id,
            }
            await connection.execute(CACHED_BOOK, book)
    await as_ada.trigger_enrichment(works)
    await service.sweep_enrichment()
    rows = {row.work_id: row.queue_id for row in await as_ada.list_enrichment("needs_review")}
    await as_ada.approve_enrichment(rows[works[1]])
    import_id = uuid.uuid4()
    books = [
        {"row_number": number + 2, "title": f"Unheard {number}", "authors": ["Nobody"], "status": "to_read"}
        for number in range(2)
    ]
    imported = await service.import_library(ada.id, "goodreads", books, import_id, 2)
    (held,) = await service.claim_enrichment("matrix", 1)
    (waiting,) = [row.work_id for row in imported if row.work_id != held.work_id]
    (bobs,) = await service.import_library(
        bob.id, "goodreads", [books[0] | {"title": "Bob's own"}], uuid.uuid4()
    )
    assert bobs.work_id is not None
    bare = uuid.uuid4()
    async with pool.connection() as connection:
        await connection.execute("insert into public.works (id, title) values (%s, 'Bare')", [bare])
        for reader, work in ((bob, works[1]), (ada, bare)):
            await connection.execute(
                "insert into public.library_items (user_id, work_id, status, visibility)"
                " values (%s, %s, 'to_read', 'private')",
                [reader.id, work],
            )
    return World(
        ada=ada,
        bob=bob,
        reviewed=works[0],
        review=rows[works[0]],
        shared=works[1],
        approved=rows[works[1]],
        waiting=waiting,
        bare=bare,
        bobs=bobs.work_id,
        import_id=import_id,
        held={"queue_id": str(held.queue_id), "claim_token": str(held.claim_token)},
    )
