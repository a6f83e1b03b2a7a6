"""One method per public SQL function: same name, same parameter names, same meaning of the defaults.

What a verb does, who may call it and what it refuses is written in the database, beside the function (`\\df+`
shows it); the docstrings here only say what goes in and comes out. Arguments left at None are not sent, so
the SQL default holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from book_enrichment.database.calls import Calls
from book_enrichment.database.records import (
    ApplyOutcome,
    ClaimedCover,
    ClaimedRow,
    CoverOutcome,
    CoverReport,
    CoverState,
    Due,
    EnqueueOutcome,
    ExplainedCandidate,
    FieldLock,
    HealthCheck,
    HistoryLine,
    ImportLine,
    ImportOutcome,
    ImportState,
    InstalledVersion,
    LibraryLine,
    LibrarySummary,
    ListedRow,
    MatchingOutcome,
    Preview,
    ProviderReport,
    ProviderState,
    Pruned,
    Reservation,
    Resolution,
    ReviewOutcome,
    RowState,
    Setting,
    StateCount,
    UndoOutcome,
    UsageLine,
    WorkState,
)
from book_enrichment.database.transports import Json


class Database(Calls):
    """The verbs of the database."""

    # A work comes in, and gets in line.

    async def import_library(
        self,
        user_id: UUID,
        import_source: str,
        rows: Sequence[Mapping[str, Any]],
        import_id: UUID | None = None,
        expected_rows: int | None = None,
    ) -> list[ImportOutcome]:
        """Up to 500 parsed CSV rows, an outcome each; `import_id` ties the calls for one file together.

        `expected_rows`: how many the whole file has, so that one that was cut off shows.
        """
        return await self._all(
            ImportOutcome,
            "import_library",
            user_id=user_id,
            import_source=import_source,
            rows=Json(rows),
            import_id=import_id,
            expected_rows=expected_rows,
        )

    async def enqueue_enrichment(
        self,
        work_ids: Sequence[UUID],
        trigger_source: str | None = None,
        triggered_by: UUID | None = None,
        priority: int | None = None,
    ) -> list[EnqueueOutcome]:
        """Up to 1,000 works; a lower `priority` goes first."""
        return await self._all(
            EnqueueOutcome,
            "enqueue_enrichment",
            work_ids=list(work_ids),
            trigger_source=trigger_source,
            triggered_by=triggered_by,
            priority=priority,
        )

    async def sweep_enrichment(self, batch_size: int | None = None) -> list[Resolution]:
        """One batch of the cached lane; an empty list means that the cache has no more answers."""
        return await self._all(Resolution, "sweep_enrichment", batch_size=batch_size)

    # A worker takes it, asks, and answers.

    async def claim_enrichment(self, worker_name: str, batch_size: int | None = None) -> list[ClaimedRow]:
        """Rows that are due and whose look-ups may be made now."""
        return await self._all(ClaimedRow, "claim_enrichment", worker_name=worker_name, batch_size=batch_size)

    async def reserve_provider_calls(self, provider: str, calls: int | None = None) -> Reservation:
        """Leave for up to `calls` HTTP calls, to be used within two seconds."""
        return await self._one(Reservation, "reserve_provider_calls", provider=provider, calls=calls)

    async def report_provider_calls(
        self,
        provider: str,
        succeeded: int | None = None,
        failed: int | None = None,
        last_error: str | None = None,
        retry_after: float | None = None,
        reason: str | None = None,
    ) -> ProviderReport:
        """How calls went. `retry_after`: seconds the provider asked for; `reason`: one that pauses it, as
        `ProviderReport.paused_reason` names them."""
        return await self._one(
            ProviderReport,
            "report_provider_calls",
            provider=provider,
            succeeded=succeeded,
            failed=failed,
            last_error=last_error,
            retry_after=retry_after,
            reason=reason,
        )

    async def apply_enrichment(self, results: Sequence[Mapping[str, Any]]) -> list[ApplyOutcome]:
        """Up to 1,000 claimed rows with what was answered; one outcome each, a bad one fails alone.

        An element: {queue_id, claim_token, lookups: [{provider, kind, key, raw | no_match}]}.
        """
        return await self._all(ApplyOutcome, "apply_enrichment", results=Json(results))

    async def fail_enrichment(self, queue_id: UUID, claim_token: UUID, error: str) -> RowState | None:
        """A lasting error of this row's own look-up: spends the attempt."""
        return await self._first(
            RowState, "fail_enrichment", queue_id=queue_id, claim_token=claim_token, error=error
        )

    async def release_enrichment(
        self, queue_id: UUID, claim_token: UUID, reason: str, retry_at: datetime | None = None
    ) -> RowState | None:
        """Not this row's fault: back in line, the attempt given back, saying why and until when."""
        return await self._first(
            RowState,
            "release_enrichment",
            queue_id=queue_id,
            claim_token=claim_token,
            reason=reason,
            retry_at=retry_at,
        )

    async def enrichment_due(self) -> Due:
        """When to come back, and why not earlier."""
        return await self._one(Due, "enrichment_due")

    # A cover is stored.

    async def claim_covers(self, worker_name: str, batch_size: int | None = None) -> list[ClaimedCover]:
        """Covers that are due and may be downloaded now; at most 100, 10 when not said."""
        return await self._all(ClaimedCover, "claim_covers", worker_name=worker_name, batch_size=batch_size)

    async def apply_covers(self, results: Sequence[Mapping[str, Any]]) -> list[CoverOutcome]:
        """Up to 1,000 images that are in the bucket; one outcome each, a bad one fails alone.

        An element: {cover_id, claim_token, sha256, storage_path, cover_url, bytes, width, height}.
        """
        return await self._all(CoverOutcome, "apply_covers", results=Json(results))

    async def fail_cover(
        self, cover_id: UUID, claim_token: UUID, error: str, is_lasting: bool | None = None
    ) -> CoverState | None:
        """This image will not do: `is_lasting` closes the row, otherwise the attempt is spent."""
        return await self._first(
            CoverState,
            "fail_cover",
            cover_id=cover_id,
            claim_token=claim_token,
            error=error,
            is_lasting=is_lasting,
        )

    async def release_cover(
        self, cover_id: UUID, claim_token: UUID, reason: str, retry_at: datetime | None = None
    ) -> CoverState | None:
        """Not this image's fault: back in line, the attempt given back, saying why and until when."""
        return await self._first(
            CoverState,
            "release_cover",
            cover_id=cover_id,
            claim_token=claim_token,
            reason=reason,
            retry_at=retry_at,
        )

    async def enrichment_covers(self) -> CoverReport:
        """How storing covers stands, and what a worker must keep to."""
        return await self._one(CoverReport, "enrichment_covers")

    # Housekeeping, otherwise done by pg_cron.

    async def reset_stale_enrichment(self, older_than: timedelta | None = None) -> list[RowState]:
        """Claims of workers that are gone, back in line."""
        return await self._all(RowState, "reset_stale_enrichment", older_than=older_than)

    async def prune_enrichment(self) -> list[Pruned]:
        """What is past its age, removed."""
        return await self._all(Pruned, "prune_enrichment")

    async def configure_enrichment(self, changes: Mapping[str, Any] | None = None) -> list[Setting]:
        """All settings, after the changes (none: just read them)."""
        return await self._all(
            Setting, "configure_enrichment", changes=None if changes is None else Json(changes)
        )

    async def enrichment_overview(self) -> list[StateCount]:
        """Rows by state and by what they wait for."""
        return await self._all(StateCount, "enrichment_overview")

    async def enrichment_providers(self) -> list[ProviderState]:
        """Who may be called now, and if not, why and until when; in the order of asking."""
        return await self._all(ProviderState, "enrichment_providers")

    async def enrichment_version(self) -> InstalledVersion | None:
        """What version the database is at; None where it has lost count."""
        return await self._first(InstalledVersion, "enrichment_version")

    async def enrichment_health(
        self, verbs: Mapping[str, Sequence[str]] | None = None, objects: Mapping[str, str] | None = None
    ) -> list[HealthCheck]:
        """One check a line; `verbs` are those that will be called, with their parameters, `objects` what this
        version has (see `migrate.steps.expected_objects`)."""
        return await self._all(
            HealthCheck,
            "enrichment_health",
            verbs=None if verbs is None else Json(verbs),
            objects=None if objects is None else Json(objects),
        )

    # The reader's buttons and pages.

    async def trigger_enrichment(self, work_ids: Sequence[UUID]) -> list[EnqueueOutcome]:
        """Works of the reader's own library."""
        return await self._all(EnqueueOutcome, "trigger_enrichment", work_ids=list(work_ids))

    async def trigger_missing_enrichment(self) -> list[EnqueueOutcome]:
        """Every work of the reader's library that lacks something."""
        return await self._all(EnqueueOutcome, "trigger_missing_enrichment")

    async def enrichment_status(self, work_ids: Sequence[UUID]) -> list[WorkState]:
        """Badges for a page of works."""
        return await self._all(WorkState, "enrichment_status", work_ids=list(work_ids))

    async def list_enrichment(
        self, status: str | None = None, page_size: int | None = None, cursor: str | None = None
    ) -> list[ListedRow]:
        """A page of the queue, newest first; `cursor` is that of the last row of the page before."""
        return await self._all(
            ListedRow, "list_enrichment", status=status, page_size=page_size, cursor=cursor
        )

    async def enrichment_library(
        self, filter: str | None = None, page_size: int | None = None, cursor: str | None = None
    ) -> list[LibraryLine]:
        """A page of the reader's library, newest first; `filter`: a status, or `missing`."""
        return await self._all(
            LibraryLine, "enrichment_library", filter=filter, page_size=page_size, cursor=cursor
        )

    async def enrichment_summary(self) -> LibrarySummary:
        """The reader's library in numbers."""
        return await self._one(LibrarySummary, "enrichment_summary")

    async def enrichment_history(self, work_id: UUID) -> list[HistoryLine]:
        """What was done to a book, newest first, at most 200 lines."""
        return await self._all(HistoryLine, "enrichment_history", work_id=work_id)

    async def enrichment_imports(self, page_size: int | None = None) -> list[ImportState]:
        """The reader's imports, newest first; for the service role everybody's."""
        return await self._all(ImportState, "enrichment_imports", page_size=page_size)

    async def enrichment_import(self, import_id: UUID) -> ImportState:
        """How far one import is."""
        return await self._one(ImportState, "enrichment_import", import_id=import_id)

    async def enrichment_import_rows(
        self, import_id: UUID, page_size: int | None = None, cursor: int | None = None
    ) -> list[ImportLine]:
        """A page of an import's lines, in the order of the file."""
        return await self._all(
            ImportLine, "enrichment_import_rows", import_id=import_id, page_size=page_size, cursor=cursor
        )

    async def enrichment_usage(self) -> list[UsageLine]:
        """The free-tier meter."""
        return await self._all(UsageLine, "enrichment_usage")

    async def explain_enrichment(self, work_id: UUID) -> list[ExplainedCandidate]:
        """Every candidate for a work with each part of its scores, the best first."""
        return await self._all(ExplainedCandidate, "explain_enrichment", work_id=work_id)

    async def preview_enrichment(self, work_ids: Sequence[UUID]) -> list[Preview]:
        """What would happen to these works now; nothing is written."""
        return await self._all(Preview, "preview_enrichment", work_ids=list(work_ids))

    async def approve_enrichment(
        self, queue_id: UUID, fields: Sequence[str] | None = None, candidate: str | None = None
    ) -> ReviewOutcome | None:
        """Write what was proposed: all of it, or only the ticked `fields`.

        Where several books were shown as rivals, `candidate` (provider:work_key) chooses one of them.
        """
        return await self._first(
            ReviewOutcome,
            "approve_enrichment",
            queue_id=queue_id,
            fields=None if fields is None else list(fields),
            candidate=candidate,
        )

    async def dismiss_enrichment(self, queue_id: UUID) -> ReviewOutcome | None:
        """Not this book: the candidate is not proposed again."""
        return await self._first(ReviewOutcome, "dismiss_enrichment", queue_id=queue_id)

    async def undo_enrichment(self, queue_id: UUID) -> UndoOutcome | None:
        """Put back what a row wrote, where nobody changed it since."""
        return await self._first(UndoOutcome, "undo_enrichment", queue_id=queue_id)

    async def undo_import(self, import_id: UUID) -> list[UndoOutcome]:
        """The same for a whole import, up to 1,000 books a call.

        Call again while a line without `reason` comes back.
        """
        return await self._all(UndoOutcome, "undo_import", import_id=import_id)

    async def approve_matching(
        self,
        confidence: str | None = None,
        provider: str | None = None,
        sentence: str | None = None,
        import_id: UUID | None = None,
        fields: Sequence[str] | None = None,
        is_dry_run: bool | None = None,
    ) -> MatchingOutcome:
        """Approve every row in review that fits, up to 1,000; only counted unless `is_dry_run` is False."""
        return await self._one(
            MatchingOutcome,
            "approve_matching",
            confidence=confidence,
            provider=provider,
            sentence=sentence,
            import_id=import_id,
            fields=None if fields is None else list(fields),
            is_dry_run=is_dry_run,
        )

    async def dismiss_matching(
        self,
        confidence: str | None = None,
        provider: str | None = None,
        sentence: str | None = None,
        import_id: UUID | None = None,
        is_dry_run: bool | None = None,
    ) -> MatchingOutcome:
        """Dismiss every row in review that fits, up to 1,000; only counted unless `is_dry_run` is False."""
        return await self._one(
            MatchingOutcome,
            "dismiss_matching",
            confidence=confidence,
            provider=provider,
            sentence=sentence,
            import_id=import_id,
            is_dry_run=is_dry_run,
        )

    async def lock_fields(
        self, work_id: UUID, fields: Sequence[str], edition_id: UUID | None = None
    ) -> list[FieldLock]:
        """Fields that enrichment must leave alone from now on."""
        return await self._all(
            FieldLock, "lock_fields", work_id=work_id, fields=list(fields), edition_id=edition_id
        )

    async def unlock_fields(
        self, work_id: UUID, fields: Sequence[str], edition_id: UUID | None = None
    ) -> list[FieldLock]:
        """Fields that enrichment may fill again; the locks that are left."""
        return await self._all(
            FieldLock, "unlock_fields", work_id=work_id, fields=list(fields), edition_id=edition_id
        )
