"""What people do with a stack, one function per command; the Makefile calls them.

commands.py up|down|reset|status|psql|env|migrate|guard [--name NAME]
"""

import argparse
import os
import shlex
import sys
from pathlib import Path

import psycopg

from book_enrichment.migrate import ForeignSteps, MigrationError, plan
from packages import PlatformError, say
from stack import Stack, project_variable, refuse_foreign_project


def up(stack: Stack) -> None:
    """Starts what does not run yet."""
    before = stack.running
    stack.up()
    say(f"Stack {stack.name} {'ran already' if before else 'is up'}: {stack.environment()['SUPABASE_URL']}")


def down(stack: Stack) -> None:
    """Stops everything, keeps the data."""
    say(f"Stack {stack.name} {'is stopped' if stack.down() else 'was not running'}.")


def reset(stack: Stack) -> None:
    """Throws the data away and begins anew."""
    refuse_foreign_project("reset")
    stack.reset()
    up(stack)


def status(stack: Stack) -> None:
    """Tells what runs where."""
    if not stack.running:
        print(f"Stack {stack.name} is stopped. `make up` starts it.")
        return
    with stack.cluster.superuser() as connection:
        size = connection.execute("select pg_size_pretty(pg_database_size('postgres'))").fetchone()
        jobs = connection.execute("select count(*) from cron.job where active").fetchone()
    assert size is not None
    assert jobs is not None
    api = stack._rest("postgres")
    print(f"stack       {stack.name}, in {stack.folder}")
    print(f"postgres    127.0.0.1:{stack.cluster.port}, {size[0]}, {jobs[0]} cron jobs")
    print(f"api         {api.url}/rest/v1 ({'open' if api.running() else 'closed'})")
    print(f"migrations  {_migrations_line(stack)}")


def _migrations_line(stack: Stack) -> str:
    try:
        missing = plan(stack.database_url(), stack.steps)
    except MigrationError as error:
        return f"{error.message}: make reset begins anew"
    return f"{len(stack.steps)} steps, " + (
        "all applied" if not missing else f"{len(missing)} not yet applied"
    )


def up_somehow(stack: Stack) -> None:
    """Starts the stack for looking into it, whatever state its migrations are in."""
    try:
        stack.up()
    except (PlatformError, ForeignSteps) as error:
        if not stack.running:
            raise
        say(str(error))


def psql(stack: Stack) -> None:
    """Becomes psql, as role postgres."""
    up_somehow(stack)
    os.execvp("psql", ["psql", stack.database_url()])


def env(stack: Stack) -> None:
    """Prints the variables that point to this stack, for `eval "$(…)"`."""
    up_somehow(stack)
    for name, value in stack.environment().items():
        print(f"export {name}={shlex.quote(value)}")


def migrate_project(stack: Stack) -> None:
    """Applies missing migrations: to DATABASE_URL when it is set, else to the local stack."""
    if project_variable("DATABASE_URL"):
        os.execv(Path(sys.executable).with_name("book-enrichment"), ["book-enrichment", "migrate"])
    elif project_variable("SUPABASE_URL"):
        raise PlatformError("Migrations need a direct connection: set DATABASE_URL, not only SUPABASE_URL.")
    else:
        up(stack)


def guard(stack: Stack) -> None:
    """Fails when the environment points to a project that is not local."""
    refuse_foreign_project("this command")


COMMANDS = {
    "up": up,
    "down": down,
    "reset": reset,
    "status": status,
    "psql": psql,
    "env": env,
    "migrate": migrate_project,
    "guard": guard,
}


def main() -> None:
    """Runs one command; what a person must know ends up as one sentence on stderr."""
    parser = argparse.ArgumentParser(description="The local Supabase of this clone.")
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--name", default="dev", help="which stack (default: dev)")
    options = parser.parse_args()
    stack = Stack(options.name, durable=options.name == "dev")
    try:
        COMMANDS[options.command](stack)
    except ForeignSteps as error:
        sys.exit(f"{error.message}: make reset begins anew.")
    except (PlatformError, psycopg.OperationalError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
