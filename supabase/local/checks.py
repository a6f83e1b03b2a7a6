"""What `make lint` and `make pgtap` run against a real database, next to the linters that read files only.

Both work in the test cluster (`.local/test`), in its database `postgres`, which has pg_cron and every
migration; when a migration was edited, that database is made anew first. pgTAP runs on Postgres 17 and 18 as
well, in clusters of their own (`.local/test-17`), without pg_cron.
"""

import argparse
import os
import re
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg

from bodies import too_long, write_bare
from packages import LOCAL, ROOT, PlatformError, biome, say, supabase_cli
from postgres import DEBIAN, MAJORS, Postgres
from shapes import GENERATED as RECORDS
from stack import Stack, refuse_foreign_project

PGTAP = ROOT / "supabase" / "tests"
SCHEMAS = ROOT / "supabase" / "schemas"
PAGE = ROOT / "python_client" / "book_enrichment" / "web" / "static"
PYTHON = (ROOT / "python_client", ROOT / "supabase", ROOT / "tests")
BARE = LOCAL / "bodies"
HELPERS = PGTAP / "helpers.sql"
SHOWN_SLOWEST = 10  # as pytest's --durations in the Makefile
TIMED = re.compile(r"\[[\d:]+\] (\S+) \.+ ok +(\d+) ms\b")  # how pg_prove --timer tells of a file
USES_CRON = re.compile(r"(?<!')\bcron\.\w")  # inside quotes it is a word our functions answer, not a table
OURS = ["public", "enrichment"]
# What the tests of package and API themselves need.
TEST_TOOLS = [
    "pytest",
    "pytest-asyncio",
    "pytest-timeout",
    "pytest-xdist",
    "hypothesis",
    "rapidfuzz",
    "psutil",
    "playwright",
]

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
def migrated_database(postgres: Postgres = DEBIAN) -> Iterator[tuple[Stack, str]]:
    """The test cluster, its database `postgres` with the present migrations, and that database's address."""
    name = "test" if postgres == DEBIAN else f"test-{postgres.major}"
    stack = Stack(name, durable=False, postgres=postgres)
    stack.up(rest=False, rebuild=True)
    try:
        yield stack, stack.database_url()
    finally:
        stack.down_if_unused()


def pgtap(paths: Sequence[str] = (), postgres: Postgres = DEBIAN) -> list[str]:
    """Runs the pgTAP files at `paths`, else all, as role postgres, the helper verbs loaded first.

    Those that need pg_cron are left out, and named in the end, where the database has none.
    """
    refuse_foreign_project("the tests")
    tests = sorted({test for path in paths or [str(PGTAP)] for test in pgtap_tests(path)})
    with migrated_database(postgres) as (stack, url):
        with psycopg.connect(url, autocommit=True) as connection:
            has_cron = connection.execute("select to_regclass('cron.job')").fetchone() != (None,)
            connection.execute("drop schema if exists tests cascade")
            if HELPERS.exists():
                connection.execute(HELPERS.read_bytes())
        server = ["--host", "127.0.0.1", "--port", str(stack.cluster.port), "--username", "postgres"]
        environment = os.environ | {"PGPASSWORD": stack.secrets.postgres_password}
        left_out = [] if has_cron else [test for test in tests if needs_cron(test)]
        files = [_name(test) for test in tests if test not in left_out]
        command = ["pg_prove", "--timer", "--dbname", "postgres", *server, *files]
        passed = bool(files) and _prove(command, environment)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("drop schema if exists tests cascade")
    if left_out:
        say(f"Left out, because there is no pg_cron here: {', '.join(map(_name, left_out))}.")
    return [] if passed else ["pg_prove" if files else "no test remains"]


def _prove(command: Sequence[str], environment: dict[str, str]) -> bool:
    """Runs pg_prove, shows what it says, and after many files names the slowest."""
    said = []
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as proving:
        assert proving.stdout is not None
        for line in proving.stdout:
            print(line, end="", flush=True)
            said.append(line)
    taken = durations(said)
    if len(taken) > SHOWN_SLOWEST:
        print(f"Slowest {SHOWN_SLOWEST} files:")
        for milliseconds, file in taken[:SHOWN_SLOWEST]:
            print(f"{milliseconds / 1000:8.2f}s  {file}")
    return proving.returncode == 0


def durations(said: Iterable[str]) -> list[tuple[int, str]]:
    """Milliseconds and file of each test that passed, slowest first, from what pg_prove said."""
    return sorted(((int(timed[2]), timed[1]) for line in said if (timed := TIMED.match(line))), reverse=True)


def pgtap_tests(path: str) -> list[Path]:
    """The tests at `path`: a file or a folder under supabase/tests, absolute or as seen from the repository.

    Raises PlatformError if nothing is there, or no test.
    """
    place = (ROOT / path).resolve()
    if not place.exists():
        raise PlatformError(f"{path} does not exist.")
    if not place.is_relative_to(PGTAP):
        raise PlatformError(f"{path} is not under {_name(PGTAP)}, where the pgTAP tests are.")
    files = place.rglob("*.sql") if place.is_dir() else [place]
    tests = [file for file in files if file.suffix == ".sql" and file != HELPERS]
    if not tests:
        raise PlatformError(f"{path} holds no pgTAP tests.")
    return tests


def needs_cron(test: Path) -> bool:
    """Whether a test works with pg_cron's tables or functions: without it, naming them fails."""
    return USES_CRON.search(test.read_text()) is not None


def _name(file: Path) -> str:
    return str(file.relative_to(ROOT))


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
    step("biome", lambda: _run_quietly(biome_command(PAGE)))
    step("sizes", _is_readable)
    sqlfluff = ("sqlfluff", "lint", "--disable-progress-bar")
    step("sqlfluff", program(*sqlfluff, "supabase/schemas"))
    write_bare(SCHEMAS, BARE)
    # Whether a body can be parsed is for Postgres to say, which knows more SQL.
    step("sqlfluff in bodies", program(*sqlfluff, "--ignore", "parsing", "--processes", "2", str(BARE)))
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


def biome_command(scripts: Path) -> list[str]:
    """What lints the scripts in a folder."""
    configuration = ROOT / "supabase" / "local" / "javascript.json"
    return [str(biome()), "lint", f"--config-path={configuration}", "--error-on-warnings", str(scripts)]


def lowest() -> list[str]:
    """The tests of package and API with the lowest versions that pyproject.toml allows, in an environment
    of their own. What only our tools need (schemathesis) is left out, and so are tests that need it."""
    refuse_foreign_project("the tests")
    home = LOCAL / "lowest"
    python = home / "bin" / "python"
    if not python.exists():
        venv.create(home, with_pip=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    resolve = [str(home / "bin" / "uv"), "pip", "compile", "--quiet", "--no-header", "--no-annotate"]
    wanted = home / "lowest.txt"
    steps = [
        [*pip, "uv", "-c", "constraints.txt"],
        [*resolve, "--resolution=lowest-direct", "--extra=api", "pyproject.toml", "-o", str(wanted)],
        [*pip, "-r", str(wanted), *TEST_TOOLS],
        [*pip, "--no-deps", "-e", "."],
    ]
    if not all(_run_quietly(step) for step in steps):
        return ["installing the lowest versions"]
    tests = [
        "tests/unit",
        "tests/integration",
        "--ignore=tests/integration/end_to_end",
        "--ignore=tests/integration/test_bodies.py",
        "tests/api",
        "--ignore=tests/api/test_schema.py",
        "--ignore=tests/api/test_matrix.py",
    ]
    command = [str(python), "-m", "pytest", "-q", "--numprocesses=2", "--dist=loadfile", *tests]
    return [] if subprocess.run(command, cwd=ROOT).returncode == 0 else ["pytest with the lowest versions"]


def _is_readable() -> bool:
    """Whether no line, function or file that people read is too long."""
    scripts = (script for script in PAGE.rglob("*.js") if "vendor" not in script.parts)
    modules = (file for folder in PYTHON for file in folder.rglob("*.py") if file != RECORDS)
    files = sorted([*SCHEMAS.rglob("*.sql"), *scripts, *modules])
    findings = [finding for file in files for finding in too_long(file)]
    print(*findings, sep="\n", end="\n" if findings else "", flush=True)
    return not findings


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
    """`checks.py lint`, `pgtap [path ...]` or `lowest`; exits with 1 when something was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    checks = parser.add_subparsers(dest="check", required=True)
    checks.add_parser("lint")
    checks.add_parser("lowest")
    options = checks.add_parser("pgtap")
    options.add_argument("paths", nargs="*", metavar="path", help="a file or folder under supabase/tests")
    options.add_argument("--postgres", type=int, choices=MAJORS, default=DEBIAN.major, help="major version")
    chosen = parser.parse_args()
    try:
        if chosen.check == "pgtap":
            failed = pgtap(chosen.paths, Postgres(chosen.postgres))
        else:
            failed = lint() if chosen.check == "lint" else lowest()
    except (PlatformError, psycopg.OperationalError) as error:
        sys.exit(str(error))
    if failed:
        sys.exit(f"Failed: {', '.join(failed)}.")


if __name__ == "__main__":
    main()
