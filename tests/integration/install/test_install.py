"""Moving into a living book app: our migrations on its tables, and everything at work there."""

from collections import Counter
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from book_enrichment.migrate import released_steps

READER_VERBS = {
    "approve_enrichment",
    "approve_matching",
    "dismiss_enrichment",
    "dismiss_matching",
    "enrichment_history",
    "enrichment_import",
    "enrichment_import_rows",
    "enrichment_imports",
    "enrichment_library",
    "enrichment_status",
    "enrichment_summary",
    "enrichment_usage",
    "explain_enrichment",
    "list_enrichment",
    "lock_fields",
    "preview_enrichment",
    "trigger_enrichment",
    "trigger_missing_enrichment",
    "undo_enrichment",
    "undo_import",
    "unlock_fields",
}
ONLY_FOR_READERS = {
    "enrichment_library",
    "enrichment_summary",
    "trigger_enrichment",
    "trigger_missing_enrichment",
}
ROLES = ("anon", "authenticated", "service_role")

RELATIONS = """
select c.oid::regclass::text as name, role, privilege, has_table_privilege(role, c.oid, privilege) as allowed,
    case when privilege in ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
        then has_any_column_privilege(role, c.oid, privilege) else false end as on_a_column
from pg_class as c
cross join unnest(%s::text[]) as role
cross join unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) as privilege
where c.relkind in ('r', 'v', 'm') and (
    c.relnamespace = 'enrichment'::regnamespace
    or c.oid in ('public.enrichment_queue'::regclass, 'public.enrichment_audit_log'::regclass)
)
"""
FUNCTIONS = """
select p.oid::regprocedure::text as name, p.proname, p.pronamespace::regnamespace::text as schema, role,
    has_function_privilege(role, p.oid, 'EXECUTE') as allowed
from pg_proc as p
cross join unnest(%s::text[]) as role
where p.pronamespace in ('enrichment'::regnamespace, 'public'::regnamespace)
"""
SCHEMAS = """
select nspname as name, role, privilege, has_schema_privilege(role, oid, privilege) as allowed
from pg_namespace
cross join unnest(%s::text[]) as role
cross join unnest('{USAGE,CREATE}'::text[]) as privilege
where nspname = 'enrichment'
"""
# Books of the host's by ISBN and by id, one that Bob has on his shelf, and one whose id is an orphan's.
FILE = [
    {
        "title": "The Left Hand of Darkness",
        "authors": ["Ursula K. Le Guin"],
        "isbn": "9780441478125",
        "external_id": "goodreads:1",
    },
    {
        "title": "A Wizard of Earthsea",
        "authors": ["Ursula K. Le Guin"],
        "external_id": "goodreads:13642",
        "status": "reading",
    },
    {"title": "Unbound", "authors": [], "external_id": "goodreads:2", "total_pages": 200},
    {
        "title": "Lost and Found",
        "authors": ["Nobody"],
        "external_id": "goodreads:99",
        "isbn": "9780441007318",
    },
    {
        "title": "Piranesi",
        "authors": ["Susanna Clarke"],
        "isbn": "9781635575637",
        "external_id": "goodreads:3",
        "publisher": "Bloomsbury",
    },
]


@pytest.fixture(scope="module", params=[True, False], ids=["default grants", "no default grants"])
def host(request: pytest.FixtureRequest, make_host: Any) -> Any:
    """The newest host, installed, in one default-privilege mode after the other."""
    host = make_host(default_grants=request.param)
    host.install()
    return host


def privileges(host: Any) -> list[tuple[Any, ...]]:
    roles = [*ROLES, "public"]
    return sorted(
        (
            tuple(row.values())
            for query in (RELATIONS, FUNCTIONS, SCHEMAS)
            for row in host.query(query, roles)
        ),
        key=repr,
    )


@pytest.mark.parametrize("newest", [True, False], ids=["newest host", "older host"])
@pytest.mark.parametrize("default_grants", [True, False], ids=["default grants", "no default grants"])
def test_only_three_columns_are_added_to_what_was_there(make_host, default_grants, newest) -> None:
    """pg_dump of the host's database keeps every line; its tables gain three columns on works, its rows
    nothing."""
    host = make_host(default_grants, newest)
    files = """
    select oid::regclass::text as name, relfilenode from pg_class where relnamespace = 'public'::regnamespace
    """
    rows, stored = host.rows(), host.query(files)
    schema, tables = host.schema(), host.schema(*rows)
    assert len(host.install()) == len(released_steps())
    assert host.install() == []

    assert host.rows() == rows
    assert all(file in host.query(files) for file in stored), "no table was written anew"
    (works,) = Counter(schema) - Counter(host.schema())
    (works_now, *comments) = Counter(host.schema(*rows)) - Counter(tables)
    assert works.startswith("CREATE TABLE public.works (")
    assert Counter(works_now.splitlines()) - Counter(works.splitlines()) == {
        "    enrichment_status character varying(32)": 1,
        "    enrichment_confidence character varying(16)": 1,
        "    last_enriched_at timestamp with time zone": 1,
    }
    assert Counter(works.splitlines()) - Counter(works_now.splitlines()) == Counter()
    assert [comment.split()[:4] for comment in comments] == [
        ["COMMENT", "ON", "COLUMN", f"public.works.{column}"]
        for column in ("enrichment_status", "enrichment_confidence", "last_enriched_at")
    ]


def test_both_modes_end_in_the_same_privileges(make_host) -> None:
    """Who may do what to our objects does not depend on what the project grants by default."""
    matrices = []
    for default_grants in (True, False):
        host = make_host(default_grants)
        host.install()
        matrices.append(privileges(host))
    assert len(matrices[0]) > 500
    assert matrices[0] == matrices[1]


def test_each_verb_is_for_whom_it_says(host) -> None:
    """anon may call nothing, a reader a reader's verbs, the service role everything but what needs a reader's
    library; behind the verbs, only the implementations are open, to the same roles."""
    functions = host.query(FUNCTIONS, [*ROLES, "public"])
    verbs = {row["proname"] for row in functions if row["schema"] == "public"}

    def may_call(role: str, schema: str) -> set[str]:
        return {
            row["proname"]
            for row in functions
            if row["allowed"] and (row["role"], row["schema"]) == (role, schema)
        }

    assert verbs > READER_VERBS
    for schema, suffix in (("public", ""), ("enrichment", "_impl")):
        assert may_call("anon", schema) == may_call("public", schema) == set()
        asked_by_policies = {"is_on_own_shelf"} if schema == "enrichment" else set()
        readers = {verb + suffix for verb in READER_VERBS} | asked_by_policies
        assert may_call("authenticated", schema) == readers
        assert may_call("service_role", schema) == {verb + suffix for verb in verbs - ONLY_FOR_READERS}


def test_tables_are_read_only_or_closed(host) -> None:
    """The service role reads queue and log, a reader some columns of them; nobody else reads, and nobody
    writes."""
    allowed = {
        (row["name"], row["role"], row["privilege"])
        for row in host.query(RELATIONS, [*ROLES, "public"])
        if row["allowed"] or row["on_a_column"]
    }
    queue_and_log = ("enrichment_queue", "enrichment_audit_log")
    assert allowed == {
        (name, role, "SELECT") for name in queue_and_log for role in ("authenticated", "service_role")
    }


def test_the_whole_way_on_the_hosts_tables(host, answer, ada, bob) -> None:
    """An import meets the host's books and orphans, the sweep answers from the host's records, a worker the
    rest; the reader sees it, others do not; of what was there before, nothing changed but what was
    empty."""
    before = host.rows()
    flags = {"auto_enabled": True, "auto_apply_metadata": True, "contact": "tests@example.org"}
    host.call("configure_enrichment", changes=flags)
    rows = [{"row_number": number, "status": "to_read", **row} for number, row in enumerate(FILE, start=2)]
    imported = host.call("import_library", user_id=bob, import_source="goodreads", rows=rows)
    outcomes = ["matched", "matched", "duplicate", "created", "matched"]
    assert [row["outcome"] for row in imported] == outcomes
    assert {row["enrichment"] for row in imported} == {"enqueued"}
    (shelved,) = host.query(
        """
        select count(*)::integer as items, array_agg(distinct visibility::text) as seen_by
        from public.library_items where user_id = %s
        """,
        bob,
    )
    assert shelved == {"items": 5, "seen_by": ["private"]}

    (swept,) = host.call("sweep_enrichment")
    assert (swept["work_id"], swept["status"], swept["confidence"]) == (
        imported[0]["work_id"],
        "completed",
        "high",
    )
    (work,) = host.query("select * from public.works where id = %s", swept["work_id"])
    assert work["default_cover_url"] == "https://covers.openlibrary.org/b/id/283860-M.jpg"
    assert (work["description"], work["first_publish_year"]) == ("Genly Ai on Gethen.", 1969)
    assert (work["enrichment_status"], work["enrichment_confidence"]) == ("completed", "high")

    claimed = host.call("claim_enrichment", worker_name="ada")
    assert {row["title"] for row in claimed} == {
        "A Wizard of Earthsea (Earthsea Cycle, #1)",
        "Unbound",
        "Lost and Found",
        "Piranesi",
    }
    applied = host.call("apply_enrichment", results=[answer(row) for row in claimed])
    assert {row["outcome"] for row in applied} == {"applied"}

    work_ids = [row["work_id"] for row in imported]
    assert_each_reader_sees_her_own(host, ada, bob, work_ids)
    assert_only_gaps_were_filled(before, host.rows())


def assert_each_reader_sees_her_own(host: Any, ada: str, bob: str, work_ids: list[Any]) -> None:
    """Bob all of his import, Ada what is on her shelf too; nobody writes, and anon sees nothing."""
    seen = host.call("enrichment_status", role="authenticated", reader=bob, work_ids=work_ids)
    assert [row["work_id"] for row in seen] == work_ids
    assert seen[4]["cover_url"] == "https://covers.openlibrary.org/b/id/17-M.jpg"
    assert len(host.call("enrichment_status", role="authenticated", reader=ada, work_ids=work_ids)) == 3
    assert len(host.call("list_enrichment", role="authenticated", reader=ada)) == 3
    with host.connect("authenticated", ada) as connection:
        mine = connection.execute("select work_id, status from public.enrichment_queue").fetchall()
        assert len(mine) == 3
        for table in ("enrichment_queue", "enrichment_audit_log"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"delete from public.{table} returning id").fetchall()
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        host.call("enrichment_status", role="anon", work_ids=work_ids)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        host.call("claim_enrichment", role="authenticated", reader=ada, worker_name="ada")


def assert_only_gaps_were_filled(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Every row is still there, and of its values only empty ones and the time of the last change differ."""
    assert before.keys() == after.keys()
    for table, rows_before in before.items():
        rows_after = {keys(row): row for row in after[table]}
        for row in rows_before:
            now = rows_after[keys(row)]
            changed = {column for column, value in row.items() if now[column] != value}
            assert not {column for column in changed if row[column] not in (None, "", 0)} - {"updated_at"}


def keys(row: dict[str, Any]) -> str:
    return str(row.get("id") or (row["work_id"], row["author_id"]))


@pytest.mark.parametrize("newest", [True, False], ids=["newest host", "older host"])
def test_google_is_asked_for_those_who_opted_in(make_host, newest, ada, bob) -> None:
    """users.enable_google_books decides; a host without that column has left it to the key."""
    host = make_host(newest=newest)
    host.install()
    host.call("configure_enrichment", changes={"auto_enabled": True, "provider_keys": ["googlebooks"]})
    host.query(
        "update enrichment.providers set is_enabled = false where provider = 'openlibrary' returning 1"
    )
    for reader, work in ((ada, "Kindred"), (bob, "Unbound")):
        (found,) = host.query("select id from public.works where title = %s", work)
        host.call("trigger_enrichment", role="authenticated", reader=reader, work_ids=[found["id"]])
    claimed = {row["title"]: row["lookups"] for row in host.call("claim_enrichment", worker_name="ada")}
    assert [lookup["provider"] for lookup in claimed["Kindred"]] == ["googlebooks"]
    assert [lookup["provider"] for lookup in claimed.get("Unbound", [])] == (
        [] if newest else ["googlebooks"]
    )


def test_a_host_with_many_books_is_served_in_time(make_host, bob) -> None:
    """30,000 works and no index on editions.work_id: queueing ten of them takes no second, and the first
    import stays well within the eight seconds that PostgREST gives."""
    host = make_host()
    host.install()
    with host.connect() as connection:
        connection.execute(
            """
            with added as (
                insert into public.works (title)
                select 'The Bulk of It (Tomes, #' || n || ')' from generate_series(1, 30000) as n
                returning id
            )
            insert into public.editions (work_id, isbn10) select id, '0441478123' from added
            """
        )
        connection.execute("set statement_timeout = '1s'")
        connection.execute(
            """
            select * from public.enqueue_enrichment(
                array(select id from public.works where title like 'The Bulk %' limit 10)
            )
            """
        )
        connection.execute("set statement_timeout = '4s'")
        rows = Jsonb([{"row_number": 2, "title": "Beloved", "authors": [], "status": "to_read"}])
        connection.execute("select * from public.import_library(%s, 'goodreads', %s)", [bob, rows])
