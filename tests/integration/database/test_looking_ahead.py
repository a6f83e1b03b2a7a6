"""Explaining and previewing: through both transports, while others work, and without leaving a trace."""

import asyncio
import json
import uuid
from typing import Any

import pytest

from book_enrichment.errors import Forbidden

TABLES = """
select c.oid::regclass::text as name from pg_class as c
where c.relkind = 'r' and c.relnamespace in ('public'::regnamespace, 'enrichment'::regnamespace)
order by 1
"""
DOCS = [
    {
        "key": f"/works/OL{number}W",
        "title": f"The Long Walk: {subtitle}",
        "author_name": ["Anna Berg"],
        "cover_i": number,
        "description": subtitle * 400,
    }
    for number, subtitle in enumerate(("A Winter in Lapland", "Across the Andes"), 1)
]


async def rows(connection: Any, statement: str, arguments: list[Any] | None = None) -> list[dict[str, Any]]:
    return await (await connection.execute(statement, arguments)).fetchall()


async def fingerprint(connection: Any) -> dict[str, str]:
    """The content of each table, as a hash."""
    hashes = "select coalesce(md5(string_agg(t::text, '' order by t::text)), '') as hash from {} as t"
    return {
        table["name"]: (await rows(connection, hashes.format(table["name"])))[0]["hash"]
        for table in await rows(connection, TABLES)
    }


async def add_long_walk(connection: Any, reader: uuid.UUID) -> uuid.UUID:
    """A book on the reader's shelf which two stored works fit equally well."""
    insert = "insert into public.works (title) values ('The Long Walk') returning id"
    (work,) = await rows(connection, insert)
    (author,) = await rows(connection, "insert into public.authors (name) values ('Anna Berg') returning id")
    await connection.execute("insert into public.work_authors values (%s, %s)", [work["id"], author["id"]])
    await connection.execute(
        "insert into public.library_items (user_id, work_id, status, visibility)"
        " values (%s, %s, 'to_read', 'private')",
        [reader, work["id"]],
    )
    return work["id"]


@pytest.fixture
async def shelf(connect, service, create_reader, as_reader):
    """Ada's transport, her book, and a connection that sees everything."""
    connection = await connect()
    ada, jwt = create_reader("ada")
    await service.configure_enrichment({"auto_enabled": True, "contact": "me@example.org"})
    work = await add_long_walk(connection, ada)
    (claim,) = await claimed(service, work)
    (lookup,) = claim.lookups
    await service.release_enrichment(claim.queue_id, claim.claim_token, "stopped")
    await connection.execute(
        "insert into public.source_records (provider, entity_type, provider_id, raw)"
        " values ('openlibrary', 'title_lookup', %s, jsonb_build_object('docs', %s::jsonb))",
        [lookup.key, json.dumps(DOCS)],
    )
    return await as_reader(ada, jwt), work, connection


async def claimed(service: Any, work: uuid.UUID) -> list[Any]:
    await service.enqueue_enrichment([work])
    return await service.claim_enrichment("ada")


async def test_a_reader_looks_and_every_table_stays_as_it_is(shelf) -> None:
    """The answer holds the rivals, long descriptions and all, although what it was made of is taken back."""
    ada, work, connection = shelf
    before = await fingerprint(connection)
    explained = await ada.explain_enrichment(work)
    (preview,) = await ada.preview_enrichment([work])
    assert await fingerprint(connection) == before
    assert [line.candidate for line in explained] == ["openlibrary:/works/OL1W", "openlibrary:/works/OL2W"]
    assert explained[1].values["work.description"] == "Across the Andes" * 400
    assert preview.status == "needs_review"
    assert preview.values["work.cover_url"]["is_applied"] is False
    assert preview.sentence is not None
    assert preview.sentence.endswith(", but another book fits as well")


async def test_nobody_is_woken(shelf) -> None:
    """A preview queues a row and takes it back; workers that listen hear nothing of it."""
    ada, work, connection = shelf
    await connection.execute("delete from public.enrichment_queue")
    await connection.execute("listen enrichment")
    assert (await ada.preview_enrichment([work]))[0].status == "needs_review"
    await ada.explain_enrichment(work)
    await connection.execute("select pg_notify('enrichment', 'the end')")
    heard = [notice.payload async for notice in connection.notifies(timeout=5, stop_after=1)]
    assert heard == ["the end"]


async def test_a_row_in_other_hands_is_not_waited_for(shelf, connect) -> None:
    """Somebody holds the queue row and the work locked, as the sweep and apply do."""
    ada, work, _ = shelf
    holder = await connect(autocommit=False)
    await holder.execute("select from public.enrichment_queue for update")
    await holder.execute("select from public.works for no key update")
    async with asyncio.timeout(10):
        assert len(await ada.explain_enrichment(work)) == 2
        assert len(await ada.preview_enrichment([work])) == 1
    await holder.rollback()


async def test_other_peoples_books_are_not_shown(shelf, create_reader, as_reader) -> None:
    """Neither explained nor previewed."""
    _, work, _ = shelf
    bob = await as_reader(*create_reader("bob"))
    with pytest.raises(Forbidden):
        await bob.explain_enrichment(work)
    with pytest.raises(Forbidden):
        await bob.preview_enrichment([work])


async def test_the_second_of_two_rivals_can_be_chosen(shelf, service) -> None:
    """The candidate goes in as list_enrichment showed it."""
    ada, work, connection = shelf
    await service.sweep_enrichment()
    (row,) = await ada.list_enrichment("needs_review")
    assert row.match_details is not None
    chosen = row.match_details["rivals"][1]
    outcome = await ada.approve_enrichment(row.queue_id, candidate=chosen)
    assert outcome is not None
    assert outcome.fields_applied == ("work.cover_url", "work.description")
    (kept,) = await rows(connection, "select default_cover_url from public.works where id = %s", [work])
    assert kept["default_cover_url"] == "https://covers.openlibrary.org/b/id/2-M.jpg"
