"""What the API takes and answers. A model has the columns of one verb's answer, under the same names.

A test compares the two, so that a column which a verb gains is met here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from book_enrichment.api.examples import EXAMPLES
from book_enrichment.api.problems import EnrichmentProblem

Status = Literal["pending", "in_progress", "completed", "needs_review", "failed", "skipped"]
Confidence = Literal["none", "low", "medium", "high"]

UUID_PATTERN = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


def _plain_uuid(value: Any) -> Any:
    """Only the form that is documented: not urn:uuid:…, not {…}, not without hyphens."""
    if isinstance(value, str) and len(value) != 36:
        raise ValueError("an id has 36 characters")
    return value


Id = Annotated[UUID, BeforeValidator(_plain_uuid)]
Ids = Annotated[list[Id], Field(max_length=1000)]
QueueCursor = Annotated[str, Field(pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
LibraryCursor = Annotated[str, Field(pattern="^[0-9]{1,17}_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
# Postgres stores no NUL.
Text = Annotated[str, Field(max_length=500, pattern="^[^\\x00]*$")]
FieldName = Literal[
    "work.cover_url",
    "work.description",
    "work.first_publish_year",
    "edition.publisher",
    "edition.publish_date",
    "edition.isbn10",
    "edition.isbn13",
    "edition.language",
    "edition.format",
    "edition.total_pages",
    "edition.total_audio_minutes",
]
Fields = Annotated[list[FieldName], Field(max_length=50)]


def _separate_ids(values: list[str]) -> list[str]:
    return [each for value in values for each in value.split(",")]


WorkIds = Annotated[
    list[Annotated[str, Field(pattern=f"^{UUID_PATTERN}(,{UUID_PATTERN})*$")]],
    Field(min_length=1, max_length=1000),
    AfterValidator(_separate_ids),
]


def _show_example(schema: dict[str, Any], model: type[Any]) -> None:
    if example := EXAMPLES.get(model.__name__):
        schema["examples"] = [example]


class Answer(BaseModel):
    """Read from a record by the names of its fields."""

    model_config = ConfigDict(
        from_attributes=True, use_attribute_docstrings=True, json_schema_extra=_show_example
    )


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
    reasons: dict[str, str]
    """What each `wait_reason` means to a reader; a word that is not here is shown as it is."""


class WorkState(Answer):
    """A badge: the newest queue row of one work (`enrichment_status`)."""

    work_id: UUID
    queue_id: UUID | None
    """Null when the work was never queued."""
    status: Status | None
    confidence: Confidence | None
    wait_reason: str | None
    """Why a pending row waits: `rate`, `daily`, `breaker`, `auto_disabled`, `no_contact` …"""
    next_attempt_after: datetime | None
    """Until when; null until a setting changes."""
    last_error: str | None
    cover_applied: bool | None
    fields_applied: tuple[str, ...]
    cover_url: str | None
    last_enriched_at: datetime | None
    undone_at: datetime | None
    """When what this row wrote was taken back."""


class Statuses(Answer):
    """Badges for a page of works."""

    items: list[WorkState]
    """In the order asked for; works that are not in the own library are left out."""


class QueueItem(Answer):
    """A queue row with all a review panel shows (`list_enrichment`)."""

    queue_id: UUID
    work_id: UUID
    edition_id: UUID | None
    import_id: UUID | None
    """The own import it came with."""
    title: str
    authors: tuple[str, ...]
    status: Status
    confidence: Confidence | None
    wait_reason: str | None
    """Why a pending row waits."""
    next_attempt_after: datetime | None
    """Until when; null until a setting changes."""
    last_error: str | None
    cover_url: str | None
    """What the work shows today."""
    cover_applied: bool | None
    fields_applied: tuple[str, ...]
    providers_attempted: tuple[str, ...]
    sentence: str | None
    """The score in words."""
    current_values: dict[str, Any]
    """`{field: value now}`, every field that may be filled."""
    proposals: dict[str, Any]
    """`{field: {"value", "current", "provider", "source_url", "confidence", "candidate"}}`."""
    match_details: dict[str, Any] | None
    """Every candidate with its score parts."""
    trigger_source: str
    """Who asked: `post_import`, `manual_bulk`, `scheduled`."""
    is_mine: bool
    """Whether it was the caller who triggered or approved it."""
    created_at: datetime
    finished_at: datetime | None
    undone_at: datetime | None
    """When what this row wrote was taken back."""
    is_undoable: bool
    """Whether `POST /{queue_id}/undo` would take it back for the caller now."""


class QueuePage(Answer):
    """Queue rows, newest first."""

    items: list[QueueItem]
    next_cursor: str | None
    """Send it as `cursor` for the next page; null after the last."""


class LibraryItem(Answer):
    """A book of the own library and how it stands (`enrichment_library`)."""

    work_id: UUID
    library_item_id: UUID
    edition_id: UUID | None
    title: str
    authors: tuple[str, ...]
    cover_url: str | None
    """As the reader sees it: the item's own, the edition's, the work's."""
    first_publish_year: int | None
    status: Status | None
    """Of the newest queue row; null when the work was never queued."""
    queue_id: UUID | None
    confidence: Confidence | None
    wait_reason: str | None
    next_attempt_after: datetime | None
    last_error: str | None
    undone_at: datetime | None
    missing: tuple[str, ...]
    """Empty fields that enrichment could fill."""


class LibraryPage(Answer):
    """Books of the own library."""

    items: list[LibraryItem]
    next_cursor: str | None
    """Send it as `cursor` for the next page; null after the last."""


class Summary(Answer):
    """The own library in numbers, each work by its newest queue row (`enrichment_summary`)."""

    books: int
    missing_cover: int
    missing_something: int
    pending: int
    in_progress: int
    completed: int
    needs_review: int
    failed: int
    skipped: int
    covers_applied: int
    next_due_at: datetime | None
    """When the next pending row is due; null until a setting changes."""
    next_reason: str | None
    """What it waits for."""


class Triggered(Answer):
    """What became of one work that was to be queued."""

    work_id: UUID
    outcome: str
    """`enqueued`, `already_open`, `in_review`, `complete`, `known_miss` or `unknown`."""
    queue_id: UUID | None


class TriggerOutcome(Answer):
    """What became of the works that were to be queued."""

    items: list[Triggered]
    outcomes: dict[str, int]
    """How many works per outcome."""


class ReviewOutcome(Answer):
    """What a decision wrote."""

    queue_id: UUID
    status: Status
    fields_applied: tuple[str, ...]
    fields_skipped: tuple[str, ...]
    """Ticked, but filled or locked meanwhile."""


class UndoOutcome(Answer):
    """What an undo took back (`undo_enrichment`, `undo_import`)."""

    queue_id: UUID | None
    work_id: UUID
    status: Status | None
    fields_restored: tuple[str, ...]
    """Emptied again."""
    fields_kept: tuple[str, ...]
    """Changed since by someone, and therefore kept."""
    reason: str | None
    """Why something was kept, or could not be undone."""


class UndoOutcomes(Answer):
    """What undoing an import took back."""

    items: list[UndoOutcome]


class MatchingOutcome(Answer):
    """What a bulk decision did, or would do (`approve_matching`, `dismiss_matching`)."""

    is_dry_run: bool
    matched: int
    """Rows in review that the filter finds."""
    changed: int
    skipped: int
    fields: dict[str, int]
    """How many values per field."""
    remaining: int
    """Left for the next call, after a dry run all of them: send it again while `changed` is more than 0."""


class ImportAccepted(Answer):
    """The file was read and is being sent to the database."""

    import_id: UUID
    source: str
    """`goodreads` or `storygraph`."""
    rows: int
    """Lines with a book; `GET /imports/{import_id}` counts up to this."""
    notes: list[str]
    """What was guessed or left out while reading, in sentences for the reader."""


class Import(Answer):
    """How an import stands (`enrichment_import`)."""

    import_id: UUID
    import_source: str
    created_at: datetime
    expected_rows: int | None
    """Lines of the file."""
    rows: int
    """Lines that are in."""
    created: int
    matched: int
    duplicate: int
    rejected: int
    pending: int
    in_progress: int
    completed: int
    needs_review: int
    failed: int
    skipped: int
    covers_applied: int
    undone: int
    undoable: int
    """Books in which undoing the import would take something back."""


class Imports(Answer):
    """Own imports, newest first."""

    items: list[Import]


class ImportRow(Answer):
    """What became of one line of the file, and where its work stands now (`enrichment_import_rows`)."""

    row_number: int
    """As in a spreadsheet: the first book is 2."""
    title: str | None
    authors: tuple[str, ...]
    outcome: str
    """`created`, `matched`, `duplicate` or `rejected`."""
    reason: str | None
    """Why it was rejected."""
    work_id: UUID | None
    queue_id: UUID | None
    status: Status | None
    """Of the queue row."""


class ImportProgress(Import):
    """How an import stands, with a page of its lines."""

    state: Literal["sending", "complete", "incomplete"]
    """`sending` while lines arrive; `incomplete` when that was cut off: import the same file again."""
    problem: EnrichmentProblem | None
    """Why it was cut off, where this app knows."""
    items: list[ImportRow]
    next_cursor: str | None
    """Send it as `cursor` for the next page; null after the last."""


class Candidate(Answer):
    """A book that a provider offered for a work, and how well it fits (`explain_enrichment`)."""

    place: int
    """1 is the best; what was dismissed comes last."""
    candidate: str
    """`provider:work_key`, which `approve` takes."""
    provider: str
    work_key: str
    title: str
    authors: str | None
    source_url: str | None
    """Where a person can look at it."""
    cover_url: str | None
    title_score: int
    """0 to 4."""
    author_score: int | None
    """0 to 3; null when a side names no author."""
    isbn_score: int
    """0, 4 or 5."""
    confidence: Confidence
    sentence: str
    """The score in words."""
    parts: dict[str, Any]
    """What was compared: `{"title": {"score", "ours", "theirs", "veto"}, "author": {…}, "isbn": {…}}`."""
    values: dict[str, Any]
    """Everything it could fill, by field."""
    is_dismissed: bool
    """Dismissed once, so not proposed again."""


class Explanation(Answer):
    """Every candidate of a work, the best first."""

    items: list[Candidate]


class HistoryLine(Answer):
    """Something that happened to a work (`enrichment_history`)."""

    id: UUID
    queue_id: UUID | None
    """Null for what an import's own columns filled."""
    action: str
    """`auto_applied`, `queued_review`, `skipped`, `failed`, `approved`, `dismissed` or `undone`."""
    provider: str | None
    source_record: dict[str, Any] | None
    source_url: str | None
    confidence: Confidence | None
    fields_changed: dict[str, Any]
    """`{field: {"old", "new"}}`."""
    sentence: str | None
    is_mine: bool
    """Whether it was the caller."""
    created_at: datetime
    is_undoable: bool
    """Whether `POST /{queue_id}/undo` would take it back for the caller now."""


class History(Answer):
    """What happened to a work, newest first."""

    items: list[HistoryLine]


class FieldLock(Answer):
    """A field that enrichment leaves alone."""

    work_id: UUID
    edition_id: UUID | None
    """Null for a field of the work."""
    field: str


class FieldLocks(Answer):
    """All locks of the work and the edition."""

    items: list[FieldLock]


class Lookup(Answer):
    """A question to a provider."""

    provider: str
    kind: str
    """`isbn`, `title` …"""
    key: str
    title: str | None
    author: str | None


class Preview(Answer):
    """What enrichment would do with a work (`preview_enrichment`)."""

    work_id: UUID
    status: Status | None
    """What the row would become; `pending` when a provider would be asked first, null when not queued."""
    confidence: Confidence | None
    sentence: str | None
    wait_reason: str | None
    values: dict[str, Any]
    """`{field: {"value", "provider", "candidate", "confidence", "current", "is_applied"}}`."""
    lookups: tuple[Lookup, ...]
    """What would be asked next."""


class Previews(Answer):
    """What enrichment would do; nothing was written."""

    items: list[Preview]


class UsageLine(Answer):
    """A meter (`enrichment_usage`)."""

    meter: str
    """`database`, `covers`, `calls` or `waiting`."""
    subject: str
    """`database`, `storage`, `budget`, the provider, or the reason for waiting."""
    used: int
    allowed: int | None
    unit: str
    """`bytes`, `calls`, `rows`."""
    until: datetime | None
    """When the count starts anew, or the waiting ends."""


class Usage(Answer):
    """How much of the free tiers is used, and what waits for what."""

    items: list[UsageLine]
