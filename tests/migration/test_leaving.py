"""Leaving: what was brought goes, what was decided can be kept and comes back."""

from collections.abc import Iterator

import psycopg
import pytest

from book_enrichment.migrate import MigrationError, migrate, plan, released_steps
from book_enrichment.migrate.steps import SQL
from catalogue import catalogue, differences
from decisions import PROMISES
from filling import Filled, fill
from host_app import HostApp
from snapshots import assert_rows_are_kept, snapshot

BUILT_ON_US = {
    "a view on the queue": "create view public.badges as select status from public.enrichment_queue",
    "a view on a column of works": "create view public.badges as select enrichment_status from public.works",
    "a view on a view": "create view public.badges as select * from enrichment.overview",
    "a foreign key": "create table public.badges (id uuid references public.enrichment_queue (id))",
    "a column of our type": "create table public.badges (status enrichment.queue_status)",
    "a function of our type": "create function public.badges(enrichment.confidence) returns int"
    " language sql as 'select 1'",
    "a default of ours": "create table public.badges (id uuid default enrichment.uuid_v7())",
    "a policy that asks us": "create table public.badges (work_id uuid);"
    "create policy own on public.badges using (enrichment.is_on_own_shelf(work_id))",
    "an index by our function": "create table public.badges (name text);"
    "create index badges_by_name on public.badges (enrichment.fold_text(name))",
}


def test_an_empty_project_is_empty_again(make_host, stack) -> None:
    """Also the library's tables, the types and the bucket that installing had made there."""
    host = make_host(bare=True)
    before = catalogue(stack.superuser_url(host.name))
    buckets = host.query("select id from storage.buckets")
    host.install()
    assert host.query("select id from storage.buckets") != buckets
    host.uninstall()
    assert differences(before, catalogue(stack.superuser_url(host.name))) == []
    assert host.query("select id from storage.buckets") == buckets


def test_a_library_with_books_stays_and_is_the_apps(make_host) -> None:
    """And a sentence says so; the bucket that has files stays as well."""
    host = make_host(bare=True)
    host.install()
    host.query("insert into public.works (title) values ('Dune') returning id")
    host.query("insert into storage.objects (bucket_id, name) values ('covers', 'a.webp') returning id")
    assert any("the tables of the library stay" in sentence for sentence in host.uninstall())
    assert host.query("select title from public.works") == [{"title": "Dune"}]
    assert host.query("select id from storage.buckets") == [{"id": "covers"}]


@pytest.mark.parametrize("others", [0, 1], ids=["ours alone", "beside a host's job"])
def test_pg_cron_goes_where_installing_had_enabled_it_and_nobody_else_uses_it(cron_stack, others) -> None:
    """In the one database that has it, in a transaction that is rolled back. There it was enabled before us
    by the superuser, so for the length of this test he is who installed us, and the mark says that we
    did."""
    with psycopg.connect(cron_stack.superuser_url()) as connection:
        connection.execute("set role postgres")
        connection.execute("select cron.unschedule(jobname) from cron.job")
        connection.execute("reset role")
        connection.execute("select enrichment.schedule_jobs()")
        mark = "update enrichment.schema_versions set brought = '{extension pg_cron}' where version = 1"
        connection.execute(mark)
        if others:
            connection.execute("select cron.schedule('host-nightly', '0 3 * * *', 'select 1')")
        connection.execute((SQL / "uninstall.sql").read_bytes())
        there = "select count(*) from pg_extension where extname = 'pg_cron'"
        assert connection.execute(there).fetchone() == (others,)
        connection.rollback()


@pytest.mark.parametrize("kind", BUILT_ON_US)
@pytest.mark.parametrize("keep_data", [False, True], ids=["all", "keeping data"])
def test_what_the_host_built_on_us_is_named_and_nothing_goes(make_host, kind, keep_data) -> None:
    """A cascade would have taken it along without a word."""
    host = make_host()
    host.install()
    with host.connect() as connection:
        connection.execute(BUILT_ON_US[kind])
    if keep_data and kind == "a view on a column of works":
        host.uninstall(keep_data)  # the columns stay, and the view with them
        assert host.query("select * from public.badges where false") == []
        return
    schema = host.schema()
    with pytest.raises(MigrationError, match=r"in use by: .*badges") as error:
        host.uninstall(keep_data)
    assert "drop these first" in str(error.value.hint)
    assert host.schema() == schema


def test_the_history_forgets_our_steps_and_no_others(make_host) -> None:
    """Where the CLI had applied them: by their names, not by how their versions begin."""
    host = make_host()
    with host.connect() as connection:
        connection.execute(
            "create schema supabase_migrations;"
            "create table supabase_migrations.schema_migrations ("
            "version text primary key, statements text[], name text)"
        )
        host.install()
        connection.cursor().executemany(
            "insert into supabase_migrations.schema_migrations (version, name) values (%s, %s)",
            [*((step.cli_version, step.cli_name) for step in released_steps()), ("20260220120001", "theirs")],
        )
    host.uninstall()
    assert host.query("select name from supabase_migrations.schema_migrations") == [{"name": "theirs"}]


# With --keep-data


@pytest.fixture(scope="module")
def come_back(make_host) -> Iterator[tuple[HostApp, Filled]]:
    """A filled database that was left with its data kept, and entered again."""
    host = make_host()
    host.install()
    filled = fill(host)
    host.uninstall(keep_data=True)
    assert plan(host.url)[-1] == "take back the data that an earlier uninstall kept"
    host.install()
    return host, filled


def test_every_row_comes_back(come_back) -> None:
    """Queue, log, locks, rejections, imports, covers, settings, limits."""
    host, filled = come_back
    assert_rows_are_kept(filled.rows, snapshot(host))
    assert host.query("select to_regnamespace('enrichment_kept') as kept") == [{"kept": None}]


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_what_was_decided_stands_again(come_back, promise) -> None:
    """As if we had never been away."""
    host, filled = come_back
    with host.rehearsal() as rehearsed:
        promise(rehearsed, filled)


def test_kept_data_is_closed_and_can_be_read_by_the_owner(make_host) -> None:
    """No API role comes near; the columns on works stay filled."""
    host = make_host()
    host.install()
    fill(host)
    host.uninstall(keep_data=True)
    kept = host.query("select table_name, count(*) as n from enrichment_kept.rows group by 1")
    assert {"public.enrichment_queue", "enrichment.field_locks"} < {row["table_name"] for row in kept}
    for role in ("anon", "authenticated", "service_role"):
        with host.connect(role) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select * from enrichment_kept.rows")
    assert host.query("select id from public.works where enrichment_status is not null limit 1") != []


def test_rows_whose_work_or_reader_has_gone_do_not_stop_it(make_host) -> None:
    """A work deleted meanwhile takes its rows along; a reader who left leaves theirs to nobody."""
    host = make_host()
    host.install()
    fill(host)
    host.uninstall(keep_data=True)
    with host.connect() as connection:
        (gone,) = connection.execute(
            "select kept ->> 'work_id' as id from enrichment_kept.rows"
            " where table_name = 'public.enrichment_queue' limit 1"
        ).fetchall()
        connection.execute("delete from public.library_items where work_id = %s", [gone["id"]])
        connection.execute("delete from public.work_authors where work_id = %s", [gone["id"]])
        connection.execute("update public.library_items set preferred_edition_id = null where true")
        connection.execute("delete from public.editions where work_id = %s", [gone["id"]])
        connection.execute("delete from public.works where id = %s", [gone["id"]])
    host.install()
    assert host.query("select id from public.enrichment_queue where work_id = %s", gone["id"]) == []
    assert host.query("select id from public.enrichment_queue limit 1") != []


def test_leaving_for_good_forgets_what_was_kept(make_host) -> None:
    """A second uninstall, without the option, takes the copies and the columns too."""
    host = make_host()
    schema = host.schema()
    host.install()
    host.uninstall(keep_data=True)
    assert host.schema() != schema
    host.uninstall()
    assert host.schema() == schema


def test_data_of_a_later_version_is_not_taken_back_by_an_older_package(make_host) -> None:
    """It would be poured into tables that do not fit."""
    host = make_host()
    host.install()
    host.uninstall(keep_data=True)
    with host.connect() as connection:
        connection.execute("update enrichment_kept.rows set version = 99")
    with pytest.raises(MigrationError, match="the database is at 99"):
        migrate(host.url)
