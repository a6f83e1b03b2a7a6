"""Several hands on one queue: real connections racing each other, and what they all work on.

Time is moved by back-dating rows. A race is repeated until it has had every chance to go wrong, but never for
longer than a few seconds.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest

Rows = list[dict[str, Any]]
Call = Callable[..., Awaitable[Rows]]

WORKS = """
with numbered as (
    select number, gen_random_uuid() as work_id, gen_random_uuid() as edition_id,
        enrichment.isbn13_of('978' || lpad(number::text, 9, '0')) as isbn13
    from generate_series(%(first)s::integer, %(last)s::integer) as number
),
added_works as (
    insert into public.works (id, title) select work_id, 'Chronicle ' || number from numbered
),
added_editions as (
    insert into public.editions (id, work_id, isbn13) select edition_id, work_id, isbn13 from numbered
),
added_ids as (
    insert into public.external_ids (entity_type, entity_id, provider, provider_id)
    select 'work', work_id, 'openlibrary', '/works/OL' || number || 'W' from numbered where %(cached)s
    union all
    select 'edition', edition_id, 'openlibrary', '/books/OL' || number || 'M' from numbered where %(cached)s
),
added_records as (
    insert into public.source_records (provider, entity_type, provider_id, raw)
    select 'openlibrary', 'work', '/works/OL' || number || 'W', jsonb_build_object(
        'key', '/works/OL' || number || 'W', 'title', 'Chronicle ' || number,
        'covers', jsonb_build_array(number), 'description', 'The story of ' || number,
        'first_publish_date', '1990'
    ) from numbered where %(cached)s
    union all
    select 'openlibrary', 'edition', '/books/OL' || number || 'M', jsonb_build_object(
        'key', '/books/OL' || number || 'M', 'title', 'Chronicle ' || number,
        'isbn_13', jsonb_build_array(isbn13),
        'works', jsonb_build_array(jsonb_build_object('key', '/works/OL' || number || 'W')),
        'publishers', '["Harbour Press"]'::jsonb, 'publish_date', '2001-05-17',
        'languages', '[{"key": "/languages/eng"}]'::jsonb, 'physical_format', 'Paperback',
        'number_of_pages', 200
    ) from numbered where %(cached)s
)
select work_id from numbered order by number
"""

SETTINGS = {"auto_enabled": True, "auto_apply_metadata": True, "contact": "tests@example.org"}


async def call_verb(connection: psycopg.AsyncConnection[dict[str, Any]], verb: str, **arguments: Any) -> Rows:
    """The rows of a public function, called with named arguments."""
    named = ", ".join(f"{name} => %({name})s" for name in arguments)
    return await (await connection.execute(f"select * from public.{verb}({named})", arguments)).fetchall()


@pytest.fixture
def call() -> Call:
    """`await call(connection, "claim_enrichment", worker_name="ada")`: the rows of a public function."""
    return call_verb


@pytest.fixture
async def main(connect: Any) -> psycopg.AsyncConnection[dict[str, Any]]:
    """The first connection; through it enrichment was switched on, text fields included."""
    connection = await connect()
    await call_verb(connection, "configure_enrichment", changes=json.dumps(SETTINGS))
    return connection


@pytest.fixture
def add_works() -> Callable[..., Awaitable[list[Any]]]:
    """`await add_works(connection, 10, cached=True)`: ids of new works with an ISBN each.

    `cached`: source records as a host's import leaves them answer every gap. `queued=False`: not in line.
    """

    async def add_works(
        connection: psycopg.AsyncConnection[dict[str, Any]],
        count: int,
        cached: bool = False,
        queued: bool = True,
    ) -> list[Any]:
        (last,) = await (await connection.execute("select count(*)::integer from public.works")).fetchall()
        numbers = {"first": last["count"] + 1, "last": last["count"] + count, "cached": cached}
        work_ids = [row["work_id"] for row in await (await connection.execute(WORKS, numbers)).fetchall()]
        for start in range(0, len(work_ids) if queued else 0, 1000):
            outcomes = await call_verb(
                connection, "enqueue_enrichment", work_ids=work_ids[start : start + 1000]
            )
            assert {row["outcome"] for row in outcomes} == {"enqueued"}
        return work_ids

    return add_works


@pytest.fixture
def answer() -> Callable[[dict[str, Any]], dict[str, Any]]:
    """`answer(claimed_row)`: what a worker sends back when Open Library knows the book."""

    def reply(row: dict[str, Any], lookup: dict[str, Any]) -> dict[str, Any]:
        isbn = lookup["key"] if lookup["kind"] == "isbn" else None
        edition = {
            "key": f"/books/OL{isbn}M",
            "title": row["title"],
            "isbn": [isbn],
            "language": ["eng"],
            "publisher": ["Harbour Press"],
            "publish_date": ["2001"],
        }
        document = {
            "key": f"/works/OL{lookup['key']}W",
            "title": row["title"],
            "first_publish_year": 1990,
            "cover_i": 17,
            "description": "A story.",
            "editions": {"docs": [edition] if isbn else []},
        }
        return {name: lookup[name] for name in ("provider", "kind", "key")} | {"raw": {"docs": [document]}}

    def answer(row: dict[str, Any]) -> dict[str, Any]:
        return {
            "queue_id": str(row["queue_id"]),
            "claim_token": str(row["claim_token"]),
            "lookups": [reply(row, lookup) for lookup in row["lookups"]],
        }

    return answer


@pytest.fixture
def drain(call: Call, answer: Any) -> Callable[..., Awaitable[int]]:
    """`await drain(connection)`: claim and apply until nothing is due; the number of rows that were
    claimed."""

    async def drain(connection: psycopg.AsyncConnection[dict[str, Any]], batch_size: int = 10) -> int:
        claimed = 0
        while rows := await call(connection, "claim_enrichment", worker_name="drain", batch_size=batch_size):
            claimed += len(rows)
            results = json.dumps([answer(row) for row in rows])
            outcomes = await call(connection, "apply_enrichment", results=results)
            assert {row["outcome"] for row in outcomes} <= {"applied", "stale_claim"}
        return claimed

    return drain


@pytest.fixture
def each_ended_once() -> Callable[..., Awaitable[None]]:
    """`await each_ended_once(connection, work_ids)`: one closed row, one filled cover, one audit row a
    work."""

    async def each_ended_once(
        connection: psycopg.AsyncConnection[dict[str, Any]], work_ids: list[Any]
    ) -> None:
        query = """
        select w.id, w.enrichment_status, w.default_cover_url is not null as has_cover,
            array(select q.status::text from public.enrichment_queue as q where q.work_id = w.id) as states,
            (
                select array_agg(f.field order by f.field)
                from public.enrichment_audit_log as a
                cross join lateral jsonb_object_keys(a.fields_changed) as f (field)
                where a.work_id = w.id and f.field = 'work.cover_url'
            ) as covers_logged
        from public.works as w
        where w.id = any(%s)
        """
        works = await (await connection.execute(query, [work_ids])).fetchall()
        assert len(works) == len(work_ids)
        wrong = [
            work
            for work in works
            if (work["states"], work["enrichment_status"], work["has_cover"], work["covers_logged"])
            != (["completed"], "completed", True, ["work.cover_url"])
        ]
        assert wrong == []

    return each_ended_once
