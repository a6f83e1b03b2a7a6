"""Moving out again: supabase/uninstall.sql leaves the host as it was, but for what enrichment filled in."""

import psycopg
import pytest

from book_enrichment.migrate import MigrationError
from packages import ROOT

UNINSTALL = (ROOT / "supabase" / "uninstall.sql").read_text()
FILLED = {"updated_at"}


@pytest.mark.parametrize("newest", [True, False], ids=["newest host", "older host"])
@pytest.mark.parametrize("default_grants", [True, False], ids=["default grants", "no default grants"])
def test_an_unused_installation_leaves_no_trace(make_host, default_grants, newest) -> None:
    """Installed and removed: pg_dump's schema is the same to the byte and every row is as it was. Removing
    it twice is fine, and it can be installed again."""
    host = make_host(default_grants, newest)
    schema, rows = host.schema(), host.rows()
    first = host.install()
    host.uninstall()
    assert (host.schema(), host.rows()) == (schema, rows)
    host.uninstall()
    assert (host.schema(), host.rows()) == (schema, rows)
    assert host.install() == first


def test_realtime_tells_of_the_queue_as_long_as_it_is_there(make_host) -> None:
    """Where the project has Supabase Realtime's publication, installing adds the queue to what it tells of,
    beside the host's own tables, and removing takes just that out again."""
    host = make_host()
    published = "select tablename from pg_publication_tables where pubname = 'supabase_realtime' order by 1"
    with host.connect() as connection:
        connection.execute("alter publication supabase_realtime add table public.library_items")
    host.install()
    assert [row["tablename"] for row in host.query(published)] == ["enrichment_queue", "library_items"]
    host.uninstall()
    assert [row["tablename"] for row in host.query(published)] == ["library_items"]


def test_what_enrichment_filled_stays_and_nothing_else(make_host, answer, ada) -> None:
    """After sweep, claim, apply and review, the host keeps its rows with their gaps filled; our look-ups,
    queue, log and columns are gone."""
    host = make_host()
    schema, before = host.schema(), host.rows()
    host.install()
    host.call("configure_enrichment", changes={"auto_apply_metadata": True, "contact": "tests@example.org"})
    host.call("trigger_missing_enrichment", role="authenticated", reader=ada)
    assert host.call("sweep_enrichment") != []
    claimed = host.call("claim_enrichment", worker_name="ada")
    assert {
        row["outcome"] for row in host.call("apply_enrichment", results=[answer(row) for row in claimed])
    } == {"applied"}
    stored = "select entity_type from public.source_records where entity_type like '%_lookup'"
    assert len(host.query(stored)) >= 2

    host.uninstall()
    after = host.rows()
    assert host.schema() == schema
    assert after.keys() == before.keys()
    filled: set[str] = set()
    for table, rows in before.items():
        if table not in ("works", "editions"):
            assert after[table] == rows, table
            continue
        now = {row["id"]: row for row in after[table]}
        assert now.keys() == {row["id"] for row in rows}
        for row in rows:
            changed = {column for column, value in row.items() if now[row["id"]][column] != value} - FILLED
            assert all(row[column] in (None, "", 0) for column in changed)
            filled |= {f"{table}.{column}" for column in changed}
    assert {"works.default_cover_url", "works.description", "editions.total_pages"} <= filled


def test_on_a_project_of_our_own_the_library_stays(stack, make_host) -> None:
    """Where the migrations had made the library's tables themselves, those stay, with their rows: they are
    the app's."""
    host = make_host(bare=True)
    host.install()
    host.query("insert into public.works (title) values ('Dune') returning id")
    host.uninstall()
    assert host.query("select title from public.works") == [{"title": "Dune"}]
    tables = {
        "authors",
        "editions",
        "external_ids",
        "library_items",
        "source_records",
        "users",
        "work_authors",
        "works",
    }
    assert host.rows().keys() == tables
    assert host.install() != []


def test_what_the_host_built_on_us_is_not_torn_down(make_host) -> None:
    """A view of the host's on our queue, or on a column of works, stops the removal with a sentence;
    nothing is gone."""
    for view in ("select status from public.enrichment_queue", "select enrichment_status from public.works"):
        host = make_host()
        host.install()
        with host.connect() as connection:
            connection.execute(f"create view public.badges as {view}")
        schema = host.schema()
        with pytest.raises(MigrationError, match="badges"):
            host.uninstall()
        assert host.schema() == schema


def test_the_jobs_go_too(cron_stack) -> None:
    """With pg_cron: our three jobs are unscheduled, also one whose command was changed; jobs of the host's
    are not, whatever they are called and do. (Tried in a transaction that is then rolled back.)"""
    jobs = "select jobname from cron.job order by 1"
    with psycopg.connect(cron_stack.database_url()) as connection:
        connection.execute("select cron.schedule('host-nightly', '0 3 * * *', 'select 1')")
        installed = [name for (name,) in connection.execute(jobs).fetchall()]
        assert installed == ["enrichment-prune", "enrichment-reset-stale", "enrichment-sweep", "host-nightly"]
        news = "select count(*) from public.enqueue_enrichment('{}', 'post_import')"
        connection.execute("select cron.schedule('enrichment-of-new-books', '0 3 * * *', %s)", [news])
        fewer = "select count(*) from sweep_enrichment(100)"
        connection.execute("select cron.schedule('enrichment-sweep', '* * * * *', %s)", [fewer])
        connection.execute(UNINSTALL)
        assert connection.execute(jobs).fetchall() == [("enrichment-of-new-books",), ("host-nightly",)]
        connection.rollback()
