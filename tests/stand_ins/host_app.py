"""A book app's database as it was before us: host.sql, in both default-privilege modes."""

import contextlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from book_enrichment.migrate import uninstall
from packages import POSTGRES_BIN
from stack import Stack

HOST = Path(__file__).with_name("host.sql")
ONLY_NEWEST = """
drop table public.library_item_enrichment_audit_log, public.library_item_enrichment_tasks;
drop table public.enrichment_no_match_cache, public.enrichment_provider_daily_usage;
drop type public.enrichment_task_status, public.enrichment_task_confidence, public.enrichment_trigger_source,
    public.enrichment_audit_action;
alter table public.users drop column enable_google_books;
"""
ADA = "aaaaaaaa-0000-4000-8000-000000000001"
BOB = "aaaaaaaa-0000-4000-8000-000000000002"


def _acting(connection: Any, role: str, reader: str | None) -> Any:
    """The connection, from now on that of an API role and, if one is named, of a reader."""
    claims = {"role": role} | ({"sub": reader} if reader else {})
    connection.execute("select set_config('request.jwt.claims', %s, false)", [json.dumps(claims)])
    connection.execute(f"set role {role}")
    return connection


@dataclass(frozen=True)
class HostApp:
    """A book app's database."""

    stack: Stack
    name: str

    @classmethod
    def create(
        cls, stack: Stack, name: str, default_grants: bool = True, newest: bool = True, bare: bool = False
    ) -> "HostApp":
        """A new one, not yet ours: the newest version of the app, an older one, or none at all (`bare`)."""
        stack.create_database(name, default_grants=default_grants)
        host = cls(stack, name)
        with host.connect() as connection:
            if not bare:
                connection.execute(HOST.read_bytes())
            if not newest:
                connection.execute(ONLY_NEWEST)
        return host

    def copy(self, name: str) -> "HostApp":
        """Another one that holds the same."""
        self.stack.create_database(name, template=self.name)
        return HostApp(self.stack, name)

    @property
    def url(self) -> str:
        """The database's address for role postgres."""
        return self.stack.database_url(self.name)

    @contextlib.contextmanager
    def connect(self, role: str = "postgres", reader: str | None = None) -> Iterator[Any]:
        """A connection in autocommit, acting as an API role and, if one is named, for a reader."""
        with psycopg.connect(self.url, autocommit=True, row_factory=dict_row) as connection:
            yield _acting(connection, role, reader)

    @contextlib.contextmanager
    def rehearsal(self) -> Iterator["HostApp"]:
        """The same database within one transaction, in which now() stands still. What is done to it there
        has never happened."""
        with self.connect() as connection, connection.transaction(force_rollback=True):
            yield _Rehearsal(self.stack, self.name, connection)

    def call(self, verb: str, role: str = "service_role", reader: str | None = None, **arguments: Any) -> Any:
        """The rows of a public function, called as that role."""
        named = ", ".join(f"{name} => %({name})s" for name in arguments)
        adapted = {
            name: Jsonb(value) if name in ("rows", "results", "changes") else value
            for name, value in arguments.items()
        }
        with self.connect(role, reader) as connection:
            return connection.execute(f"select * from public.{verb}({named})", adapted).fetchall()

    def query(self, query: str, *arguments: Any) -> Any:
        """The rows of any query of the database's owner."""
        with self.connect() as connection:
            return connection.execute(query, arguments or None).fetchall()

    def schema(self, *tables: str) -> list[str]:
        """The statements with which pg_dump would make these tables of public, or all but the log of
        migrations."""
        command = [POSTGRES_BIN / "pg_dump", "--schema-only", "--exclude-schema=supabase_migrations"]
        command += [f"--table=public.{table}" for table in tables]
        dump = subprocess.run(
            [*command, self.stack.superuser_url(self.name)], check=True, capture_output=True, text=True
        )
        # The commas of a column list, pg_dump's own settings and the token around a dump mean nothing.
        lines = (line.rstrip().rstrip(",") for line in dump.stdout.splitlines())
        kept = (line for line in lines if line and not line.startswith(("--", "\\", "SET ")))
        return "".join(f"{line}\n" for line in kept).split(";\n")

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """Every row of every table of the host's, with our three columns left out."""
        tables = self.query(
            """
            select tablename as name from pg_tables
            where schemaname = 'public' and tablename not in ('enrichment_queue', 'enrichment_audit_log')
            order by 1
            """
        )
        ours = ["enrichment_status", "enrichment_confidence", "last_enriched_at"]
        rows = {}
        for table in tables:
            select = f"select to_jsonb(t) - %s::text[] as row from public.{table['name']} as t"
            found = [each["row"] for each in self.query(select, ours)]
            rows[table["name"]] = sorted(found, key=lambda row: json.dumps(row, sort_keys=True))
        return rows

    def install(self) -> list[str]:
        """Applies the migrations, as `book-enrichment migrate` does; the names of those applied."""
        return self.stack.migrate(self.name)

    def uninstall(self, keep_data: bool = False) -> list[str]:
        """Takes everything out, as `book-enrichment uninstall` does; what it said."""
        said: list[str] = []
        uninstall(self.url, keep_data, said.append)
        return said


@dataclass(frozen=True)
class _Rehearsal(HostApp):
    connection: psycopg.Connection[dict[str, Any]]

    @contextlib.contextmanager
    def connect(self, role: str = "postgres", reader: str | None = None) -> Iterator[Any]:
        with self.connection.transaction():
            yield _acting(self.connection, role, reader)
            self.connection.execute("set role none")
