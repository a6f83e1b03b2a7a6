"""The database side of this package: installed, brought to its version, taken out again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar

import typer
from rich.prompt import Confirm

from book_enrichment.cli.common import (
    BAD_USAGE,
    OPERATING,
    REFUSED,
    UNHEALTHY,
    UNREACHABLE,
    AsJson,
    app,
    err,
    give_up,
    out,
    plain,
    print_json,
    read_settings,
)
from book_enrichment.errors import DatabaseUnavailable, EnrichmentError
from book_enrichment.handshake import needed_version
from book_enrichment.migrate import migrate as apply_steps
from book_enrichment.migrate import not_as_released, plan
from book_enrichment.migrate import restore as restore_functions
from book_enrichment.migrate import uninstall as take_out

T = TypeVar("T")


@app.command(
    rich_help_panel=OPERATING,
    epilog="Example: book-enrichment migrate   or, to look first: book-enrichment migrate --check",
)
def migrate(
    check: Annotated[
        bool, typer.Option("--check", help="Only say what would be done; exit code 1 if there is something.")
    ] = False,
    restore: Annotated[
        bool,
        typer.Option(
            "--restore", help="Make functions that were changed by hand as released, rights included."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Install book enrichment in the database of DATABASE_URL, or bring it to this package's version.

    One transaction a step: what fails leaves nothing behind, and running it again goes on. What readers
    decided stays. Your own migration history is left alone."""
    url = _database_url()
    if check:
        sentences = _answered(lambda: plan(url))
        if restore and not sentences:
            sentences = [f"restore {name}" for name in _answered(lambda: not_as_released(url))]
        if as_json:
            print_json({"version": needed_version(), "would": sentences})
        for sentence in [] if as_json else sentences:
            out.print(f"would {sentence}", markup=False, highlight=False, soft_wrap=True)
        if sentences:
            raise typer.Exit(UNHEALTHY)
        if not as_json:
            out.print(f"Nothing to do: the database is at version {needed_version()}.", highlight=False)
        return
    applied = _answered(lambda: apply_steps(url, _tell))
    restored = _answered(lambda: restore_functions(url)) if restore else []
    if as_json:
        print_json({"version": needed_version(), "applied": applied, "restored": restored})
        return
    if restore:
        out.print(f"As released again: {', '.join(restored) or 'all were'}.", markup=False, highlight=False)
    done = f"{len(applied)} step{'' if len(applied) == 1 else 's'} applied" if applied else "Nothing to do"
    out.print(f"{done}: the database is at version {needed_version()}.", highlight=False)


@app.command(
    rich_help_panel=OPERATING,
    epilog="Example: book-enrichment uninstall   or, for a while: book-enrichment uninstall --keep-data",
)
def uninstall(
    keep_data: Annotated[
        bool,
        typer.Option(
            "--keep-data",
            help="Keep what readers decided, in a schema of its own; the next migrate takes it back.",
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take book enrichment out of the database: jobs, functions, tables, queue and audit log.

    Your own tables stay, and so do the values that were filled in. Nothing is taken out while something of
    yours is built on ours."""
    url = _database_url()
    goes = (
        "everything but what readers decided"
        if keep_data
        else "with queue, audit log, locks and rejections, and what an earlier uninstall kept"
    )
    if not yes:
        if not err.is_terminal:
            give_up(BAD_USAGE, "uninstall asks first, and nobody can answer here", "add --yes if you mean it")
        if not Confirm.ask(f"Take book enrichment out, {goes}?", console=err, default=False):
            raise typer.Exit(BAD_USAGE)
    is_done = _answered(lambda: take_out(url, keep_data, _tell))
    if as_json:
        print_json({"uninstalled": is_done, "kept_data": is_done and keep_data})
    elif not is_done:
        out.print("Nothing to do: book enrichment is not installed here.")
    elif keep_data:
        out.print(
            "Book enrichment is taken out; book-enrichment migrate brings it back, with what was decided."
        )
    else:
        out.print("Book enrichment is taken out.")


def _database_url() -> str:
    url = read_settings().database_url
    if url is None:
        give_up(
            BAD_USAGE,
            "DATABASE_URL is not set: tables are made over a direct connection",
            "copy it from the dashboard (Connect, Direct connection or Session pooler), with the password",
        )
    return url.get_secret_value()


def _answered(work: Callable[[], T]) -> T:
    """What it answers; what goes wrong as a sentence and an exit code."""
    try:
        return work()
    except DatabaseUnavailable as error:
        give_up(UNREACHABLE, error.message, error.hint)
    except EnrichmentError as error:
        give_up(REFUSED, error.message, error.hint)


def _tell(sentence: str) -> None:
    err.print(plain(sentence), markup=False, highlight=False, soft_wrap=True)
