"""What people have done to their databases before they install, upgrade or leave: it ends well, or with a
sentence, and never with somebody else's data gone."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

import release_0
from book_enrichment.migrate import MigrationError, migrate, plan, released_steps
from book_enrichment.migrate.release_0 import OlderThanRelease0
from book_enrichment.migrate.steps import SQL
from catalogue import catalogue, differences
from host_app import HostApp

NAMES = [step.name for step in released_steps()]
OWN_SCHEMA = """
create schema enrichment;
create table enrichment.notes (body text);
insert into enrichment.notes values ('precious');
create function enrichment.my_job_impl() returns int language sql as 'select 1';
create function public.my_job() returns int language sql as 'select 1';
"""


@pytest.fixture
def host(make_host) -> HostApp:
    """A host's database, not yet ours."""
    return make_host()


@pytest.fixture(scope="module")
def old(make_host) -> HostApp:
    """A host's database with release 0, to be copied."""
    host = make_host()
    release_0.install(host.url)
    return host


@pytest.fixture
def old_host(old) -> Iterator[HostApp]:
    """A copy of it for this test alone."""
    host = old.copy(f"{old.name}_trouble")
    yield host
    old.stack.drop_database(host.name)


def run_uninstall_sql(host: HostApp) -> None:
    with host.connect() as connection:
        connection.execute((SQL / "uninstall.sql").read_bytes())


# A schema, a table, a function of the host's under a name of ours


def test_a_schema_of_that_name_that_is_not_ours_is_never_touched(host) -> None:
    """Not by installing, nor by leaving, nor by the file itself."""
    with host.connect() as connection:
        connection.execute(OWN_SCHEMA + "create table public.enrichment_queue (id int)")
    schema = host.schema()
    for attempt in (plan, migrate):
        with pytest.raises(MigrationError, match="a schema enrichment here that is not ours") as error:
            attempt(host.url)
        assert "rename" in str(error.value.hint)
    assert host.uninstall() == []
    with pytest.raises(psycopg.Error, match="not ours"):
        run_uninstall_sql(host)
    assert host.schema() == schema
    assert host.query("select body from enrichment.notes") == [{"body": "precious"}]


def test_nor_after_data_was_kept(host) -> None:
    """Somebody makes a schema of that name while we are away."""
    host.install()
    host.uninstall(keep_data=True)
    with host.connect() as connection:
        connection.execute(OWN_SCHEMA)
    with pytest.raises(MigrationError, match="not ours"):
        host.uninstall()
    assert host.query("select body from enrichment.notes") == [{"body": "precious"}]


@pytest.mark.parametrize("table", ["enrichment_queue", "enrichment_audit_log"])
def test_a_table_of_that_name_that_is_not_ours_is_told_first(host, table) -> None:
    """--check says so, too."""
    with host.connect() as connection:
        connection.execute(f"create table public.{table} (id int)")
    for attempt in (plan, migrate):
        with pytest.raises(MigrationError, match=rf"a table public\.{table} here that is not ours"):
            attempt(host.url)


def test_functions_of_the_hosts_under_our_names_stay(host) -> None:
    """An overload is another function: it neither stops installing nor goes with us."""
    with host.connect() as connection:
        connection.execute(
            "create function public.enrichment_status(text) returns int language sql as 'select 1';"
            "create function public.my_job() returns int language sql as 'select 1'"
        )
    schema = host.schema()
    host.install()
    assert plan(host.url) == []
    host.uninstall()
    assert host.schema() == schema


def test_an_overload_does_not_make_release_0_look_changed(old_host) -> None:
    """The take-over names what was changed by hand, and nothing else."""
    with old_host.connect() as connection:
        connection.execute(
            "create function public.enrichment_status(text) returns int language sql as 'select 1'"
        )
    said: list[str] = []
    assert migrate(old_host.url, said.append) == NAMES
    assert not any("not as released" in sentence for sentence in said)


def test_a_table_of_the_hosts_in_our_schema_keeps_it_standing(host) -> None:
    """A cascade would have taken it along."""
    host.install()
    with host.connect() as connection:
        connection.execute("create table enrichment.my_notes (body text)")
    with pytest.raises(MigrationError, match=r"in use by: table enrichment\.my_notes"):
        host.uninstall()


def test_uninstall_knows_each_of_our_tables(host) -> None:
    """The list in uninstall.sql is what is there."""
    host.install()
    listed = (SQL / "uninstall.sql").read_text()
    tables = host.query("select tablename as name from pg_tables where schemaname = 'enrichment'")
    assert [row["name"] for row in tables if f"'{row['name']}'" not in listed] == []


def test_columns_of_works_that_the_host_had_stay(host) -> None:
    """With what is in them; only what we added goes."""
    with host.connect() as connection:
        connection.execute("alter table public.works add column last_enriched_at timestamptz")
        connection.execute("update public.works set last_enriched_at = '2020-01-01'")
    host.install()
    host.uninstall()
    columns = host.query(
        "select attname as name from pg_attribute where attrelid = 'public.works'::regclass"
        " and attname like '%%enrich%%' and not attisdropped"
    )
    assert columns == [{"name": "last_enriched_at"}]
    assert host.query("select distinct last_enriched_at::date::text as day from public.works") == [
        {"day": "2020-01-01"}
    ]


# A step beside people at work


def test_a_step_that_ends_a_deadlock_comes_again(host) -> None:
    """Somebody holds the covers and wants the queue, which the step holds: nobody has to do anything."""
    migrate(host.url, steps=released_steps()[:2])
    with psycopg.connect(host.url) as somebody, ThreadPoolExecutor() as beside:
        somebody.execute("lock table enrichment.cover_queue in row exclusive mode")
        migrating = beside.submit(migrate, host.url)
        waiting = "select 1 from pg_locks where relation = 'enrichment.cover_queue'::regclass and not granted"
        while not host.query(waiting):
            pass
        somebody.execute("lock table public.enrichment_queue in row exclusive mode")  # the step waited first
        somebody.rollback()
        assert migrating.result() == [step.name for step in released_steps()[2:]]


# A library in another shape


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("alter table public.works rename column title to name", r"have no works\.title"),
        ("alter table public.editions drop column language", r"have no editions\.language"),
        ("alter table public.library_items drop constraint library_items_pkey cascade, alter id drop default,"
         " alter id type text", r"not of type uuid: library_items\.id"),
    ],
    ids=["renamed", "gone", "another type"],
)  # fmt: skip
def test_a_library_that_does_not_fit_is_told_before_anything_is_tried(host, change, told) -> None:
    """By --check as well."""
    with host.connect() as connection:
        connection.execute(change)
    for attempt in (plan, migrate):
        with pytest.raises(MigrationError, match=told):
            attempt(host.url)
    assert host.query("select to_regnamespace('enrichment') as there") == [{"there": None}]


# Release 0, half or bent


@pytest.mark.parametrize("files", [2, 3, 5, 15])
def test_release_0_that_was_applied_half_way_has_a_way_out(host, files) -> None:
    """A sentence with what is missing, and what it advises works."""
    with host.connect() as connection:
        for text in list(release_0.files().values())[:files]:
            connection.execute(text.encode())
    for attempt in (plan, migrate):
        with pytest.raises(OlderThanRelease0, match="older than what can be taken over, or half") as error:
            attempt(host.url)
    assert "uninstall --keep-data" in str(error.value.hint)
    host.uninstall(keep_data=True)
    assert host.install() == NAMES


def test_release_0_that_lacks_its_last_files_is_made_whole(host, stack, make_host) -> None:
    """Where every table is there, the rest can be made."""
    with host.connect() as connection:
        for text in list(release_0.files().values())[:19]:
            connection.execute(text.encode())
    assert migrate(host.url) == NAMES
    new = make_host()
    new.install()
    there, here = (catalogue(stack.superuser_url(each.name)) for each in (host, new))
    assert differences(there, here) == []


@pytest.mark.parametrize(
    "bend",
    [
        "drop policy enrichment_queue_of_own_library on public.enrichment_queue",
        "drop index public.queue_due",
        "drop view enrichment.shelf_lines",
        "drop trigger queue_rows_start_as_pending on public.enrichment_queue",
        "drop function public.prune_enrichment();"
        "create function public.prune_enrichment() returns int language sql as 'select 1'",
        "alter function enrichment.fold_text(text) security definer",
    ],
)
def test_release_0_with_something_of_ours_gone_or_bent_is_made_whole(
    old_host, stack, make_host, bend
) -> None:
    """What somebody dropped or changed is as released afterwards."""
    with old_host.connect() as connection:
        connection.execute(bend)
    said: list[str] = []
    assert migrate(old_host.url, said.append) == NAMES
    assert not any("skipping" in sentence for sentence in said), "what Postgres remarks is not ours to say"
    new = make_host()
    new.install()
    there, here = (catalogue(stack.superuser_url(each.name)) for each in (old_host, new))
    assert differences(there, here) == []


def test_a_view_of_the_hosts_on_a_view_of_ours_is_named(old_host) -> None:
    """A step that replaces the view stops there; Postgres' own advice would lose the host's view."""
    with old_host.connect() as connection:
        connection.execute("create view public.theirs as select * from enrichment.shelf_lines")
    with pytest.raises(MigrationError, match=r"theirs depends on") as error:
        migrate(old_host.url)
    assert error.value.hint == "drop these first, and make them again afterwards"


ONE_OF_THREE = """
import sys
from book_enrichment.migrate import migrate
print(",".join(migrate(sys.argv[1])))
"""


@pytest.mark.parametrize("begins_with", ["host", "old_host"], ids=["nothing", "release 0"])
def test_three_processes_take_turns(request, begins_with) -> None:
    """Each step, the take-over included, is done once, and all of them end well."""
    host = request.getfixturevalue(begins_with)
    command = [sys.executable, "-c", ONE_OF_THREE, host.url]
    three = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    done = [process.communicate(timeout=120)[0].strip() for process in three]
    assert [process.returncode for process in three] == [0, 0, 0]
    assert sorted(name for names in done for name in names.split(",") if name) == NAMES


def test_what_was_looked_at_before_the_lock_is_looked_at_again(old_host) -> None:
    """Another process takes the project over between this one's look and its turn."""
    with psycopg.connect(old_host.url) as other:
        other.execute("select pg_advisory_xact_lock(7220419)")
        command = [sys.executable, "-c", ONE_OF_THREE, old_host.url]
        waiting = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        waits = "select count(*) as n from pg_locks where locktype = 'advisory' and not granted"
        while old_host.query(waits) != [{"n": 1}]:
            assert waiting.poll() is None
        baseline = released_steps()[0]
        from book_enrichment.migrate.release_0 import take_over

        list(take_over(other, baseline))
        other.commit()
    assert waiting.communicate(timeout=60)[0].strip() == ",".join(NAMES[1:])


# Rights, histories, jobs


@pytest.mark.parametrize("state", ["release 0", "this version", "kept data"])
@pytest.mark.parametrize("attempt", [plan, migrate], ids=["--check", "migrate"])
def test_a_role_without_rights_is_told_in_every_state(old_host, stack, state, attempt) -> None:
    """No traceback, and whom to connect as."""
    if state != "release 0":
        migrate(old_host.url)
    if state == "kept data":
        old_host.uninstall(keep_data=True)
    with stack.cluster.superuser(old_host.name) as connection:
        connection.execute("create role weak login password 'weak'")
    try:
        weak = old_host.url.replace("postgres:" + stack.secrets.postgres_password, "weak:weak")
        with pytest.raises(MigrationError) as error:
            attempt(weak)
        assert "connect as role postgres" in str(error.value.hint)
    finally:
        with stack.cluster.superuser(old_host.name) as connection:
            connection.execute("drop role weak")


def test_a_history_of_an_older_cli_is_none_of_our_business(host) -> None:
    """It has versions and no names: installing, upgrading and leaving pass it by."""
    with host.connect() as connection:
        connection.execute(
            "create schema supabase_migrations;"
            "create table supabase_migrations.schema_migrations (version text primary key);"
            "insert into supabase_migrations.schema_migrations values ('20260220120000')"
        )
    assert host.install() == NAMES
    host.uninstall()
    assert host.query("select version from supabase_migrations.schema_migrations") == [
        {"version": "20260220120000"}
    ]


def test_a_job_of_another_owner_does_not_keep_us_here(cron_stack) -> None:
    """It is named, for whoever may unschedule it. (Tried in a transaction that is rolled back.)"""
    said: list[str] = []
    with psycopg.connect(cron_stack.superuser_url()) as connection:
        connection.add_notice_handler(lambda notice: said.append(notice.message_primary or ""))
        connection.execute(
            "update cron.job set username = 'supabase_admin' where jobname = 'enrichment-sweep'"
        )
        connection.execute("set role postgres")
        connection.execute((SQL / "uninstall.sql").read_bytes())
        connection.execute("reset role")
        left = connection.execute("select jobname from cron.job").fetchall()
        connection.rollback()
    assert left == [("enrichment-sweep",)]
    assert any("job enrichment-sweep stays" in sentence for sentence in said)


# Data that was kept


def test_kept_data_is_not_forgotten_by_a_push(host) -> None:
    """Our files pushed by the CLI over kept data stop and name the command that takes it back."""
    host.install()
    host.uninstall(keep_data=True)
    with (
        host.connect() as connection,
        pytest.raises(psycopg.Error, match="`book-enrichment migrate` installs and"),
    ):
        connection.execute(released_steps()[0].text.encode())
    assert host.install() == NAMES


def test_leaving_after_data_was_kept_on_an_empty_project_leaves_nothing(make_host) -> None:
    """What installing had brought is still known then; and it says what goes."""
    host = make_host(bare=True)
    schema = host.schema()
    host.install()
    host.uninstall(keep_data=True)
    assert "what an earlier uninstall had kept is gone too" in host.uninstall()
    assert host.schema() == schema
