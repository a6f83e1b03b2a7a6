"""What `make lint` and `make pgtap` run against a real database, next to the linters that read files only.

Both work in the test cluster (`.local/test`), in its database `postgres`, which has pg_cron and every
migration; when a migration was edited, that database is made anew first.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from packages import ROOT, PlatformError, node, say, supabase_cli
from stack import Stack, refuse_foreign_project

PGTAP = ROOT / "supabase" / "tests"
HELPERS = PGTAP / "helpers.sql"
OURS = ["public", "enrichment"]

# Every function of ours, a trigger function once per table it fires on. plpgsql_check reads the body as
# Postgres will run it; all warnings are on, so performance and security findings count as well.
PLPGSQL_FINDINGS = """
with functions as (
    select p.oid, coalesce(t.tgrelid, 0) as relation
    from pg_proc as p
    join pg_language as l on l.oid = p.prolang
    left join pg_trigger as t on t.tgfoid = p.oid and not t.tgisinternal
    where p.pronamespace::regnamespace::text = any(%s)
        and l.lanname = 'plpgsql'
        and (p.prorettype <> 'trigger'::regtype or t.tgrelid is not null)
    group by p.oid, t.tgrelid
)

select f.oid::regprocedure::text, c.lineno, c.level, c.message, coalesce(c.hint, c.detail, '')
from functions as f
cross join lateral extensions.plpgsql_check_function_tb(f.oid, f.relation, all_warnings => true) as c
order by 1, 2
"""

UNUSED_TRIGGER_FUNCTIONS = """
select p.oid::regprocedure::text, 0, 'warning', 'trigger function without a trigger', ''
from pg_proc as p
where p.pronamespace::regnamespace::text = any(%s) and p.prorettype = 'trigger'::regtype
    and not exists (select from pg_trigger as t where t.tgfoid = p.oid)
"""


@contextmanager
def migrated_database() -> Iterator[tuple[Stack, str]]:
    """The test cluster, its database `postgres` with the present migrations, and that database's address."""
    stack = Stack("test", durable=False)
    stack.up(rest=False, rebuild=True)
    try:
        yield stack, stack.database_url()
    finally:
        stack.down_if_unused()


def pgtap() -> list[str]:
    """Runs the pgTAP files under supabase/tests as role postgres, the helper verbs loaded first."""
    refuse_foreign_project("the tests")
    files = [str(file.relative_to(ROOT)) for file in sorted(PGTAP.rglob("*.sql")) if file != HELPERS]
    if not files:
        say("No pgTAP tests in supabase/tests yet.")
        return []
    with migrated_database() as (stack, url):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("drop schema if exists tests cascade")
            if HELPERS.exists():
                connection.execute(HELPERS.read_bytes())
        server = ["--host", "127.0.0.1", "--port", str(stack.cluster.port), "--username", "postgres"]
        environment = os.environ | {"PGPASSWORD": stack.secrets.postgres_password}
        done = subprocess.run(
            ["pg_prove", "--dbname", "postgres", *server, *files], cwd=ROOT, env=environment
        )
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("drop schema if exists tests cascade")
    return [] if done.returncode == 0 else ["pg_prove"]


def lint() -> list[str]:
    """Every linter, all of them even if one fails. Answers the names of those that found something."""
    bin = Path(sys.executable).parent
    failed = []

    def step(name: str, check: Callable[[], bool]) -> None:
        start = time.monotonic()
        passed = check()
        say(f"{name:20} {'ok' if passed else 'FAILED'}  ({time.monotonic() - start:.1f} s)")
        if not passed:
            failed.append(name)

    def program(*command: str) -> Callable[[], bool]:
        return lambda: _run_quietly([str(bin / command[0]), *command[1:]])

    step("ruff check", program("ruff", "check", "--quiet", "--output-format=concise"))
    step("ruff format", program("ruff", "format", "--quiet", "--check"))
    step("mypy", program("mypy"))
    step("node --check", _scripts_are_modules)
    step("sqlfluff", program("sqlfluff", "lint", "--disable-progress-bar", "supabase/schemas"))
    with migrated_database() as (stack, url):
        step("plpgsql_check", lambda: _plpgsql_check(stack))
        target = [f"--remote={url}?sslmode=disable", "--yes", "--agent=no", f"--workdir={ROOT}"]
        level = ["--level", "warning", "--fail-on", "warning"]
        cli = supabase_cli()
        schemas = ["--schema", ",".join(OURS)]
        step("supabase db lint", lambda: _run_quietly([*cli, "db", "lint", *target, *schemas, *level]))
        level = ["--level", "warn", "--fail-on", "warn"]
        step("supabase db advisors", lambda: _run_quietly([*cli, "db", "advisors", *target, *level]))
    return failed


def _scripts_are_modules() -> bool:
    """The page has no build step that would find a slip."""
    passed = True
    for file in sorted((ROOT / "python_client" / "book_enrichment" / "web" / "static").rglob("*.js")):
        command = [str(node()), "--check", "--input-type=module"]
        done = subprocess.run(command, stdin=file.open("rb"), capture_output=True, text=True)
        if done.returncode != 0:
            print(f"{file.relative_to(ROOT)}: {done.stderr}", flush=True)
            passed = False
    return passed


def _plpgsql_check(stack: Stack) -> bool:
    with stack.cluster.superuser() as connection:
        findings = [
            row
            for query in (PLPGSQL_FINDINGS, UNUSED_TRIGGER_FUNCTIONS)
            for row in connection.execute(query, (OURS,)).fetchall()
        ]
    for function, line, level, message, hint in findings:
        print(f"{function}:{line}: {level}: {message} {hint}".rstrip())
    return not findings


def _run_quietly(command: list[str]) -> bool:
    """Runs a program in the repository and shows its output only if it fails."""
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        print(done.stdout + done.stderr, flush=True)
    return done.returncode == 0


def main() -> None:
    """`checks.py lint` or `checks.py pgtap`; exits with 1 when something was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("check", choices=["lint", "pgtap"])
    try:
        failed = {"lint": lint, "pgtap": pgtap}[parser.parse_args().check]()
    except (PlatformError, psycopg.OperationalError) as error:
        sys.exit(str(error))
    if failed:
        sys.exit(f"Failed: {', '.join(failed)}.")


if __name__ == "__main__":
    main()
