"""The API as an app of its own, with the page for readers, and the server for it."""

from __future__ import annotations

from collections.abc import Iterable

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.routing import BaseRoute, Match

from book_enrichment import __version__
from book_enrichment.api.problems import Problem
from book_enrichment.api.routes import create_router
from book_enrichment.settings import Settings
from book_enrichment.web import mount_page

METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")


def create_app(settings: Settings | None = None, worker: bool | None = None) -> FastAPI:
    """The app: routes under /api/v1/enrichment, their description at /docs, the page at /enrichment.

    Args:
        settings: the environment when not given; `uvicorn --factory book_enrichment.api:create_app` works.
        worker: whether a worker runs in it; `ENRICHMENT_WORKER_ENABLED` when not given.

    Raises:
        NotConfigured: the settings let no reader in.
    """
    settings = settings or Settings()
    app = FastAPI(
        title="Book Enrichment",
        version=__version__,
        summary="Missing covers and metadata of a reader's library: badges, imports, review, undo.",
        license_info={"name": "MIT", "identifier": "MIT"},
    )
    app.include_router(create_router(settings, worker))
    app.add_exception_handler(StarletteHTTPException, _show_problem)
    app.add_exception_handler(Exception, _show_fault)
    if settings.allowed_origins is not None:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.allowed_origins.split(","),
            allow_methods=["DELETE", "GET", "POST"],
            allow_headers=["Authorization", "Content-Type"],
            expose_headers=["Location", "Retry-After", "WWW-Authenticate"],
        )
    mount_page(app, settings)
    return app


def serve(
    settings: Settings, host: str = "127.0.0.1", port: int = 8000, with_worker: bool | None = None
) -> None:
    """Serve the app until SIGTERM or Ctrl-C."""
    uvicorn.run(create_app(settings, with_worker), host=host, port=port, timeout_graceful_shutdown=15)


async def _show_problem(request: Request, error: Exception) -> Response:
    """404 and 405 of the server itself, in the words of the API."""
    assert isinstance(error, StarletteHTTPException)
    if isinstance(error, Problem):
        return error.response()
    hint = "the API's description lists what there is: /docs"
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(_allowed(request, request.app.routes))
    return Problem(error.status_code, str(error.detail), hint, headers=headers).response()


async def _show_fault(request: Request, error: Exception) -> Response:
    """A fault of ours: the log has the traceback, the reader does not."""
    return Problem(500, "a fault of this app", "the log says more").response()


def _allowed(request: Request, routes: Iterable[BaseRoute]) -> list[str]:
    """Every method that this path takes: Starlette names those of the first route it meets."""
    routes = list(routes)
    return [
        method
        for method in METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    ]
