"""Refusals as the API says them: application/problem+json (RFC 9457), with the hint that came from SQL.

A route raises the errors of `book_enrichment.errors`, or a `Problem` where the API itself refuses.
`ProblemRoute` turns both into answers right at the route, so that a host's own error handlers stay as they
are.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException as StarletteHTTPException

from book_enrichment.errors import (
    MIGRATE,
    DatabaseUnavailable,
    EnrichmentError,
    Forbidden,
    Malformed,
    NotFound,
    VersionMismatch,
    WrongState,
)
from book_enrichment.handshake import MISSING_VERB
from book_enrichment.imports import ImportFileError
from book_enrichment.imports.uploads import UploadFailed, UploadUnderWay

logger = logging.getLogger(__name__)

# What a client should wait before it asks again: a database that was away, an upload while one is sent.
RETRY_AFTER_SECONDS = 5
# A list of 1,000 ids weighs 40 KB. Uploads have a limit of their own.
LARGEST_BODY = 256 * 1024

STATUS_BY_ERROR: dict[type[EnrichmentError], int] = {
    NotFound: 404,
    WrongState: 409,
    Malformed: 422,
    Forbidden: 403,
    DatabaseUnavailable: 503,
}
# The reader's token, where PostgREST finds it wanting after we did not.
REFUSED_TOKEN = ("PGRST301", "PGRST302", "PGRST303")


class InvalidPart(BaseModel):
    """A part of the request that cannot be understood."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    location: str
    """Where: `query.limit`, `body.work_ids.0`."""
    message: str
    """What is wrong with it."""


class EnrichmentProblem(BaseModel):
    """Why a request was refused, and what to do about it (RFC 9457)."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    type: str = "about:blank"
    """Always `about:blank`: the status says what kind of problem this is."""
    title: str
    """The status in words."""
    status: int
    """The HTTP status."""
    detail: str
    """What was refused, naming the row."""
    hint: str | None
    """What to do about it."""
    code: str | None
    """The code the database refused with (`PT403`, `PT409`, …); null when it was the API that refused."""
    errors: list[InvalidPart] = []
    """With 422: each part of the request that could not be understood."""


class Problem(HTTPException):
    """A refusal of the API itself. Outside our routes a host's handler shows it like any HTTPException."""

    def __init__(
        self,
        status: int,
        detail: str,
        hint: str | None = None,
        *,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
        errors: list[InvalidPart] | None = None,
    ) -> None:
        super().__init__(status, detail, dict(headers) if headers else None)
        self.hint = hint
        self.code = code
        self.errors = errors or []

    def model(self) -> EnrichmentProblem:
        """What is said about it."""
        return EnrichmentProblem(
            title=HTTPStatus(self.status_code).phrase,
            status=self.status_code,
            detail=str(self.detail),
            hint=self.hint,
            code=self.code,
            errors=self.errors,
        )

    def response(self) -> Response:
        """The same as JSON."""
        body = self.model().model_dump(exclude=None if self.errors else {"errors"})
        return JSONResponse(body, self.status_code, self.headers, media_type="application/problem+json")


def problem_of(error: Exception) -> Problem:
    """The problem an exception of a route stands for."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, EnrichmentError):
        return _refusal(error)
    if isinstance(error, ImportFileError):
        return Problem(422, error.message, error.hint)
    if isinstance(error, RequestValidationError):
        parts = [
            InvalidPart(location=".".join(map(str, each["loc"])), message=each["msg"])
            for each in error.errors()
        ]
        detail = "; ".join(f"{part.location}: {part.message}" for part in parts[:3])
        return Problem(422, detail, "the API's description says what is expected: /docs", errors=parts)
    if isinstance(error, StarletteHTTPException):
        # Starlette's word for a form it cannot read is 400; what cannot be understood is 422 here.
        status = 422 if error.status_code == 400 else error.status_code
        return Problem(status, str(error.detail), headers=error.headers)
    raise error


def _refusal(error: EnrichmentError) -> Problem:
    if isinstance(error, DatabaseUnavailable):
        # The message may name hosts and ports; it is for the log.
        logger.warning("database: %s", error, extra={"action": "answer", "code": error.code})
        return Problem(
            503,
            "the database gave no answer",
            "try again in a few seconds",
            code=error.code,
            headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
        )
    if isinstance(error, UploadUnderWay):
        wait = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        return Problem(429, error.message, error.hint, headers=wait)
    if isinstance(error, UploadFailed):
        return Problem(500, error.message, error.hint)
    if error.code in REFUSED_TOKEN:
        return unauthorized("the database refused the token", "sign in again")
    if isinstance(error, VersionMismatch):
        return Problem(503, error.message, error.hint)
    if error.code in MISSING_VERB:
        return Problem(503, "the database lacks a function this API calls", MIGRATE, code=error.code)
    if type(error) not in STATUS_BY_ERROR:
        logger.error("the database refused: %s", error, extra={"action": "answer", "code": error.code})
        return Problem(
            500, "the database refused for a reason nobody expected", "see the log", code=error.code
        )
    return Problem(STATUS_BY_ERROR[type(error)], error.message, error.hint, code=error.code)


def unauthorized(detail: str, hint: str, error: str | None = "invalid_token") -> Problem:
    """401 with the challenge of RFC 6750; without `error` where no token came at all."""
    challenge = "Bearer" + (f' error="{error}", error_description="{detail}"' if error else "")
    return Problem(401, detail, hint, headers={"WWW-Authenticate": challenge})


REFUSALS = (EnrichmentError, ImportFileError, RequestValidationError, StarletteHTTPException)


class ProblemRoute(APIRoute):
    """A route that answers refusals as problem+json and reads no body above `largest_body` bytes."""

    largest_body = LARGEST_BODY

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def answer_or_problem(request: Request) -> Response:
            try:
                await self.before(request)
                response = await answer(_limited(request, self.largest_body))
            except REFUSALS as error:
                response = problem_of(error).response()
            response.headers["Cache-Control"] = "no-store"  # somebody's own, and old in a second
            return response

        return answer_or_problem

    async def before(self, request: Request) -> None:
        """What is to happen before a byte of the body is read."""


def _limited(request: Request, largest: int) -> Request:
    """The request with a body that ends in 413 beyond `largest` bytes, announced or not."""
    too_large = Problem(413, f"the body is larger than {largest:,} bytes", "send less at a time")
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > largest:
        raise too_large
    read = 0

    async def receive() -> Any:
        nonlocal read
        message = await request.receive()
        read += len(message.get("body", b""))
        if read > largest:
            raise too_large
        return message

    return Request(request.scope, receive, request._send)


def _example(status: int, detail: str, hint: str, code: str | None = None) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "hint": hint,
        "code": code,
    }


_QUEUE_ID = "01933a5e-7c1a-7b1e-9a53-4a6f0f8e2b11"
_WORK_ID = "6f2c1f6e-0a53-4a0e-8a3a-5a8d5a1c9d11"

# Real replies, one per status.
EXAMPLES: dict[int, dict[str, Any]] = {
    401: _example(401, "the token has expired", "sign in again"),
    403: _example(403, f"work {_WORK_ID} is not in your library", "add it to the library first", "PT403"),
    404: _example(404, f"no queue row {_QUEUE_ID}", "see list_enrichment()", "PT404"),
    409: _example(
        409, f"queue row {_QUEUE_ID} is completed, not needs_review", "reload the review list", "PT409"
    ),
    413: _example(413, "the body is larger than 262,144 bytes", "send less at a time"),
    422: _example(422, "a list of 1001 elements is too long", "send at most 1,000 elements a call", "PT422"),
    429: _example(429, "an import of yours is still being sent", "wait until it ends"),
    501: _example(501, "this app may not write imports", "set SUPABASE_SERVICE_ROLE_KEY or DATABASE_URL"),
    503: _example(503, "the database gave no answer", "try again in a few seconds"),
}
MEANINGS = {
    401: "No token, or one that is expired, forged or not for this project.",
    403: "Not yours: the work is not in your library, or the token is not a reader's.",
    404: "There is no such row, or none that you may see.",
    409: "The row exists, but its state does not allow this.",
    413: "The body is too large.",
    422: "The request cannot be understood; `errors` or `detail` say which part.",
    429: "Too much at once; `Retry-After` says when to come back.",
    501: "This app has no service key, which imports need.",
    503: "The database is away or lacks the migrations.",
}
_HEADERS: dict[int, dict[str, Any]] = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}, "description": "`Bearer`, and what was wrong."}},
    429: {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}},
    503: {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds, where waiting helps."}},
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may refuse like this."""
    return {
        status: {
            "description": MEANINGS[status],
            **({"headers": _HEADERS[status]} if status in _HEADERS else {}),
            "content": {
                "application/problem+json": {
                    "schema": {"$ref": "#/components/schemas/EnrichmentProblem"},
                    "example": EXAMPLES[status],
                }
            },
        }
        for status in statuses
    }
