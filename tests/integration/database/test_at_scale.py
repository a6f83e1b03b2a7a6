"""A hundred thousand queue rows, and imports of a thousand books: plans use the indexes, calls stay short."""

import json
import time
import uuid
from collections.abc import Callable, Iterator

import psycopg
import pytest

WORKS = 50_000

# As the role that may skip triggers: closed rows, with some in each other state.
QUEUE = """
with numbered as (
    select n, gen_random_uuid() as work_id, gen_random_uuid() as edition_id
    from generate_series(1, %(works)s) as n
),
added as (insert into public.works (id, title) select work_id, 'Chronicle ' || n from numbered),
editions as (insert into public.editions (id, work_id) select edition_id, work_id from numbered)
insert into public.enrichment_queue (
    work_id, edition_id, trigger_source, status, wait_reason, created_at, finished_at, confidence,
    match_details
)
select
    work_id, edition_id, 'post_import', state.name::enrichment.queue_status,
    case when state.name = 'pending' then 'rate' end,
    now() - make_interval(secs => 2 * (%(works)s - n) + 2 - turn),
    case when state.name in ('completed', 'skipped', 'failed') then now() end, 'high', jsonb_build_object(
        'sentence', 'same ISBN, title equal, author equal', 'proposals', jsonb_build_object(
            'work.description', jsonb_build_object(
                'value', 'A book.', 'provider', 'openlibrary', 'work_key', '/works/OL' || n || 'W'
            )
        )
    )
from numbered
cross join generate_series(1, 2) as turn
cross join lateral (
    select case
        when turn = 2 and n %% 100 = 0 then 'needs_review' when turn = 2 and n %% 97 = 0 then 'pending'
        when turn = 1 and n %% 10 = 0 then 'skipped' when turn = 1 and n %% 4999 = 0 then 'failed'
        else 'completed'
    end as name
) as state
"""

LOG = """
insert into public.enrichment_audit_log (enrichment_queue_id, work_id, edition_id, action)
select id, work_id, edition_id, 'skipped' from public.enrichment_queue
"""

SHELF = """
with reader as (insert into auth.users (email) values ('ada@example.org') returning id),
ada as (insert into public.users (id, handle) select id, 'ada' from reader returning id),
shelf as (
    insert into public.library_items (user_id, work_id, status, visibility)
    select ada.id, w.id, 'to_read', 'private' from ada, (select id from public.works limit 300) as w
)
select id from ada
"""

Plans = Callable[..., str]


@pytest.fixture(scope="module")
def ada(stack, database, empty) -> Iterator[psycopg.Connection]:
    """A connection that logs the plan of every statement it runs, also within functions, for a reader who
    has 300 of 50,000 works with two queue rows each."""
    empty()
    with psycopg.connect(stack.superuser_url(database), autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute(QUEUE, {"works": WORKS})
        connection.execute(LOG)
        connection.execute("set session_replication_role = origin")
        (reader,) = connection.execute(SHELF).fetchone() or (None,)
        connection.execute("vacuum analyze")
        connection.execute("load 'auto_explain'")
        connection.execute(
            "set auto_explain.log_min_duration = 0; set auto_explain.log_nested_statements = on;"
            "set client_min_messages = log"
        )
        connection.execute("select set_config('tests.reader', %s, false)", [str(reader)])
        yield connection


@pytest.fixture
def plans(ada) -> Plans:
    """`plans("authenticated", "select …")`: every plan that was run, as one text."""

    def plans(role: str, query: str, calls: int = 1) -> str:
        heard: list[str] = []
        listen = lambda notice: heard.append(notice.message_primary or "")  # noqa: E731
        claims = "jsonb_build_object('role', %s::text, 'sub', current_setting('tests.reader'))::text"
        with ada.transaction():
            ada.execute(f"select set_config('request.jwt.claims', {claims}, true)", [role])
            ada.execute("select set_config('role', %s, true)", [role])
            for _ in range(calls):
                heard.clear()
                ada.add_notice_handler(listen)
                ada.execute(query.encode())
                ada.remove_notice_handler(listen)
        return "\n".join(heard)

    return plans


READERS = [
    "select * from public.list_enrichment()",
    "select * from public.list_enrichment('needs_review')",
    "select * from public.list_enrichment('failed')",
    "select * from public.enrichment_library()",
    "select * from public.enrichment_library('missing')",
    "select * from public.enrichment_library('pending')",
    "select * from public.enrichment_summary()",
    "select * from public.enrichment_status((select array_agg(work_id) from public.library_items))",
    "select * from public.enrichment_usage()",
    "select * from public.approve_matching('high')",
]


@pytest.mark.parametrize("query", READERS)
def test_a_reader_s_calls_read_the_own_rows_only(plans: Plans, query: str) -> None:
    """By index, on the first call and once Postgres could have settled for a plan that fits any arguments."""
    for calls in (1, 7):
        heard = plans("authenticated", query, calls)
        assert "Index" in heard
        for table in ("enrichment_queue", "works", "editions", "enrichment_audit_log"):
            assert f"Seq Scan on {table} " not in heard, heard


@pytest.mark.parametrize(
    ("status", "index"),
    [
        ("null", "enrichment_queue_pkey"),
        ("'completed'", "enrichment_queue_pkey"),
        ("'pending'", "queue_due"),
        ("'needs_review'", "queue_one_undecided_review_per_work"),
    ],
)
def test_the_service_s_pages_come_by_index(ada, plans: Plans, status: str, index: str) -> None:
    """The first page, and one in the middle of the queue."""
    (middle,) = ada.execute("select id from public.enrichment_queue order by id offset 50000").fetchone()
    for cursor in ("null", f"'{middle}'"):
        heard = plans("service_role", f"select * from public.list_enrichment({status}, 50, {cursor})", 7)
        assert index in heard
        assert "Seq Scan on enrichment_queue " not in heard, heard


@pytest.fixture
async def imported(connect, create_reader) -> tuple[psycopg.AsyncConnection, uuid.UUID]:
    """A thousand books, all imported by one reader, found by their ISBN and filled with five fields each."""
    main = await connect()
    reader, _ = create_reader("ada")
    import_id = uuid.uuid4()
    settings = {"auto_enabled": True, "auto_apply_metadata": True, "contact": "tests@example.org"}
    await main.execute("select count(*) from public.configure_enrichment(%s)", [json.dumps(settings)])
    for first in (1, 501):
        await main.execute(
            """
            select count(*) from public.import_library(%s, 'goodreads', (
                select jsonb_agg(jsonb_build_object(
                    'row_number', n, 'title', 'Chronicle ' || n, 'authors', '["Farid Dahl"]'::jsonb,
                    'isbn', enrichment.isbn13_of('978' || lpad(n::text, 9, '0')), 'status', 'to_read'
                )) from generate_series(%s::integer, %s::integer) as n
            ), %s, 1000)
            """,
            [reader, first, first + 499, import_id],
        )
    await main.execute(
        """
        insert into public.source_records (provider, entity_type, provider_id, raw)
        select 'openlibrary', 'isbn_lookup', e.isbn13, jsonb_build_object('docs', jsonb_build_array(
            jsonb_build_object(
                'key', '/works/OL' || row_number() over () || 'W', 'title', w.title,
                'author_name', '["Farid Dahl"]'::jsonb, 'cover_i', 7, 'first_publish_year', 2008,
                'editions', jsonb_build_object('docs', jsonb_build_array(jsonb_build_object(
                    'key', '/books/OL1M', 'title', w.title, 'isbn', jsonb_build_array(e.isbn13),
                    'publisher', '["Harbour Press"]'::jsonb, 'publish_date', '["2001-05-17"]'::jsonb,
                    'language', '["eng"]'::jsonb
                )))
            )
        ))
        from public.editions as e join public.works as w on w.id = e.work_id
        """
    )
    return main, import_id


EIGHT_SECONDS = "set statement_timeout = '8s'"  # what a hosted project gives a statement


async def test_an_import_of_a_thousand_books_is_undone_in_one_call(imported) -> None:
    """In the time a hosted project gives a statement."""
    main, import_id = imported
    await main.execute("select count(*) from public.sweep_enrichment(1000)")
    await main.execute(EIGHT_SECONDS)
    started = time.perf_counter()
    rows = await (await main.execute("select * from public.undo_import(%s)", [import_id])).fetchall()
    print(f"undo_import of 1,000 books: {time.perf_counter() - started:.1f} s")
    assert len(rows) == 1000
    assert {len(row["fields_restored"]) for row in rows} == {5}
    left = "select 1 from public.works where default_cover_url is not null or first_publish_year is not null"
    assert await (await main.execute(left)).fetchall() == []


async def test_a_thousand_reviews_are_approved_within_eight_seconds(imported) -> None:
    """In as many calls as it takes, each of which ends by itself."""
    main, _ = imported
    await main.execute(
        """select count(*) from public.configure_enrichment('{"auto_apply_metadata": false}')"""
    )
    await main.execute("select count(*) from public.sweep_enrichment(1000)")
    await main.execute(EIGHT_SECONDS)
    approved, remaining = 0, 1000
    while remaining:
        started = time.perf_counter()
        cursor = await main.execute("select * from public.approve_matching(is_dry_run => false)")
        (row,) = await cursor.fetchall()
        print(f"approve_matching of {row['changed']} rows: {time.perf_counter() - started:.1f} s")
        assert (row["skipped"], row["changed"] + row["remaining"]) == (0, remaining)
        assert row["changed"] > 0
        approved, remaining = approved + row["changed"], row["remaining"]
    assert approved == 1000
