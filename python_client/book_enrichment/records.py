"""What comes back from the database: one frozen dataclass per verb, one line per column.

Every record is read by column name with `from_row`. The two doors speak differently (PostgREST sends strings
and JSON numbers, psycopg sends objects), so a value is decoded by the type its field is annotated with, and
both doors end in equal records.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Self
from uuid import UUID

from book_enrichment.providers import Lookup


def _datetime(value: Any) -> datetime | None:
    if value == "infinity":  # a row that waits for a switch has no moment to name
        return None
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return moment.astimezone(UTC)


def _uuid(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)


def _as_it_is(value: Any) -> Any:
    return value


@cache
def _decoder(annotation: Any) -> Callable[[Any], Any]:
    """The function that turns a column's value, from either door, into the annotated type."""
    if annotation is datetime:
        return _datetime
    if annotation is UUID:
        return _uuid
    if annotation is float:
        return float
    if annotation is Lookup:
        return Lookup.from_row
    if isinstance(annotation, types.UnionType):
        (inner,) = (_decoder(part) for part in typing.get_args(annotation) if part is not types.NoneType)
        return lambda value: None if value is None else inner(value)
    if typing.get_origin(annotation) is tuple:
        element = _decoder(typing.get_args(annotation)[0])
        return lambda value: tuple(element(each) for each in value or ())
    return _as_it_is


@cache
def _decoders(record: Any) -> dict[str, Callable[[Any], Any]]:
    hints = typing.get_type_hints(record)
    return {field.name: _decoder(hints[field.name]) for field in dataclasses.fields(record)}


@dataclass(frozen=True, slots=True)
class Record:
    """A row of a verb's answer. Columns it does not know are ignored: a newer database may say more."""

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Read by column name; KeyError when the database leaves out a column that this record names."""
        decoders = _decoders(cls)  # type: ignore[arg-type]  # mypy takes a class for unhashable
        return cls(**{name: decode(row[name]) for name, decode in decoders.items()})


@dataclass(frozen=True, slots=True)
class ImportOutcome(Record):
    """What became of one CSV row."""

    row_number: int  # as in a spreadsheet: the first data line is 2
    outcome: str  # created | matched | duplicate | rejected
    reason: str | None  # why it was rejected
    work_id: UUID | None
    edition_id: UUID | None
    library_item_id: UUID | None
    enrichment: str | None  # the enqueue outcome; None when it was not asked
    queue_id: UUID | None


@dataclass(frozen=True, slots=True)
class EnqueueOutcome(Record):
    """What became of one work that was to be enqueued."""

    work_id: UUID
    outcome: str  # enqueued | already_open | in_review | complete | known_miss | unknown
    queue_id: UUID | None


@dataclass(frozen=True, slots=True)
class SweepOutcome(Record):
    """A row that the database answered from its own cache."""

    queue_id: UUID
    work_id: UUID
    status: str
    confidence: str | None  # high | medium | low | none
    fields_applied: tuple[str, ...]
    wait_reason: str | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class ClaimedRow(Record):
    """A row that is ours until it is applied, failed, released or grows stale."""

    queue_id: UUID
    claim_token: UUID  # goes back with every answer; a claim that was reset changes nothing
    work_id: UUID
    edition_id: UUID | None
    title: str
    authors: tuple[str, ...]
    attempt_count: int  # this one included
    lookups: tuple[Lookup, ...]  # what is still to be asked; may be empty


@dataclass(frozen=True, slots=True)
class Reservation(Record):
    """Leave to call a provider: use it within two seconds or throw it away."""

    granted: int
    retry_after: float | None  # seconds, 0 when granted; None: until a setting changes
    reason: str | None  # rate | daily | breaker | retry_after | no_contact | no_key | disabled …


@dataclass(frozen=True, slots=True)
class ProviderState(Record):
    """How a provider stands after a report."""

    provider: str
    failures: int  # in a row
    open_until: datetime | None  # the breaker
    retry_at: datetime | None  # what the provider asked for
    paused_reason: str | None  # no_key | bad_key | quota_zero | identify


@dataclass(frozen=True, slots=True)
class ApplyOutcome(Record):
    """What became of one element of an apply call."""

    position: int  # in the array that was sent, from 0
    queue_id: UUID | None
    outcome: str  # applied | stale_claim | rejected
    status: str | None
    confidence: str | None
    fields_applied: tuple[str, ...]
    message: str | None


@dataclass(frozen=True, slots=True)
class QueueState(Record):
    """Where a queue row stands after a fail, a release or a stale reset."""

    queue_id: UUID
    status: str
    attempt_count: int
    next_attempt_after: datetime | None  # None: when a setting changes
    wait_reason: str | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class Pruned(Record):
    """How much of one kind was removed by age."""

    subject: str
    removed: int


@dataclass(frozen=True, slots=True)
class ProviderLine(Record):
    """A line of the providers' dashboard: may it be called, how much is left, and how it has been doing."""

    provider: str
    is_enabled: bool
    wait_reason: str | None  # None: it may be called now
    available_at: datetime | None  # None with a wait_reason: when a setting changes
    tokens: float  # calls that are free now
    rate_per_second: float  # how fast they come back
    burst_size: int
    used_today: int
    daily_limit: int | None
    daily_reserve: int  # of the daily limit, calls that stay unspent
    failures: int  # consecutive ones
    last_error: str | None


@dataclass(frozen=True, slots=True)
class Due(Record):
    """When a worker should come back."""

    due_at: datetime | None  # None when nothing is pending
    due_in: float | None  # seconds, never negative
    reason: str | None
    pending: int
    in_progress: int


@dataclass(frozen=True, slots=True)
class WorkStatus(Record):
    """A badge: the newest queue row of one work."""

    work_id: UUID
    queue_id: UUID | None
    status: str | None
    confidence: str | None
    wait_reason: str | None
    next_attempt_after: datetime | None
    last_error: str | None
    cover_applied: bool | None
    fields_applied: tuple[str, ...]
    cover_url: str | None
    last_enriched_at: datetime | None
    undone_at: datetime | None  # what this row wrote was taken back


@dataclass(frozen=True, slots=True)
class QueueRow(Record):
    """A line of the queue page, with all that a review panel shows."""

    queue_id: UUID
    work_id: UUID
    edition_id: UUID | None
    import_id: UUID | None  # None for another reader's import, too
    title: str
    authors: tuple[str, ...]
    status: str
    confidence: str | None
    wait_reason: str | None
    next_attempt_after: datetime | None
    last_error: str | None
    cover_url: str | None
    cover_applied: bool | None
    fields_applied: tuple[str, ...]
    providers_attempted: tuple[str, ...]
    sentence: str | None  # why this confidence
    current_values: dict[str, Any]  # every field that may be filled, as it is now
    proposals: dict[str, Any]  # {field: {value, current, provider, source_url, confidence, candidate}}
    match_details: dict[str, Any] | None
    trigger_source: str
    is_mine: bool  # it was the caller who triggered or approved it
    created_at: datetime
    finished_at: datetime | None
    undone_at: datetime | None
    cursor: str | None  # give it back to get the rows after this one
    is_undoable: bool  # undo_enrichment would take it back for the caller now


@dataclass(frozen=True, slots=True)
class HistoryLine(Record):
    """A change of a book, or a decision about it."""

    id: UUID
    queue_id: UUID | None  # None for what an import's own columns filled
    action: str  # auto_applied | queued_review | skipped | failed | approved | dismissed | undone
    provider: str | None
    source_record: dict[str, Any] | None
    source_url: str | None  # where a person can look at it
    confidence: str | None
    fields_changed: dict[str, Any]  # {field: {old, new}}
    sentence: str | None
    is_mine: bool  # it was the caller
    created_at: datetime
    is_undoable: bool  # undo_enrichment of queue_id would take it back for the caller now


@dataclass(frozen=True, slots=True)
class LibraryLine(Record):
    """A book of the reader's library."""

    work_id: UUID
    library_item_id: UUID
    edition_id: UUID | None
    title: str
    authors: tuple[str, ...]
    cover_url: str | None  # the one that is shown
    first_publish_year: int | None
    status: str | None  # of its newest queue row; None when it was never queued
    queue_id: UUID | None
    confidence: str | None
    wait_reason: str | None
    next_attempt_after: datetime | None
    last_error: str | None
    undone_at: datetime | None
    missing: tuple[str, ...]  # fields that are empty and not locked
    cursor: str  # give it back to get the books after this one


@dataclass(frozen=True, slots=True)
class LibrarySummary(Record):
    """A library in numbers; states are those of each book's newest queue row."""

    books: int
    missing_cover: int  # show none
    missing_something: int
    pending: int
    in_progress: int
    completed: int
    needs_review: int
    failed: int
    skipped: int
    covers_applied: int  # by enrichment, and not undone
    next_due_at: datetime | None  # None with a reason: when a setting changes
    next_reason: str | None


@dataclass(frozen=True, slots=True)
class ImportProgress(Record):
    """How far an import is: its rows by outcome, the queue rows of its books by state."""

    import_id: UUID
    import_source: str  # goodreads | storygraph
    created_at: datetime
    expected_rows: int | None  # that the file has; None when it was not said
    rows: int  # that were read
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
    undoable: int  # books in which undo_import would take something back


@dataclass(frozen=True, slots=True)
class ImportLine(Record):
    """A line of an imported file, and how its book is doing."""

    row_number: int
    title: str | None
    authors: tuple[str, ...]
    outcome: str  # created | matched | duplicate | rejected
    reason: str | None
    work_id: UUID | None
    queue_id: UUID | None
    status: str | None  # of the queue row
    cursor: int  # give it back to get the rows after this one


@dataclass(frozen=True, slots=True)
class UsageLine(Record):
    """A line of the free-tier meter."""

    meter: str  # database | covers | calls | waiting
    subject: str  # database | storage | budget | a provider | a reason for waiting
    used: int
    allowed: int | None  # None: no limit
    unit: str  # bytes | calls | rows
    until: datetime | None  # when calls count from zero again; when the first waiting row is due


@dataclass(frozen=True, slots=True)
class UndoOutcome(Record):
    """What taking a row back restored."""

    queue_id: UUID | None  # None for what an import's own columns filled
    work_id: UUID
    status: str | None
    fields_restored: tuple[str, ...]
    fields_kept: tuple[str, ...]  # edited since
    reason: str | None  # why nothing was undone; None where it was


@dataclass(frozen=True, slots=True)
class MatchingOutcome(Record):
    """What a decision about all rows of a kind did, or would do."""

    is_dry_run: bool
    matched: int
    changed: int
    skipped: int  # taken by somebody else meanwhile, or refused alone
    fields: dict[str, int]  # {field: how many}
    remaining: int  # left for the next call


@dataclass(frozen=True, slots=True)
class ReviewOutcome(Record):
    """What a person's decision wrote."""

    queue_id: UUID
    status: str
    fields_applied: tuple[str, ...]
    fields_skipped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExplainedCandidate(Record):
    """A provider's book beside ours: how it fits, and what it would fill."""

    place: int  # 1 is the best; what a reader turned away comes last
    candidate: str  # provider:work_key, as approve_enrichment takes it
    provider: str
    work_key: str
    title: str
    authors: str | None
    source_url: str | None  # where a person can look at it
    cover_url: str | None
    title_score: int  # 0 to 4
    author_score: int | None  # 0 to 3; None: one side names nobody
    isbn_score: int  # 0, 4 or 5
    confidence: str  # high | medium | low | none
    sentence: str
    parts: dict[str, Any]  # {"title": {"score", "ours", "theirs", "veto"}, "author": {…}, "isbn": {…}}
    values: dict[str, Any]  # everything it could fill, by field
    is_dismissed: bool


@dataclass(frozen=True, slots=True)
class Preview(Record):
    """What would become of one work if it were triggered now."""

    work_id: UUID
    status: str | None  # pending: a provider would be asked; None: it would not be queued
    confidence: str | None
    sentence: str | None
    wait_reason: str | None
    # By field: {"value", "provider", "candidate", "confidence", "current", "is_applied"}.
    values: dict[str, Any]
    lookups: tuple[Lookup, ...]  # what would be asked next


@dataclass(frozen=True, slots=True)
class FieldLock(Record):
    """A field that enrichment leaves alone."""

    work_id: UUID
    edition_id: UUID | None  # None for a field of the work
    field: str


@dataclass(frozen=True, slots=True)
class Setting(Record):
    """One setting of the database, after the change."""

    name: str
    value: str | None
    description: str | None


@dataclass(frozen=True, slots=True)
class OverviewLine(Record):
    """A line of the dashboard: how many rows are in one state, for one reason."""

    status: str
    wait_reason: str | None
    rows: int
    oldest: datetime | None
    until: datetime | None  # when the waiting ends


@dataclass(frozen=True, slots=True)
class InstalledVersion(Record):
    """What the database is at."""

    version: int
    """Counts the steps of supabase/migrations that were applied."""
    name: str
    """The last of them."""
    works_with: int
    """The oldest version whose package still works with it."""


@dataclass(frozen=True, slots=True)
class HealthCheck(Record):
    """One thing enrichment needs, and whether it is there."""

    name: str
    state: str  # ok | warn | fail
    message: str
    hint: str | None  # what to do; None where all is well


@dataclass(frozen=True, slots=True)
class ClaimedCover(Record):
    """A cover that is ours to store until it is applied, failed, released or grows stale."""

    cover_id: UUID
    claim_token: UUID  # goes back with the answer; a claim that was reset changes nothing
    work_id: UUID
    provider: str  # whose image; its calls count for <provider>_covers
    source_url: str
    attempt_count: int  # this one included


@dataclass(frozen=True, slots=True)
class CoverOutcome(Record):
    """What became of one element of an apply_covers call."""

    position: int  # in the array that was sent, from 0
    cover_id: UUID | None
    work_id: UUID | None
    outcome: str  # applied | url_changed | locked | over_budget | stale_claim | failed | rejected
    status: str | None
    message: str | None


@dataclass(frozen=True, slots=True)
class CoverState(Record):
    """Where a cover stands after a fail or a release."""

    cover_id: UUID
    status: str
    attempt_count: int
    next_attempt_after: datetime | None  # None: when a setting changes
    wait_reason: str | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class CoverReport(Record):
    """How storing covers stands, and what a worker must keep to."""

    cover_mode: str  # hotlink | thumbnail
    wait_reason: str | None  # hotlink_mode | storage_budget | backfill | that of the provider or the next row
    due_at: datetime | None  # None when nothing will be due by itself
    due_in: float | None  # seconds, never negative
    pending: int
    in_progress: int
    images: int  # stored
    bytes: int  # stored
    budget_bytes: int
    download_bytes: int  # the most that is downloaded for one cover
    image_bytes: int  # the most that is stored for one
    hosts: tuple[str, ...]  # where images may come from; *.name is every host below name
    placeholders: tuple[str, ...]  # md5 or sha256 of files that only say "there is no image"
