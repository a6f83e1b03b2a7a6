"""`serve`: the REST API and the page for readers, with a worker in it."""

from __future__ import annotations

from typing import Annotated

import typer

from book_enrichment.cli.common import (
    BAD_USAGE,
    BOOKS,
    app,
    give_up,
    read_settings,
)
from book_enrichment.database import NotConfigured


@app.command(
    rich_help_panel=BOOKS,
    epilog="Example: book-enrichment serve --host 0.0.0.0 --port $PORT",
)
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 8000,
    worker: Annotated[
        bool | None,
        typer.Option(
            "--worker/--no-worker",
            help="Run a worker in it. ENRICHMENT_WORKER_ENABLED when not given.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Serve the REST API and the page for readers, with a worker in it, until Ctrl-C or SIGTERM."""
    settings = read_settings()
    try:
        from book_enrichment.api import serve as serve_api
    except ImportError as error:
        give_up(BAD_USAGE, f"the API's packages are missing: {error}", "pip install 'book-enrichment[api]'")
    try:
        serve_api(settings, host, port, worker)
    except NotConfigured as error:
        give_up(BAD_USAGE, error.message, error.hint)
