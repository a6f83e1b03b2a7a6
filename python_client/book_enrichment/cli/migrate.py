"""`migrate`: the database side of this package is installed, or brought to its version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar

import typer

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
    url = database_url()
    if check:
        sentences = answered(lambda: plan(url))
        if restore and not sentences:
            sentences = [f"restore {name}" for name in answered(lambda: not_as_released(url))]
        if as_json:
            print_json({"version": needed_version(), "would": sentences})
        for sentence in [] if as_json else sentences:
            out.print(f"would {sentence}", markup=False, highlight=False, soft_wrap=True)
        if sentences:
            raise typer.Exit(UNHEALTHY)
        if not as_json:
            out.print(f"Nothing to do: the database is at version {needed_version()}.", highlight=False)
        return
    applied = answered(lambda: apply_steps(url, tell))
    restored = answered(lambda: restore_functions(url)) if restore else []
    if as_json:
        print_json({"version": needed_version(), "applied": applied, "restored": restored})
        return
    if restore:
        out.print(f"As released again: {', '.join(restored) or 'all were'}.", markup=False, highlight=False)
    done = f"{len(applied)} step{'' if len(applied) == 1 else 's'} applied" if applied else "Nothing to do"
    out.print(f"{done}: the database is at version {needed_version()}.", highlight=False)


def database_url() -> str:
    """Where tables are made."""
    url = read_settings().database_url
    if url is None:
        give_up(
            BAD_USAGE,
            "DATABASE_URL is not set: tables are made over a direct connection",
            "copy it from the dashboard (Connect, Direct connection or Session pooler), with the password",
        )
    return url.get_secret_value()


def answered(work: Callable[[], T]) -> T:
    """What it answers; what goes wrong as a sentence and an exit code."""
    try:
        return work()
    except DatabaseUnavailable as error:
        give_up(UNREACHABLE, error.message, error.hint)
    except EnrichmentError as error:
        give_up(REFUSED, error.message, error.hint)


def tell(sentence: str) -> None:
    """What is being done, while it is."""
    err.print(plain(sentence), markup=False, highlight=False, soft_wrap=True)
