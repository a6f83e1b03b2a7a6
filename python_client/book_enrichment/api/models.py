"""What the API takes, and what it puts around the records of `book_enrichment.database` when it answers.

A row is shown as its record, field by field; what stands here is only the API's: bodies, envelopes, and what
comes from no verb.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter

from book_enrichment.api.problems import EnrichmentProblem
from book_enrichment.database.records import (
    EnqueueOutcome,
    ExplainedCandidate,
    FieldLock,
    HistoryLine,
    ImportLine,
    ImportState,
    LibraryLine,
    ListedRow,
    Preview,
    UndoOutcome,
    UsageLine,
    WorkState,
)
from book_enrichment.fields import NAMES, FillableField

UUID_PATTERN = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


def _plain_uuid(value: Any) -> Any:
    """Only the form that is documented: not urn:uuid:…, not {…}, not without hyphens."""
    if isinstance(value, str) and len(value) != 36:
        raise ValueError("an id has 36 characters")
    return value


Id = Annotated[UUID, BeforeValidator(_plain_uuid)]
Ids = Annotated[list[Id], Field(max_length=1000)]
QueueCursor = Annotated[str, Field(pattern=f"^{UUID_PATTERN}$")]
LibraryCursor = Annotated[str, Field(pattern=f"^[0-9]{{1,17}}_{UUID_PATTERN}$")]
# Postgres stores no NUL.
Text = Annotated[str, Field(max_length=500, pattern="^[^\\x00]*$")]
if TYPE_CHECKING:
    FieldName = str
else:
    FieldName = Literal[NAMES]
Fields = Annotated[list[FieldName], Field(max_length=50)]


def _separate_ids(values: list[str]) -> list[str]:
    return [each for value in values for each in value.split(",")]


WorkIds = Annotated[
    list[Annotated[str, Field(pattern=f"^{UUID_PATTERN}(,{UUID_PATTERN})*$")]],
    Field(min_length=1, max_length=1000),
    AfterValidator(_separate_ids),
]


class Answer(BaseModel):
    """What is no record, or stands around some."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class Question(BaseModel):
    """A body. What is not known is refused, so that a misspelt name is not a default."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


# Bodies


class TriggerBody(Question):
    """Works of the own library."""

    work_ids: Ids
    """At most 1,000."""


class ApproveBody(Question):
    """What to write of a row in review."""

    fields: Fields | None = None
    """The ticked ones, as `proposals` names them (`work.cover_url`, `edition.publisher`); null for all."""
    candidate: Text | None = None
    """`provider:work_key` of one of several candidates; null for the one proposed."""


class Filter(Question):
    """Which rows in review: those that agree with everything that is not null."""

    confidence: Literal["high", "medium", "low"] | None = None
    """How sure the match is."""
    provider: Text | None = None
    """Who proposes something."""
    sentence: Text | None = None
    """Rows that say exactly the same about their score."""
    import_id: Id | None = None
    """Rows of one import."""


class BulkBody(Question):
    """Approve or dismiss everything in review that matches."""

    action: Literal["approve", "dismiss"]
    """What to do."""
    filter: Filter = Filter()
    """With which rows; all that are in review in the own library when empty."""
    fields: Fields | None = None
    """With `approve`: only these are written; null for all."""
    dry_run: Annotated[bool, Field(strict=True)] = True
    """Only count, which is what happens unless this is false."""


class LocksBody(Question):
    """Fields of a work, or of one of its editions."""

    fields: Annotated[Fields, Field(min_length=1)]
    """`work.cover_url`, `edition.publisher` …"""
    edition_id: Id | None = None
    """Whose `edition.…` fields are meant."""


# Answers


class Health(Answer):
    """How the app is."""

    status: Literal["ok", "degraded", "unavailable"]
    """`unavailable` (503) without database or migrations; `degraded` when the worker has stopped."""
    database: Literal["ok", "unreachable"]
    """Whether the database answers."""
    migrations: Literal["ok", "missing", "other_version", "unknown"]
    """Whether it has our functions, and of a version this package works with."""
    problem: str | None
    """What is wrong with that, and what to do."""
    worker: Literal["running", "stopped", "off", "not_configured"]
    """The worker in this app: `off` by a setting, `not_configured` without a service key."""
    version: str
    """Of the package."""


class PublicConfig(Answer):
    """What a page needs before anybody has signed in. All of it is public."""

    supabase_url: str | None
    """Address of the project."""
    anon_key: str | None
    """Its public key."""
    realtime: bool
    """Whether to try Supabase Realtime; polling does as well."""
    fields: tuple[FillableField, ...]
    """Every field that may be filled, in the order in which to show them."""
    reasons: dict[str, str]
    """What each `wait_reason` means to a reader; a word that is not here is shown as it is."""


class Statuses(Answer):
    """Badges for a page of works."""

    items: list[WorkState]
    """In the order asked for; works that are not in the own library are left out."""


class QueuePage(Answer):
    """Queue rows, newest first."""

    items: list[ListedRow]
    next_cursor: str | None
    """Send it as `cursor` for the next page; null after the last."""


class LibraryPage(Answer):
    """Books of the own library."""

    items: list[LibraryLine]
    next_cursor: str | None
    """Send it as `cursor` for the next page; null after the last."""


class TriggerOutcome(Answer):
    """What became of the works that were to be queued."""

    items: list[EnqueueOutcome]
    outcomes: dict[str, int]
    """How many works per outcome."""


class UndoOutcomes(Answer):
    """What undoing an import took back."""

    items: list[UndoOutcome]


class ImportAccepted(Answer):
    """The file was read and is being sent to the database."""

    import_id: UUID
    source: str
    """`goodreads` or `storygraph`."""
    rows: int
    """Lines with a book; `GET /imports/{import_id}` counts up to this."""
    notes: list[str]
    """What was guessed or left out while reading, in sentences for the reader."""


class Imports(Answer):
    """Own imports, newest first."""

    items: list[ImportState]


def _describe_import(schema: dict[str, Any]) -> None:
    """Docstrings of fields are not inherited: they are shown from where they stand."""
    described = TypeAdapter(ImportState).json_schema(mode="serialization")["properties"]
    schema["properties"] |= described


@dataclass(frozen=True, slots=True)
class ImportPage(ImportState):
    """How an import stands, with a page of its lines."""

    __pydantic_config__ = ImportState.__pydantic_config__ | {"json_schema_extra": _describe_import}

    state: Literal["sending", "complete", "incomplete"]
    """`sending` while lines arrive; `incomplete` when that was cut off: import the same file again."""
    problem: EnrichmentProblem | None
    """Why it was cut off, where this app knows."""
    items: list[ImportLine]
    next_cursor: str | None
    """Send it as `cursor` for the next page; null after the last."""


class Explanation(Answer):
    """Every candidate of a work, the best first."""

    items: list[ExplainedCandidate]


class History(Answer):
    """What happened to a work, newest first."""

    items: list[HistoryLine]


class FieldLocks(Answer):
    """All locks of the work and the edition."""

    items: list[FieldLock]


class Previews(Answer):
    """What enrichment would do; nothing was written."""

    items: list[Preview]


class Usage(Answer):
    """How much of the free tiers is used, and what waits for what."""

    items: list[UsageLine]
