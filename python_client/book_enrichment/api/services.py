"""What the routes share while the app lives: the database, the keys, the worker, the imports under way.

Opened by the router's own lifespan, so that a host has nothing to add. Opening needs no database: an app that
starts while it is away answers 503 until it is back.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any

import httpx
from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from book_enrichment import __version__
from book_enrichment.api.auth import Reader, Verifier, verifier
from book_enrichment.api.models import Health
from book_enrichment.api.problems import Problem, ProblemRoute, problem_of, unauthorized
from book_enrichment.database import Database, Sessions, open_sessions
from book_enrichment.database.records import ImportState
from book_enrichment.errors import DatabaseUnavailable, EnrichmentError, VersionMismatch
from book_enrichment.handshake import refuse_mismatch
from book_enrichment.imports.uploads import Uploads
from book_enrichment.settings import Settings
from book_enrichment.work import Worker, open_worker, running

logger = logging.getLogger(__name__)

# Anyone may ask how we are; the database is asked no more often than this.
HEALTH_SECONDS = 2.0
# And whoever asks is not kept waiting longer than this.
HEALTH_PATIENCE_SECONDS = 3.0

bearer = HTTPBearer(
    auto_error=False,
    scheme_name="SupabaseSession",
    bearerFormat="JWT",
    description="The access token of a signed-in reader, as Supabase Auth issues it.",
)


@dataclass(slots=True)
class Services:
    """Everything a request may need."""

    settings: Settings
    sessions: Sessions
    verifier: Verifier
    worker: Worker | None
    uploads: Uploads[Problem] | None = None
    _health: Health | None = None
    _health_at: float = float("-inf")
    _alone: asyncio.Lock = field(default_factory=asyncio.Lock)

    def worker_state(self) -> str:
        """As `Health.worker` names it."""
        if self.worker is not None:
            return "running" if self.worker.is_running else "stopped"
        return "off" if self.sessions.service else "not_configured"

    def wake(self) -> None:
        """Rows may have come in."""
        if self.worker is not None:
            self.worker.wake()

    def sending(self, progress: ImportState) -> dict[str, Any]:
        """Whether rows of an import still arrive, and if not all did, why."""
        if self.uploads is None:
            return {"state": "complete", "problem": None}
        problem = self.uploads.problems.get(progress.import_id)
        return {"state": self.uploads.state(progress), "problem": problem and problem.model()}

    async def health(self) -> Health:
        """How the app is; at most two seconds old."""
        async with self._alone:
            if self._health is None or time.monotonic() - self._health_at > HEALTH_SECONDS:
                self._health = await self._look()
                self._health_at = time.monotonic()
            return self._health

    async def _look(self) -> Health:
        database, migrations, problem = "ok", "ok", None
        try:
            # Without a service key this is refused, which takes a database that knows the function.
            async with asyncio.timeout(HEALTH_PATIENCE_SECONDS):
                await refuse_mismatch(self.sessions.own)
        except (DatabaseUnavailable, TimeoutError):
            database, migrations = "unreachable", "unknown"
        except VersionMismatch as error:
            migrations = "missing" if error.code else "other_version"
            problem = f"{error.message}: {error.hint}"
        except EnrichmentError:
            pass
        worker = self.worker_state()
        status = "degraded" if worker == "stopped" else "ok"
        if (database, migrations) != ("ok", "ok"):
            status = "unavailable"
        return Health.model_validate(
            {
                "status": status,
                "database": database,
                "migrations": migrations,
                "problem": problem,
                "worker": worker,
                "version": __version__,
            }
        )


@asynccontextmanager
async def open_services(settings: Settings, with_worker: bool) -> AsyncIterator[Services]:
    """The services, and a worker that runs while they are open (where there is a key for one)."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(httpx.AsyncClient())
        sessions = await stack.enter_async_context(open_sessions(settings))
        worker = None
        if with_worker and sessions.service is not None:
            worker = await stack.enter_async_context(open_worker(settings))
            await stack.enter_async_context(running(worker))
        services = Services(settings, sessions, verifier(settings, client), worker)
        if sessions.service is not None:
            services.uploads = Uploads(sessions.service, services.wake, problem_of)
            stack.push_async_callback(services.uploads.close)
        yield services


def services_of(request: Request) -> Services:
    """The services of the app that answers this request."""
    services = getattr(request.state, "enrichment", None)
    if not isinstance(services, Services):
        raise RuntimeError("the router's lifespan did not run: include the router before the app starts")
    return services


async def reader_of(request: Request) -> Reader:
    """The reader who asks; found out once per request.

    Raises:
        Problem: 401 or 403.
    """
    known = getattr(request.state, "enrichment_reader", None)
    if isinstance(known, Reader):
        return known
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise unauthorized(
            "no token was sent", "send the reader's access token: Authorization: Bearer …", None
        )
    reader = await services_of(request).verifier.reader(token.strip())
    request.state.enrichment_reader = reader
    return reader


async def reader_database(request: Request) -> Database:
    """The database as the reader who asks may see it."""
    reader = await reader_of(request)
    return services_of(request).sessions.reader(reader.token, reader.claims)


def uploads_of(request: Request) -> Uploads[Problem]:
    """What writes imports; 501 in an app that may not."""
    uploads = services_of(request).uploads
    if uploads is None:
        raise Problem(
            501,
            "this app may not write imports",
            "set SUPABASE_SERVICE_ROLE_KEY or DATABASE_URL where it runs",
        )
    return uploads


class ReaderRoute(ProblemRoute):
    """A route for readers: who asks is found out before a byte of the body is read."""

    async def before(self, request: Request) -> None:
        await reader_of(request)


SharedServices = Annotated[Services, Depends(services_of)]
CurrentReader = Annotated[Reader, Depends(reader_of)]
ReaderDatabase = Annotated[Database, Depends(reader_database)]
SharedUploads = Annotated[Uploads[Problem], Depends(uploads_of)]
