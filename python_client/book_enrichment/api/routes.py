"""The routes: each verifies the reader, passes the token on, calls one verb and names what it answers.

What a reader sees and may change is decided in the database. `create_router` puts the routes together with
the lifespan that opens what they share.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, File, Form, Path, Query, Request, Response, UploadFile
from fastapi.routing import APIRoute

from book_enrichment.api import models
from book_enrichment.api.auth import refuse_unverifiable
from book_enrichment.api.examples import show_examples
from book_enrichment.api.models import Id, WorkIds
from book_enrichment.api.problems import ProblemRoute, problems
from book_enrichment.api.services import (
    CurrentReader,
    ReaderDatabase,
    ReaderRoute,
    SharedServices,
    SharedUploads,
    bearer,
    open_services,
)
from book_enrichment.database import Database, records
from book_enrichment.database.sessions import refuse_unusable
from book_enrichment.errors import NotFound
from book_enrichment.fields import FIELDS
from book_enrichment.imports import MAX_FILE_BYTES
from book_enrichment.reasons import REASONS
from book_enrichment.settings import Settings

T = TypeVar("T")

PREFIX = "/api/v1/enrichment"

Limit = Annotated[int, Query(ge=1, le=200, description="Rows per page.")]
NEXT = Query(description="`next_cursor` of the page before.")
QueueId = Annotated[Id, Path(description="A queue row.")]
WorkId = Annotated[Id, Path(description="A work of the own library.")]
ImportId = Annotated[Id, Path(description="An import of one's own.")]


class UploadRoute(ReaderRoute):
    """A route that takes a file, within the limit of what is read."""

    largest_body = MAX_FILE_BYTES + 64 * 1024  # and what the form adds


def _operation_id(route: APIRoute) -> str:
    """What a generated client calls the operation."""
    return f"enrichment_{route.name}"


open_routes = APIRouter(route_class=ProblemRoute, generate_unique_id_function=_operation_id)
for_readers: dict[str, Any] = {
    "dependencies": [Depends(bearer)],
    "responses": problems(401, 403, 422, 503),
    "generate_unique_id_function": _operation_id,
}
reader_routes = APIRouter(route_class=ReaderRoute, **for_readers)
upload_routes = APIRouter(route_class=UploadRoute, **for_readers)


def create_router(settings: Settings | None = None, with_worker: bool | None = None) -> APIRouter:
    """The API as a router that brings its own lifespan; include it before the app starts.

    Args:
        settings: the environment when not given.
        with_worker: whether a worker runs while the app does; `ENRICHMENT_WORKER_ENABLED` when not given.

    Raises:
        NotConfigured: the settings let no reader in.
    """
    settings = settings or Settings()
    refuse_unusable(settings)
    refuse_unverifiable(settings)
    worker = settings.worker_enabled if with_worker is None else with_worker

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        async with open_services(settings, worker) as services:
            yield {"enrichment": services}

    router = APIRouter(prefix=PREFIX, lifespan=lifespan)
    router.include_router(open_routes)
    router.include_router(reader_routes)
    router.include_router(upload_routes)
    return router


async def enrichment_fields(database: Database, work_ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """What the host's own answers may say about works of the reader's library, by work id.

    Each: {enrichment_status, enrichment_confidence, enrichment_wait_reason, enrichment_queue_id,
    last_enriched_at}. Works that are not in the library are left out.

    Raises:
        EnrichmentError: the database is away, lacks the migrations, or was asked for more than 1,000 works.
    """
    return {
        state.work_id: {
            "enrichment_status": state.status,
            "enrichment_confidence": state.confidence,
            "enrichment_wait_reason": state.wait_reason,
            "enrichment_queue_id": state.queue_id,
            "last_enriched_at": state.last_enriched_at,
        }
        for state in await database.enrichment_status(work_ids)
    }


# How the app is, and where to sign in


@open_routes.get(
    "/health",
    response_model=models.Health,
    responses={503: {"model": models.Health, "description": "The database is away or lacks the migrations."}},
    tags=["app"],
)
async def health(services: SharedServices, response: Response) -> Any:
    """Whether the database answers, has our functions, and a worker runs. At most two seconds old."""
    found = await services.health()
    if found.status == "unavailable":
        response.status_code = 503
    return found


@open_routes.get("/config", response_model=models.PublicConfig, tags=["app"])
async def config(services: SharedServices) -> Any:
    """What a page needs before anybody has signed in; nothing of it is secret."""
    url, key = services.settings.supabase_url, services.settings.supabase_anon_key
    realtime = url is not None and key is not None
    return {"supabase_url": url, "anon_key": key, "realtime": realtime, "fields": FIELDS, "reasons": REASONS}


# Badges, lists, numbers


@reader_routes.get("/status", response_model=models.Statuses, tags=["library"])
async def status(
    database: ReaderDatabase,
    work_ids: Annotated[WorkIds, Query(description="Ids with commas between them; at most 1,000.")],
) -> Any:
    """A badge for each work: state, why it waits and until when, what was filled."""
    return {"items": await database.enrichment_status([UUID(each) for each in work_ids])}


@reader_routes.get("/queue", response_model=models.QueuePage, tags=["library"])
async def queue(
    database: ReaderDatabase,
    status: Annotated[records.QueueStatus | None, Query(description="Only rows in this state.")] = None,
    limit: Limit = 50,
    cursor: Annotated[models.QueueCursor | None, NEXT] = None,
) -> Any:
    """Queue rows of the own library, newest first. One call has all that a review panel shows."""
    rows = await database.list_enrichment(status, limit, cursor)
    return _page(rows, limit)


@reader_routes.get("/library", response_model=models.LibraryPage, tags=["library"])
async def library(
    database: ReaderDatabase,
    filter: Annotated[
        records.QueueStatus | Literal["missing"] | None, Query(description="A state, or `missing` something.")
    ] = None,
    limit: Limit = 60,
    cursor: Annotated[models.LibraryCursor | None, NEXT] = None,
) -> Any:
    """Books of the own library with cover, badge and gaps."""
    rows = await database.enrichment_library(filter, limit, cursor)
    return _page(rows, limit)


@reader_routes.get("/summary", response_model=records.LibrarySummary, tags=["library"])
async def summary(database: ReaderDatabase) -> Any:
    """The own library in numbers, and when the next row is due."""
    return await database.enrichment_summary()


@reader_routes.get("/usage", response_model=models.Usage, tags=["app"])
async def usage(database: ReaderDatabase) -> Any:
    """How much of the free tiers is used: database, covers, calls of today; and what waits for what."""
    return {"items": await database.enrichment_usage()}


# Buttons


@reader_routes.post("/trigger", status_code=202, response_model=models.TriggerOutcome, tags=["library"])
async def trigger(database: ReaderDatabase, services: SharedServices, body: models.TriggerBody) -> Any:
    """Queue works of the own library, ahead of imports."""
    outcomes = await database.trigger_enrichment(body.work_ids)
    services.wake()
    return _triggered(outcomes)


@reader_routes.post("/trigger-all", status_code=202, response_model=models.TriggerOutcome, tags=["library"])
async def trigger_all(database: ReaderDatabase, services: SharedServices) -> Any:
    """ "Enrich missing": queue every work of the own library that lacks something."""
    outcomes = await database.trigger_missing_enrichment()
    services.wake()
    return _triggered(outcomes)


@reader_routes.post("/preview", response_model=models.Previews, responses=problems(404), tags=["review"])
async def preview(database: ReaderDatabase, body: models.TriggerBody) -> Any:
    """What enrichment would do with these works. Nothing is written."""
    return {"items": await database.preview_enrichment(body.work_ids)}


# Review


@reader_routes.post("/bulk", response_model=records.MatchingOutcome, responses=problems(404), tags=["review"])
async def bulk(database: ReaderDatabase, body: models.BulkBody) -> Any:
    """Approve or dismiss all that matches; counts only, unless `dry_run` is false."""
    where = body.filter
    if body.action == "approve":
        return await database.approve_matching(
            where.confidence, where.provider, where.sentence, where.import_id, body.fields, body.dry_run
        )
    return await database.dismiss_matching(
        where.confidence, where.provider, where.sentence, where.import_id, body.dry_run
    )


@reader_routes.post(
    "/{queue_id}/approve", response_model=records.ReviewOutcome, responses=problems(404, 409), tags=["review"]
)
async def approve(database: ReaderDatabase, queue_id: QueueId, body: models.ApproveBody | None = None) -> Any:
    """Write what is proposed where it is still empty; the fields left unticked are not proposed again."""
    body = body or models.ApproveBody()
    return _found(await database.approve_enrichment(queue_id, body.fields, body.candidate), queue_id)


@reader_routes.post(
    "/{queue_id}/dismiss", response_model=records.ReviewOutcome, responses=problems(404, 409), tags=["review"]
)
async def dismiss(database: ReaderDatabase, queue_id: QueueId) -> Any:
    """Not this book: what was proposed is never proposed for it again."""
    return _found(await database.dismiss_enrichment(queue_id), queue_id)


@reader_routes.post(
    "/{queue_id}/undo", response_model=records.UndoOutcome, responses=problems(404, 409), tags=["review"]
)
async def undo(database: ReaderDatabase, queue_id: QueueId) -> Any:
    """Take back what this row wrote, and only that; whoever triggered or approved it may."""
    return _found(await database.undo_enrichment(queue_id), queue_id)


# Works


@reader_routes.get(
    "/works/{work_id}/explain", response_model=models.Explanation, responses=problems(404), tags=["works"]
)
async def explain(database: ReaderDatabase, work_id: WorkId) -> Any:
    """Every candidate we know for this work, with the parts of its score."""
    return {"items": await database.explain_enrichment(work_id)}


@reader_routes.get(
    "/works/{work_id}/history", response_model=models.History, responses=problems(404), tags=["works"]
)
async def history(database: ReaderDatabase, work_id: WorkId) -> Any:
    """What happened to this work, newest first."""
    return {"items": await database.enrichment_history(work_id)}


@reader_routes.post(
    "/works/{work_id}/locks", response_model=models.FieldLocks, responses=problems(404), tags=["works"]
)
async def lock(database: ReaderDatabase, work_id: WorkId, body: models.LocksBody) -> Any:
    """Fields that enrichment must leave alone from now on. Answers all locks."""
    return {"items": await database.lock_fields(work_id, body.fields, body.edition_id)}


@reader_routes.delete(
    "/works/{work_id}/locks", response_model=models.FieldLocks, responses=problems(404), tags=["works"]
)
async def unlock(database: ReaderDatabase, work_id: WorkId, body: models.LocksBody) -> Any:
    """Fields that enrichment may fill again. Answers the locks that remain."""
    return {"items": await database.unlock_fields(work_id, body.fields, body.edition_id)}


# Imports


@upload_routes.post(
    "/import",
    status_code=202,
    response_model=models.ImportAccepted,
    responses=problems(404, 413, 429, 501),
    tags=["imports"],
)
async def import_file(
    request: Request,
    response: Response,
    reader: CurrentReader,
    uploads: SharedUploads,
    file: Annotated[UploadFile, File(description="A Goodreads or StoryGraph export (CSV), at most 20 MB.")],
    source: Annotated[
        Literal["", "goodreads", "storygraph"], Form(description="Found out by the header when empty.")
    ] = "",
) -> Any:
    """Read an export and put its books on the shelf; the same file again changes nothing.

    Answers as soon as the file is read. Its rows follow, see `Location`."""
    import_id, export = await uploads.accept(reader.id, file.read, source or None)
    response.headers["Location"] = f"{request.url.path}s/{import_id}"
    return models.ImportAccepted(
        import_id=import_id, source=export.source, rows=len(export.rows), notes=export.notes
    )


@reader_routes.get("/imports", response_model=models.Imports, tags=["imports"])
async def imports(
    database: ReaderDatabase, limit: Annotated[int, Query(ge=1, le=200, description="How many.")] = 20
) -> Any:
    """Own imports, newest first."""
    return {"items": await database.enrichment_imports(limit)}


@reader_routes.get(
    "/imports/{import_id}", response_model=models.ImportPage, responses=problems(404), tags=["imports"]
)
async def show_import(
    database: ReaderDatabase,
    services: SharedServices,
    import_id: ImportId,
    limit: Limit = 100,
    cursor: Annotated[
        int | None, Query(ge=0, le=2**31 - 1, description="`next_cursor` of the page before.")
    ] = None,
) -> Any:
    """How far an import is, and what became of each line."""
    found = _found(await database.enrichment_import(import_id), import_id)
    rows = await database.enrichment_import_rows(import_id, limit, cursor)
    return {**dataclasses.asdict(found), **services.sending(found), **_page(rows, limit)}


@reader_routes.post(
    "/imports/{import_id}/undo",
    response_model=models.UndoOutcomes,
    responses=problems(404, 409),
    tags=["imports"],
)
async def undo_import(database: ReaderDatabase, import_id: ImportId) -> Any:
    """Take back what enrichment wrote for this import; its books stay on the shelf."""
    return {"items": await database.undo_import(import_id)}


show_examples([*open_routes.routes, *reader_routes.routes, *upload_routes.routes])


# Shapes


def _found(record: T | None, row_id: UUID) -> T:
    """Verbs answer unknown ids with PT404; this is for those that answer with nothing."""
    if record is None:
        raise NotFound(f"there is no {row_id}", hint="reload the list")
    return record


def _page(rows: Sequence[Any], limit: int) -> dict[str, Any]:
    """Rows as a page: a full one ends with the cursor of its last row."""
    cursor = rows[-1].cursor if len(rows) == limit else None
    return {"items": rows, "next_cursor": None if cursor is None else str(cursor)}


def _triggered(outcomes: Sequence[records.EnqueueOutcome]) -> dict[str, Any]:
    return {"items": outcomes, "outcomes": Counter(each.outcome for each in outcomes)}
