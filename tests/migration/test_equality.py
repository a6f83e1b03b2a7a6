"""The truth and its history agree: supabase/schemas say what is, supabase/migrations how it came there."""

import hashlib
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest

import generated
from book_enrichment.migrate import released_steps
from book_enrichment.migrate.steps import BASELINE, MARK, bodies_in, checksum, definition
from catalogue import JOBS, catalogue, differences, shipped_rows
from drafting import draft, load_schemas, read_released
from packages import ROOT
from stack import MIGRATIONS, Stack

# One of each kind that a step may forget.
SLIPS = {
    "a function's body": "create or replace function enrichment.uuid_v7() returns uuid language sql volatile "
    "parallel safe set search_path = '' as 'select gen_random_uuid()'",
    "a function's settings": "alter function enrichment.parse_records(uuid[]) set jit = off",
    "a column": "alter table enrichment.settings add column colour text",
    "a default": "alter table enrichment.settings alter column batch_size drop default",
    "a constraint": "alter table enrichment.settings drop constraint settings_batch_size_check",
    "an index": "drop index public.queue_by_work",
    "an index's columns": "drop index public.queue_due; "
    "create index queue_due on public.enrichment_queue (priority, next_attempt_after) where is_open",
    "an enum's values": "alter type enrichment.trigger_source add value 'whim'",
    "a type's columns": "alter type enrichment.pruned add attribute colour text",
    "a view": "alter view enrichment.overview set (security_invoker = false)",
    "a trigger": "alter table public.enrichment_queue disable trigger queue_rows_wake_workers",
    "a policy": "alter policy enrichment_queue_of_own_library on public.enrichment_queue using (true)",
    "row level security": "alter table enrichment.settings disable row level security",
    "a grant on a function": "grant execute on function public.prune_enrichment() to authenticated",
    "a grant on a table": "grant insert on public.enrichment_queue to service_role",
    "a grant on a column": "grant select (import_id) on public.enrichment_queue to authenticated",
    "a grant on the schema": "grant usage on schema enrichment to anon",
    "a comment": "comment on table enrichment.settings is 'Numbers.'",
    "the publication": "alter publication supabase_realtime drop table public.enrichment_queue",
    "the library's tables": "alter table public.works alter column title drop not null",
}
ROW_SLIPS = {
    "a setting": "update enrichment.settings set batch_size = batch_size + 1",
    "a provider": "update enrichment.providers set burst_size = burst_size + 1",
    "a placeholder": "delete from enrichment.placeholder_images",
    "the bucket": "update storage.buckets set public = false",
}


@pytest.fixture(scope="module")
def by_schemas(stack: Stack) -> Iterator[str]:
    """The name of a database that the schema files have made."""
    name = f"pytest_{os.getpid()}_schemas"
    stack.drop_database(name)
    stack.create_database(name)
    load_schemas(stack.database_url(name))
    yield name
    stack.drop_database(name)


@pytest.fixture(scope="module")
def copy(stack: Stack) -> Iterator[str]:
    """The name of a database that the migrations have made, to be spoilt."""
    name = f"pytest_{os.getpid()}_spoilt"
    stack.drop_database(name)
    stack.create_database(name, template=stack.migrated_template())
    yield name
    stack.drop_database(name)


def test_both_make_the_same_catalogue(stack, by_schemas) -> None:
    """Tables, columns, defaults, constraints, indexes, bodies, types, views, triggers, policies, grants,
    comments, publications."""
    migrated = catalogue(stack.superuser_url(stack.migrated_template()))
    assert len(migrated) > 1000
    assert differences(migrated, catalogue(stack.superuser_url(by_schemas))) == []


def test_both_ship_the_same_rows(stack, by_schemas) -> None:
    """Settings, providers, placeholders, the bucket."""
    migrated = shipped_rows(stack.superuser_url(stack.migrated_template()))
    assert all(migrated.values())
    assert migrated == shipped_rows(stack.superuser_url(by_schemas))


def test_both_schedule_the_same_jobs(cron_stack) -> None:
    """Seen in the one database that has pg_cron, in a transaction that is rolled back."""
    with psycopg.connect(cron_stack.database_url()) as connection:
        by_migrations = connection.execute(JOBS).fetchall()
        connection.execute((ROOT / "supabase" / "uninstall.sql").read_bytes())
        assert connection.execute(JOBS).fetchall() == []
        connection.execute(definition().encode())
        assert len(by_migrations) == 3
        assert connection.execute(JOBS).fetchall() == by_migrations
        connection.rollback()


@pytest.mark.parametrize("slip", SLIPS)
def test_what_a_step_forgets_is_noticed(stack, by_schemas, copy, slip) -> None:
    """Each kind of thing that two databases may differ in."""
    stack.drop_database(copy)
    stack.create_database(copy, template=stack.migrated_template())
    with psycopg.connect(stack.database_url(copy), autocommit=True) as connection:
        connection.execute(SLIPS[slip])
    there = catalogue(stack.superuser_url(copy))
    assert len(differences(there, catalogue(stack.superuser_url(by_schemas)))) in (1, 2)


@pytest.mark.parametrize("slip", ROW_SLIPS)
def test_a_row_that_a_step_forgets_is_noticed(stack, by_schemas, copy, slip) -> None:
    """Each table we ship rows in."""
    stack.drop_database(copy)
    stack.create_database(copy, template=stack.migrated_template())
    with psycopg.connect(stack.database_url(copy), autocommit=True) as connection:
        connection.execute(ROW_SLIPS[slip])
    assert shipped_rows(stack.superuser_url(copy)) != shipped_rows(stack.superuser_url(by_schemas))


def test_nothing_is_left_to_draft() -> None:
    """`make migration` finds no difference that a step would have to carry: its body is empty."""
    text = draft(len(released_steps()) + 1, "20990101000000_nothing")
    body = text.partition("set check_function_bodies = off;")[2].partition("reset check_function_bodies;")[0]
    assert body.strip() == ""


def test_released_files_are_as_they_were_released() -> None:
    """supabase/released.sha256 has each file that was released, to the byte."""
    released = read_released()
    assert f"{BASELINE}.sql" in released
    for name, digest in released.items():
        assert hashlib.sha256((MIGRATIONS / name).read_bytes()).hexdigest() == digest, name


def test_each_step_bears_a_true_time_and_writes_its_own_row() -> None:
    """The CLI orders by these times; the row says which version the step makes, and of what text."""
    for number, step in enumerate(released_steps(), start=1):
        moment = datetime.strptime(step.cli_version, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        assert moment < datetime.now(UTC)
        assert re.fullmatch(r"[a-z0-9_]+", step.cli_name)
        mark = MARK.search(step.text)
        assert mark is not None, step.name
        assert (int(mark["version"]), mark["name"]) == (number, step.name)
        assert mark["checksum"] == checksum(step.text[: mark.start()]), f"make migration seals {step.name}"
        assert 1 <= step.works_with <= number
        assert "TODO" not in step.text


@pytest.mark.parametrize("file", generated.FILES, ids=lambda file: file.stem)
def test_what_comes_from_lists_is_generated_anew(file) -> None:
    """`make generated` was run after a list changed."""
    assert file.read_text(encoding="utf-8") == generated.FILES[file]()


async def test_the_package_knows_every_body(connect) -> None:
    """What doctor compares is what Postgres has: each function of ours, by its name, in this version's
    words."""
    rows = await (
        await (await connect()).execute(
            """
            select format('%s.%s', p.pronamespace::regnamespace, p.proname) as name,
                md5(p.prosrc || case when p.prosecdef then ' security definer' else '' end) as digest
            from pg_proc as p where p.pronamespace in ('enrichment'::regnamespace, 'public'::regnamespace)
            """
        )
    ).fetchall()
    assert {row["name"]: row["digest"] for row in rows} == bodies_in(definition())
