"""`uninstall`: the database side of this package is taken out again."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.prompt import Confirm

from book_enrichment.cli.common import (
    BAD_USAGE,
    OPERATING,
    AsJson,
    app,
    err,
    give_up,
    out,
    print_json,
)
from book_enrichment.cli.migrate import answered, database_url, tell
from book_enrichment.migrate import uninstall as take_out


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
    url = database_url()
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
    is_done = answered(lambda: take_out(url, keep_data, tell))
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
