"""Hosts as they are, and what they may do once we are there: we are a guest."""

from typing import Any

import psycopg
import pytest

from book_enrichment.errors import DatabaseUnavailable
from book_enrichment.migrate import MigrationError, restore
from host_app import ADA, HostApp

LIBRARY = (
    "users",
    "works",
    "editions",
    "authors",
    "work_authors",
    "external_ids",
    "source_records",
    "library_items",
)
# Looked for before it is used, by name in a text that Postgres reads only then.
OPTIONAL = {("works", "default_cover_storage_path"), ("library_items", "cover_override_url")}
# What of ours depends on a column of the host's, foreign keys aside.
PINNED = """
select c.relname || '.' || a.attname as column, pg_describe_object(d.classid, d.objid, d.objsubid) as by
from pg_depend as d
join pg_class as c on c.oid = d.refobjid
join pg_attribute as a on a.attrelid = c.oid and a.attnum = d.refobjsubid
where d.refclassid = 'pg_class'::regclass and c.relnamespace = 'public'::regnamespace and c.relname = any(%s)
    and d.classid <> all(array['pg_constraint'::regclass, 'pg_attrdef'::regclass, 'pg_class'::regclass])
order by 1, 2
"""
COLUMNS = """
select a.attrelid::regclass::text as table, quote_ident(a.attname) as column,
    format_type(a.atttypid, a.atttypmod) as type
from pg_attribute as a
where a.attrelid = any(%s::regclass[]) and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
order by a.attrelid, a.attnum
"""
# Functions of ours in plpgsql that name what is not there. In these databases pg_cron's tables are not.
BROKEN = """
select p.oid::regprocedure::text as function, c.message
from pg_proc as p
join pg_language as l on l.oid = p.prolang and l.lanname = 'plpgsql'
cross join lateral extensions.plpgsql_check_function_tb(p.oid, coalesce((
    select t.tgrelid from pg_trigger as t where t.tgfoid = p.oid limit 1
), 0::oid)) as c
where p.pronamespace = 'enrichment'::regnamespace and c.level = 'error' and c.message not like '%%cron%%'
"""
IN_SQL = """
select pg_get_functiondef(p.oid) as definition
from pg_proc as p
join pg_language as l on l.oid = p.prolang and l.lanname = 'sql'
where p.pronamespace = 'enrichment'::regnamespace
"""


def broken_functions(connection: Any) -> list[str]:
    """What does not compile any more; those in plain SQL are looked into as they are made again."""
    broken = [f"{row['function']}: {row['message']}" for row in connection.execute(BROKEN).fetchall()]
    for row in connection.execute(IN_SQL).fetchall():
        try:
            with connection.transaction():
                connection.execute(row["definition"])
        except psycopg.Error as error:
            broken.append(f"{row['definition'].splitlines()[0]}: {error}")
    return broken


@pytest.fixture(scope="module")
def installed(make_host) -> HostApp:
    """The newest host, with us in it."""
    host = make_host()
    host.install()
    return host


def test_nothing_of_ours_depends_on_a_column_of_the_hosts(make_host) -> None:
    """The host's own policies and views do; after installing there are no others."""
    host = make_host()
    before = host.query(PINNED, list(LIBRARY))
    host.install()
    assert host.query(PINNED, list(LIBRARY)) == before


def test_the_host_may_change_the_type_of_any_column(installed) -> None:
    """Text grows, numbers widen. Columns that the host's own constraints and policies hold are given their
    own type again, which asks the same question."""
    wider = {"character varying": "text", "smallint": "integer", "integer": "bigint", "date": "timestamptz"}
    held_by_host = {
        row["column"] for row in installed.query(PINNED, list(LIBRARY))
    }  # policies of the host's own
    with installed.connect() as connection, connection.transaction(force_rollback=True):
        for row in installed.query(COLUMNS, [f"public.{table}" for table in LIBRARY]):
            if f"{row['table']}.{row['column']}" in held_by_host:
                continue
            kind = row["type"].partition("(")[0]
            new = wider.get(kind, row["type"]) if not row["type"].endswith("[]") else row["type"]
            connection.execute(f"alter table public.{row['table']} alter {row['column']} type {new}")


def test_work_goes_on_after_titles_became_text(make_host) -> None:
    """The change that views of ours used to refuse: import, sweep, library and review run as before."""
    host = make_host()
    host.install()
    with host.connect() as connection:
        connection.execute("alter table public.works alter column title type text")
        connection.execute("alter table public.editions alter column publisher type text")
        assert broken_functions(connection) == []
    row = {"row_number": 1, "title": "Dune Messiah", "authors": ["Frank Herbert"]}
    reader = host.query("select id from public.users limit 1")[0]["id"]
    (outcome,) = host.call("import_library", user_id=reader, import_source="goodreads", rows=[row])
    assert outcome["outcome"] != "rejected", outcome
    host.call("sweep_enrichment")
    assert host.call("enrichment_library", role="authenticated", reader=str(reader)) != []


def test_columns_we_do_not_read_may_go(installed) -> None:
    """Every column that doctor does not look for can be dropped, and each function still compiles."""
    read = {
        (row["table_name"], row["column_name"])
        for row in installed.query("select * from enrichment.host_columns()")
    }
    with installed.connect() as connection, connection.transaction(force_rollback=True):
        for row in installed.query(COLUMNS, [f"public.{table}" for table in LIBRARY]):
            table = row["table"].removeprefix("public.")
            if (table, row["column"].strip('"')) not in read | OPTIONAL:
                connection.execute(f"alter table public.{table} drop column {row['column']} cascade")
        assert broken_functions(connection) == []
        (health,) = [
            check
            for check in connection.execute("select * from public.enrichment_health()").fetchall()
            if check["name"] == "library"
        ]
        assert health["state"] == "ok"


def test_small_tables_are_analyzed_once(make_host) -> None:
    """Autoanalyze never comes to a table of two rows, and the planner expects hundreds."""
    host = make_host()
    host.install()
    small = "('public.users'::regclass, 'enrichment.settings'::regclass, 'enrichment.providers'::regclass)"
    counted = host.query(f"select reltuples from pg_class where oid in {small}")
    assert all(row["reltuples"] >= 1 for row in counted), counted


def test_readers_who_came_later_are_counted_once(make_host) -> None:
    """In a project that began without readers the nightly housekeeping does it."""
    host = make_host(bare=True)
    host.install()
    counted = "select reltuples::integer as n from pg_class where oid = 'public.users'::regclass"
    with host.connect() as connection:
        for handle in ("ada", "bob"):
            (new,) = connection.execute("insert into auth.users (email) values (%s) returning id", [handle])
            connection.execute("insert into public.users (id, handle) values (%s, %s)", [new["id"], handle])
    assert host.query(counted) == [{"n": 0}]
    host.call("prune_enrichment")
    assert host.query(counted) == [{"n": 2}]


@pytest.mark.parametrize("default_grants", [True, False], ids=["default grants", "no default grants"])
def test_a_host_that_shows_readers_nothing(make_host, default_grants) -> None:
    """Without SELECT on library_items a reader still sees the own rows, and doctor has nothing to say."""
    host = make_host(default_grants=default_grants)
    host.install()
    with host.connect() as connection:
        connection.execute("revoke all on public.library_items, public.works from authenticated")
    host.call("trigger_missing_enrichment", role="authenticated", reader=ADA)
    with host.connect(role="authenticated", reader=ADA) as connection:
        assert connection.execute("select id from public.enrichment_queue").fetchall() != []
    checks = {row["name"]: row for row in host.call("enrichment_health")}
    assert checks["realtime"]["message"] == "pages see changes at once"


def test_what_was_changed_by_hand_is_restored(make_host) -> None:
    """Bodies and rights, by one command; of the rest nothing is touched."""
    host = make_host()
    host.install()
    schema = sorted(host.schema())
    with host.connect() as connection:
        connection.execute(
            "create or replace function enrichment.isbn10_of(first_nine text) returns text language sql"
            " immutable parallel safe set search_path = '' as 'select null';"
            "revoke execute on function enrichment.is_on_own_shelf from authenticated;"
            "revoke select on public.enrichment_queue from service_role"
        )
    assert sorted(host.schema()) != schema
    assert restore(host.url) == ["enrichment.isbn10_of"]
    assert sorted(host.schema()) == schema
    assert restore(host.url) == []


def test_only_a_database_of_this_version_is_restored(make_host) -> None:
    """Bodies of another version are no mistake."""
    with pytest.raises(MigrationError, match="the database is at 0, this package at"):
        restore(make_host().url)


def test_an_unreachable_database_is_told_without_its_password() -> None:
    """And what kind of address it takes."""
    with pytest.raises(DatabaseUnavailable, match="gave no answer") as error:
        restore("postgresql://postgres:secret@127.0.0.1:1/postgres")
    assert "secret" not in f"{error.value} {error.value.hint}"
    assert "session pooler" in str(error.value.hint)
    assert isinstance(error.value.__cause__, psycopg.OperationalError)
