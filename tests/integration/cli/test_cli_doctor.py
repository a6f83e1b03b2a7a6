"""The doctor: every broken setup we could think of gets the line that says what to do."""

import json
import os
import uuid

import jwt
import psycopg
import pytest

CONTACT = "library@readers.dev"


def checks(result) -> dict[str, dict[str, str]]:
    """What `doctor --json` found, by name; each name comes once."""
    found = json.loads(result.stdout)["checks"]
    assert len({check["name"] for check in found}) == len(found)
    return {check["name"]: check for check in found}


def broken(result, name: str) -> str:
    """The message and hint of the one check that fails, and nothing else may."""
    assert result.exit_code == 1, result.output
    found = checks(result)
    assert [check["name"] for check in found.values() if check["state"] == "fail"] == [name], found
    assert json.loads(result.stdout)["state"] == "fail"
    return f"{found[name]['message']} → {found[name]['hint']}"


@pytest.fixture
def healthy(run, database_url):
    """A project that lacks nothing but pg_cron, which these databases do not have."""
    with psycopg.connect(database_url) as connection:
        change = json.dumps({"contact": CONTACT, "auto_enabled": True})
        connection.execute("select public.configure_enrichment(%s::jsonb)", [change])
    return run


def test_nothing_fails_in_a_healthy_project(healthy) -> None:
    """Exit 0; pg_cron is missed, and said to be."""
    result = healthy("doctor", "--json")
    assert result.exit_code == 0, result.output
    found = checks(result)
    assert {"transport", "connection", "migrations", "contact", "provider openlibrary", "claims"} <= set(
        found
    )
    assert {name for name, check in found.items() if check["state"] != "ok"} <= {"pg_cron", "realtime"}
    assert "schedule_jobs" in found["pg_cron"]["hint"]
    told = healthy("doctor").stdout
    assert "Open Library" not in told
    assert "→ enable pg_cron" in " ".join(told.split())


def test_without_variables_it_says_which(invoke) -> None:
    """The first thing anyone meets."""
    told = broken(invoke("doctor", "--json"), "connection")
    assert "DATABASE_URL" in told
    assert "SUPABASE_SERVICE_ROLE_KEY" in told


def test_a_wrong_variable_is_named_without_its_value(invoke, monkeypatch) -> None:
    """It might be a key in the wrong place."""
    monkeypatch.setenv("ENRICHMENT_BATCH_SIZE", "sesame")
    result = invoke("doctor", "--json")
    assert "ENRICHMENT_BATCH_SIZE" in broken(result, "environment")
    assert "sesame" not in result.output


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"DATABASE_URL": "postgresql://postgres:secret@127.0.0.1:1/postgres"}, "refused"),
        ({"DATABASE_URL": "postgresql://postgres:secret@no-such-host.invalid/postgres"}, "no-such-host"),
        ({"SUPABASE_URL": "http://127.0.0.1:1", "SUPABASE_SERVICE_ROLE_KEY": "sb_secret_x"}, "PostgREST"),
    ],
)
def test_a_database_that_is_away_is_told_with_the_reason(invoke, monkeypatch, variables, told) -> None:
    """And never with the password."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    result = invoke("doctor", "--json")
    assert told in broken(result, "connection")
    assert "secret@" not in result.output


@pytest.mark.parametrize(
    ("variable", "value"),
    [("DATABASE_URL", "postgresql//postgres:sesame"), ("SUPABASE_URL", "sesame.supabase.co")],
)
def test_an_address_that_is_none_is_told(invoke, monkeypatch, variable, value) -> None:
    """By the name of its variable: the value may hold a password."""
    monkeypatch.setenv(variable, value)
    result = invoke("doctor", "--json")
    assert variable in broken(result, "environment")
    assert "sesame" not in result.output


def test_a_wrong_password_is_told(invoke, monkeypatch, database_url) -> None:
    """Not only that no connection came within five seconds."""
    monkeypatch.setenv("DATABASE_URL", psycopg.conninfo.make_conninfo(database_url, password="sesame"))
    result = invoke("doctor", "--json")
    assert "password authentication failed" in broken(result, "connection")
    assert "sesame" not in result.output


def test_the_anon_key_is_not_the_service_key(by_http, monkeypatch, anon_key) -> None:
    """What it would fail with later is seen in the key itself, and the project agrees."""
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", anon_key)
    result = by_http("doctor", "--json")
    assert result.exit_code == 1
    assert "role anon" in result.stdout
    assert anon_key not in result.output


def test_a_key_of_another_project_is_refused(by_http, monkeypatch) -> None:
    """Its signature is not ours."""
    foreign = jwt.encode({"role": "service_role"}, "the secret of somebody else's project", algorithm="HS256")
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", foreign)
    result = by_http("doctor", "--json")
    assert result.exit_code == 1
    assert "the project refuses" in result.stdout


def test_a_secret_key_that_would_be_shown_to_everybody_is_noticed(healthy, monkeypatch, service_key) -> None:
    """SUPABASE_ANON_KEY goes to every browser."""
    monkeypatch.setenv("SUPABASE_ANON_KEY", service_key)
    monkeypatch.setenv("SUPABASE_JWT_SECRET", "x" * 32)
    found = checks(healthy("doctor", "--json"))
    assert found["serve"]["state"] == "fail"
    assert "secret" in found["serve"]["message"]


@pytest.mark.parametrize("key", ["sb_publishable_abc", "sesame", "a.b.c"])
def test_what_is_no_service_key_is_seen(by_http, monkeypatch, key) -> None:
    """By its form."""
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", key)
    result = by_http("doctor", "--json")
    assert result.exit_code == 1
    assert (
        next(each["state"] for each in json.loads(result.stdout)["checks"] if each["name"] == "key") == "fail"
    )


@pytest.mark.parametrize("transport", ["postgres", "postgrest"])
def test_missing_migrations_are_told(invoke, stack, monkeypatch, transport) -> None:
    """A project where nobody has applied them yet."""
    name = f"pytest_{os.getpid()}_{uuid.uuid4().hex}"
    url = stack.create_database(name)
    try:
        if transport == "postgres":
            monkeypatch.setenv("DATABASE_URL", url)
        else:
            monkeypatch.setenv("SUPABASE_URL", stack.rest(name).url)
            monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", stack.service_key)
        assert "book-enrichment migrate" in broken(invoke("doctor", "--json"), "migrations")
    finally:
        stack.drop_database(name)


def test_a_verb_that_is_missing_is_named(direct, stack, monkeypatch) -> None:
    """The database is older than the client."""
    name = f"pytest_{os.getpid()}_{uuid.uuid4().hex}"
    url = stack.create_database(name, template=stack.migrated_template())
    try:
        with psycopg.connect(url) as connection:
            connection.execute("drop function public.lock_fields")
            connection.execute('select public.configure_enrichment(\'{"contact": "library@readers.dev"}\')')
        monkeypatch.setenv("DATABASE_URL", url)
        assert "lock_fields" in broken(direct("doctor", "--json"), "migrations")
    finally:
        stack.drop_database(name)


def test_no_contact_is_to_be_mended(run) -> None:
    """Open Library is not asked without one."""
    assert "ENRICHMENT_CONTACT" in broken(run("doctor", "--json"), "contact")


def test_what_is_set_here_and_not_yet_there_is_told(run, monkeypatch) -> None:
    """The next worker writes it; until then the database does not know."""
    monkeypatch.setenv("ENRICHMENT_CONTACT", CONTACT)
    monkeypatch.setenv("ENRICHMENT_AUTO_ENABLED", "true")
    monkeypatch.setenv("ENRICHMENT_BATCH_SIZE", "20")
    monkeypatch.setenv("ENRICHMENT_AUTO_APPLY_COVERS", "true")  # which it is
    result = run("doctor", "--json")
    assert result.exit_code == 0, result.output
    found = checks(result)
    for name, variable in (
        ("contact", "CONTACT"),
        ("automatic", "AUTO_ENABLED"),
        ("flags", "BATCH_SIZE"),
    ):
        assert found[name]["state"] == "warn"
        assert found[name]["message"] == f"ENRICHMENT_{variable} is set here, and not yet in the database"


def test_a_pg_cron_that_cannot_be_read_is_looked_past(healthy, stack, database, database_url) -> None:
    """It may be closed to the role that applies migrations, or of another version."""
    with stack.cluster.superuser(database) as connection:
        connection.execute("create schema cron create table job ()")
        try:
            found = checks(healthy("doctor", "--json"))
        finally:
            connection.execute("drop schema cron cascade")
    assert found["pg_cron"]["state"] == "warn"
    assert "cannot be read" in found["pg_cron"]["message"]


def test_thumbnails_need_the_storage_key(direct, database_url) -> None:
    """Storage speaks HTTP: a worker with DATABASE_URL alone cannot store covers."""
    with psycopg.connect(database_url) as connection:
        change = json.dumps({"contact": CONTACT, "cover_mode": "thumbnail"})
        connection.execute("select public.configure_enrichment(%s::jsonb)", [change])
    found = checks(direct("doctor", "--json"))
    assert found["covers from here"]["state"] == "warn"
    assert "SUPABASE_SERVICE_ROLE_KEY" in found["covers from here"]["message"]


def test_the_transaction_pooler_is_noticed(invoke, monkeypatch) -> None:
    """It takes LISTEN and never calls."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://postgres:x@127.0.0.1:6543/postgres")
    found = checks(invoke("doctor", "--json"))
    assert found["transport"]["state"] == "warn"
    assert "5432" in found["transport"]["hint"]


@pytest.fixture
def bent(stack, monkeypatch):
    """`bent(statement)` runs it in a database of its own, to which DATABASE_URL points from then on."""
    name = f"pytest_{os.getpid()}_{uuid.uuid4().hex}"
    url = stack.create_database(name, template=stack.migrated_template())

    def bent(statement: str) -> None:
        with psycopg.connect(url) as connection:
            connection.execute('select public.configure_enrichment(\'{"contact": "library@readers.dev"}\')')
            connection.execute(statement)
        monkeypatch.setenv("DATABASE_URL", url)

    yield bent
    stack.drop_database(name)


def checks_of(result) -> dict[str, dict[str, str]]:
    return {check["name"]: check for check in json.loads(result.stdout)["checks"]}


@pytest.mark.parametrize(
    ("statement", "name", "state", "told", "hint"),
    [
        (
            "create or replace function enrichment.isbn10_of(first_nine text) returns text language sql"
            " immutable parallel safe set search_path = '' as 'select null'",
            "functions",
            "warn",
            "enrichment.isbn10_of",
            "--restore",
        ),
        ("drop view enrichment.overview", "functions", "warn", "view enrichment.overview", "--restore"),
        ("drop function public.enrichment_health", "functions", "fail", "enrichment_health", "--restore"),
        ("drop function public.lock_fields", "migrations", "fail", "lock_fields", "--restore"),
        ("alter table public.works rename column title to name", "library", "fail", "works.title", "names"),
        ("alter table public.users rename to people", "library", "fail", "users.id", "names"),
        (
            "alter table enrichment.settings disable row level security",
            "row security",
            "fail",
            "enrichment.settings",
            "enable row level security",
        ),
        ("grant execute on function public.sweep_enrichment to anon", "rights", "fail", "sweep", "--restore"),
        (
            "revoke usage on schema enrichment from authenticated",
            "rights",
            "fail",
            "closed to readers: schema enrichment",
            "--restore",
        ),
        (
            "revoke select on public.enrichment_queue from authenticated;"
            "revoke execute on function enrichment.is_on_own_shelf from authenticated",
            "readers",
            "warn",
            "tried as a reader: permission denied",
            "--restore",
        ),
        ("delete from enrichment.schema_versions", "migrations", "fail", "is empty", "migrate"),
    ],
)
def test_what_was_bent_by_hand_is_named(invoke, bent, statement, name, state, told, hint) -> None:
    """And what it says to do about it is there."""
    bent(statement)
    check = checks_of(invoke("doctor", "--json"))[name]
    assert (check["state"], told in check["message"]) == (state, True), check
    assert hint in check["hint"]
