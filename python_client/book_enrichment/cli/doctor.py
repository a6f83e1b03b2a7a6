"""What keeps enrichment from working, and what to do about it.

The checks of the environment are made here, from the variables to the first answer of the database; those of
the database come from `enrichment_health`, which sees jobs, settings and rows. A check that cannot be made
any more because an earlier one failed is left out.
"""

from __future__ import annotations

import base64
import binascii
import inspect
import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

import psycopg
import typer
from psycopg.conninfo import conninfo_to_dict
from pydantic import ValidationError
from rich.table import Table

from book_enrichment.cli.common import (
    OPERATING,
    UNHEALTHY,
    AsJson,
    app,
    as_dicts,
    err,
    finish,
    out,
    plain,
    print_json,
    wrong_variables,
)
from book_enrichment.cli.showing import reason_lines
from book_enrichment.database import Database, NotConfigured, open_database
from book_enrichment.database.records import HealthCheck, Setting
from book_enrichment.errors import DatabaseUnavailable, EnrichmentError, Forbidden, VersionMismatch
from book_enrichment.handshake import MISSING_VERB, needed_version, refuse_mismatch
from book_enrichment.images import NEEDS_STORAGE, can_store
from book_enrichment.migrate.steps import expected_objects
from book_enrichment.settings import Settings

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}
CONNECT_SECONDS = 5
TRANSACTION_POOLER_PORT = 6543

# PostgREST refuses a JWT: not readable, of another project, expired.
KEY_REFUSED = ("PGRST301", "PGRST302", "PGRST303", "401")

# Why a provider is not asked, as the database's checks name it.
IN_BRACKETS = re.compile(r"\((\w+)\)")

# Which line of the database is about which flag of the environment.
FLAG_OF_CHECK = {"contact": "contact", "automatic": "auto_enabled"}


@app.command(
    rich_help_panel=OPERATING,
    epilog="Example: book-enrichment doctor   or, for a monitor: book-enrichment doctor --json",
)
def doctor(as_json: AsJson = False) -> None:
    """Check everything enrichment needs: variables, keys, connection, migrations, jobs, providers, room.

    One line each, ok, warn or fail, with what to do. Exit code 1 when a line says fail."""
    checks: list[HealthCheck] = []

    async def work() -> None:
        async for check in examination():
            checks.append(check)

    with err.status("looking …"):
        finish(work())
    worst = max((check.state for check in checks), key=list(COLOURS).index)
    if as_json:
        print_json({"state": worst, "checks": as_dicts(checks)})
    else:
        out.print(_table(checks))
        for line in reason_lines(word for check in checks for word in IN_BRACKETS.findall(check.message)):
            out.print(line)
    if worst == "fail":
        raise typer.Exit(UNHEALTHY)


async def examination() -> AsyncIterator[HealthCheck]:
    """Every check in the order in which one builds on the other."""
    try:
        settings = Settings()
    except ValidationError as error:
        yield fail("environment", wrong_variables(error), "correct these environment variables")
        return
    for check in transport_checks(settings):
        yield check
    yield serve_check(settings)
    try:
        if settings.database_url is not None:
            await _try_connection(settings.database_url.get_secret_value())
        async with open_database(settings) as database:
            async for check in database_checks(database, settings):
                yield check
    except NotConfigured as error:
        yield fail("connection", error.message, error.hint)
    except DatabaseUnavailable as error:
        yield fail(
            "connection",
            error.message,
            "check address and password; wake a paused project in the dashboard; "
            "direct connections of free projects are IPv6 only, the session pooler is not",
        )
    except EnrichmentError as error:
        yield refused(error, settings)


def transport_checks(settings: Settings) -> Iterator[HealthCheck]:
    """Which way leads to the database, and whether its key looks like one."""
    if settings.database_url is not None:
        url = settings.database_url.get_secret_value()
        if str(_port(url)) == str(TRANSACTION_POOLER_PORT):
            yield warn(
                "transport",
                "straight to Postgres (DATABASE_URL), but its transaction pooler cannot wake workers",
                "use the session pooler (port 5432), or live with a look every 30 s",
            )
        else:
            yield ok("transport", "straight to Postgres (DATABASE_URL)")
    elif settings.supabase_url is not None and settings.supabase_service_role_key is not None:
        if urlsplit(settings.supabase_url).path.strip("/"):
            yield warn(
                "transport", "SUPABASE_URL has a path behind the host", "give only https://<ref>.supabase.co"
            )
        else:
            yield ok("transport", "through PostgREST (SUPABASE_URL); --user needs DATABASE_URL")
        yield key_check(settings.supabase_service_role_key.get_secret_value())


def _port(url: str) -> object:
    try:
        return conninfo_to_dict(url).get("port")
    except psycopg.Error:
        return None


def key_check(key: str) -> HealthCheck:
    """Whether a key is the one of the service role, as far as it says itself."""
    where = "copy the service role (secret) key from the dashboard (Settings, API keys)"
    if key.startswith("sb_secret_"):
        return ok("key", "a secret key")
    if key.startswith("sb_publishable_"):
        return fail("key", "SUPABASE_SERVICE_ROLE_KEY holds the publishable key", where)
    claims = _claims(key)
    if claims is None:
        return fail("key", "SUPABASE_SERVICE_ROLE_KEY is no key that Supabase hands out", where)
    if claims.get("role") != "service_role":
        return fail(
            "key", f"SUPABASE_SERVICE_ROLE_KEY holds a key of role {plain(claims.get('role'))}", where
        )
    expires = claims.get("exp")
    if isinstance(expires, (int, float)) and expires < time.time():
        day = datetime.fromtimestamp(expires, UTC).date()
        return fail("key", f"the service role key expired on {day}", where)
    return ok("key", "the service role's")


def serve_check(settings: Settings) -> HealthCheck:
    """Whether `serve` could let readers in from here; all is fine where nobody means to serve."""
    try:
        from book_enrichment.api.auth import refuse_unverifiable
    except ImportError:
        return ok("serve", "its packages are not installed here: pip install 'book-enrichment[api]'")
    try:
        refuse_unverifiable(settings)
    except NotConfigured as error:
        if settings.supabase_anon_key or settings.supabase_jwt_secret:
            return fail("serve", error.message, error.hint)
        return ok("serve", f"not from here: {error.message}")
    if settings.supabase_url is None or settings.supabase_anon_key is None:
        return ok("serve", "without the page: it takes SUPABASE_URL and SUPABASE_ANON_KEY")
    return ok("serve", "readers can sign in")


def _claims(key: str) -> dict[str, object] | None:
    """What a JWT says, its signature not looked at: the project does that."""
    try:
        _, payload, _ = key.split(".")
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, binascii.Error):
        return None
    return claims if isinstance(claims, dict) else None


async def _try_connection(url: str) -> None:
    """One connection outside the pool, which would only say that it waited in vain."""
    try:
        connection = await psycopg.AsyncConnection.connect(url, connect_timeout=CONNECT_SECONDS)
        await connection.close()
    except psycopg.Error as error:
        raise DatabaseUnavailable(" ".join(str(error).split())) from error


async def database_checks(database: Database, settings: Settings) -> AsyncIterator[HealthCheck]:
    """What the database says about itself, seen together with this environment."""
    begin = time.monotonic()
    try:
        installed = await refuse_mismatch(database)
    except VersionMismatch as error:
        yield fail("migrations", error.message, error.hint)
        return
    yield ok("connection", f"answered in {(time.monotonic() - begin) * 1000:.0f} ms")
    needed = needed_version()
    yield ok("version", f"the database is at {installed.version}, this package was made for {needed}")
    objects = expected_objects() if installed.version == needed else None
    checks = await database.enrichment_health(verbs_called(), objects)
    pending = unwritten_flags(settings, await database.configure_enrichment())
    for check in checks:
        flag = FLAG_OF_CHECK.get(check.name)
        if flag in pending and check.state != "ok":
            yield unwritten(check.name, [pending.pop(flag)])
        elif (
            check.name == "provider googlebooks"
            and settings.google_books_api_key
            and "no key" in check.message
        ):
            yield unwritten(check.name, ["GOOGLE_BOOKS_API_KEY"])
        else:
            yield check
    if pending:
        yield unwritten("flags", list(pending.values()))
    if obstacle := await database.transport.obstacle_for_readers():
        yield warn(
            "readers",
            f"tried as a reader: {obstacle}",
            "book-enrichment migrate --restore gives the rights again",
        )
    stores = (await database.enrichment_covers()).cover_mode == "thumbnail"
    if stores and not can_store(settings):
        yield warn("covers from here", NEEDS_STORAGE, "set both where the worker runs")


def verbs_called() -> dict[str, list[str]]:
    """Each verb this client may call, with its parameters."""
    methods = inspect.getmembers(Database, inspect.iscoroutinefunction)
    return {
        name: list(inspect.signature(method).parameters)[1:]
        for name, method in methods
        if name != "call" and not name.startswith("_")
    }


def unwritten_flags(settings: Settings, in_database: list[Setting]) -> dict[str, str]:
    """Flags that this environment sets and the database has otherwise, with their variables."""
    there = {setting.name: setting.value for setting in in_database}
    here = {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in settings.flags().items()
    }
    return {name: f"ENRICHMENT_{name.upper()}" for name, value in here.items() if there.get(name) != value}


def unwritten(name: str, variables: list[str]) -> HealthCheck:
    """What is set here and will be written by the next worker."""
    listed = ", ".join(variables)
    verb = "is" if len(variables) == 1 else "are"
    message = f"{listed} {verb} set here, and not yet in the database"
    return warn(name, message, "a worker started here writes it: book-enrichment run")


def refused(error: EnrichmentError, settings: Settings) -> HealthCheck:
    """An error of the very first call, as the check that it answers."""
    by_http = settings.database_url is None
    if error.code in KEY_REFUSED or (by_http and error.code is None):  # the gateway names no code
        return fail(
            "key",
            f"the project refuses the service role key: {error.message}",
            "copy the one of this project from the dashboard (Settings, API keys)",
        )
    if isinstance(error, Forbidden):
        whose = "SUPABASE_SERVICE_ROLE_KEY" if by_http else "the role of DATABASE_URL"
        return fail(
            "key",
            f"{whose} may not call our verbs: {error.message}",
            "use the service role key, or role postgres",
        )
    if error.code in MISSING_VERB:
        return fail(
            "functions",
            f"a function this package needs is missing: {error.message}",
            "book-enrichment migrate --restore makes it as released",
        )
    return fail("connection", error.message, error.hint)


def ok(name: str, message: str) -> HealthCheck:
    """A line that is fine."""
    return HealthCheck(name, "ok", message, None)


def warn(name: str, message: str, hint: str | None) -> HealthCheck:
    """A line to look at."""
    return HealthCheck(name, "warn", message, hint)


def fail(name: str, message: str, hint: str | None) -> HealthCheck:
    """A line that keeps enrichment from working."""
    return HealthCheck(name, "fail", message, hint)


def _table(checks: list[HealthCheck]) -> Table:
    table = Table.grid(padding=(0, 2))
    for check in checks:
        told = plain(check.message) + (f"\n→ {plain(check.hint)}" if check.hint else "")
        table.add_row(f"[{COLOURS[check.state]}]{check.state}[/]", check.name, told)
    return table
