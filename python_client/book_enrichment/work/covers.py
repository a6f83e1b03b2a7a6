"""Covers of our own: claimed from the database, downloaded, shrunk, uploaded, and only then shown.

Beside the worker for books runs one for covers, with a queue of its own. It does nothing while the database
says `hotlink`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from book_enrichment.database import Database
from book_enrichment.database.records import ClaimedCover, CoverReport, Setting
from book_enrichment.errors import DatabaseUnavailable, EnrichmentError
from book_enrichment.images import (
    NEEDS_STORAGE,
    CoverRefused,
    CoverStorage,
    Downloader,
    StorageUnavailable,
    make_thumbnail,
)
from book_enrichment.images.download import RETRY_SECONDS
from book_enrichment.providers import NotPermitted, ProviderUnavailable
from book_enrichment.work.leases import Calls, DeferReason, Lease, from_now
from book_enrichment.work.loop import Loop, log_database, log_end

logger = logging.getLogger(__name__)

# A download ends within 30 s (`DOWNLOAD_SECONDS`); an upload and handing back the batch still have to follow.
CALL_SECONDS = 100.0
# The cover under which the server failed comes last: it may be the one that makes it fail.
TROUBLED_SECONDS = 600.0
STORAGE_RETRY_SECONDS = 300.0


@dataclass(slots=True)
class CoverStats:
    """What a cover worker has done so far, and what was left when it last looked."""

    claimed: int = 0
    applied: Counter[str] = field(default_factory=Counter)  # by the database's outcome
    refused: Counter[str] = field(default_factory=Counter)  # by why: images that will not do
    released: Counter[str] = field(default_factory=Counter)  # by reason
    dropped: int = 0  # answers the database had no use for
    calls: int = 0
    bytes: int = 0  # of the images applied
    pending: int = 0
    wait_reason: str | None = None


class CoverWorker(Loop):
    """Carries covers from the provider to the bucket. Any number may run, in any number of processes.

    Args:
        database: over either transport.
        downloader: hears from this worker who asks, as the database has it.
        storage: None where there is no way to the bucket; then nothing is claimed.
        name: who holds a cover, as the queue shows it; host and process id when not given.
    """

    def __init__(
        self,
        database: Database,
        downloader: Downloader,
        storage: CoverStorage | None,
        name: str | None = None,
    ) -> None:
        super().__init__(database, name)
        self.downloader = downloader
        self.storage = storage
        self.stats: CoverStats = CoverStats()
        self._said = False

    def finish(self, patience: float = 90.0) -> None:
        """Let `run` return once all that is left waits for longer than `patience` seconds."""
        self._patience = patience
        self.wake()

    async def run(self) -> CoverStats:
        """Work until stopped or finished. A database that is away is waited for, but not when finishing.

        Raises:
            Forbidden: the key or role may not call the service verbs.
        """
        try:
            await self._work()
        except DatabaseUnavailable as error:
            log_database(error)
        return self.stats

    def count_call(self, provider: str) -> None:
        """A call to a provider is about to go out."""
        super().count_call(provider)
        self.stats.calls += 1

    def _is_drained(self, due_in: float | None, patience: float) -> bool:
        """What is due now is in another worker's hands."""
        return not due_in or due_in >= patience

    def _outlasts(self, error: EnrichmentError, patience: float | None) -> bool:
        return patience is None

    async def _settings(self) -> Sequence[Setting]:
        return await self.database.configure_enrichment()

    def _obey(self, values: dict[str, str | None]) -> None:
        super()._obey(values)
        self.downloader.introduce(values["contact"])

    def _can_store(self, report: CoverReport) -> bool:
        missing = NEEDS_STORAGE if self.storage is None else None
        if missing is None and report.wait_reason == "no_contact":
            missing = "covers are not stored: no contact is set (ENRICHMENT_CONTACT)"
        if missing and not self._said:
            logger.warning(missing, extra={"action": "covers_wait"})
            self._said = True
        return missing is None

    async def _turn(self) -> tuple[bool, float | None]:
        await self._fit()
        report = await self.database.enrichment_covers()
        self.stats.pending, self.stats.wait_reason = report.pending, report.wait_reason
        due_in = report.due_in if report.cover_mode == "thumbnail" and self._can_store(report) else None
        moved = due_in == 0 and (await self._round(report) or report.wait_reason == "backfill")
        return moved, due_in

    async def _round(self, report: CoverReport) -> bool:
        """Claim some covers and settle each; true when there was one."""
        await self._keep_to_settings()
        batch = CoverBatch(self, report, Lease(self.claim_seconds, CALL_SECONDS))
        covers = await self.database.claim_covers(self.name)
        self.stats.claimed += len(covers)
        try:
            await self._unless_stopped(batch.carry(covers))
        finally:
            await batch.settle(covers)
        return bool(covers)


class CoverBatch:
    """The covers of one claim on their way."""

    def __init__(self, worker: CoverWorker, report: CoverReport, lease: Lease) -> None:
        self._worker = worker
        self._report = report
        self._lease = lease
        self._results: list[dict[str, Any]] = []
        self._refusals: dict[ClaimedCover, str] = {}
        self._crashes: dict[ClaimedCover, str] = {}
        self._deferred: DeferReason | None = None  # why those not asked for have to wait
        self._troubled: dict[ClaimedCover, DeferReason] = {}

    async def carry(self, covers: Sequence[ClaimedCover]) -> None:
        """One cover after the other, until one of them shows that the next would fare no better."""
        for cover in covers:
            calls = Calls(self._worker, f"{cover.provider}_covers", self._lease)
            try:
                await self._carry(cover, calls)
            except EnrichmentError:
                raise
            except Exception as error:
                # A fault of ours under this cover: it spends an attempt, or it would come back for ever.
                self._crashes[cover] = f"{type(error).__name__}: {error}"
                logger.exception("unexpected", extra={"action": "cover", "cover_id": str(cover.cover_id)})

    async def _carry(self, cover: ClaimedCover, calls: Calls) -> None:
        """What became of a cover is kept for `settle`."""
        if self._deferred is not None:
            return
        try:
            self._results.append(await self._stored(cover, calls))
        except CoverRefused as refusal:
            self._refusals[cover] = str(refusal)
            await calls.report()
        except NotPermitted:
            self._deferred = calls.deferred
        except ProviderUnavailable as trouble:
            state = await calls.report_trouble(trouble)
            moments = [moment for moment in (state.open_until, state.retry_at) if moment is not None]
            self._deferred = DeferReason(trouble.reason, max(moments, default=from_now(RETRY_SECONDS)))
            later = max([*moments, from_now(TROUBLED_SECONDS)])
            self._troubled[cover] = DeferReason(trouble.reason, later)
        except StorageUnavailable as trouble:
            logger.warning("storage: %s", trouble, extra={"action": "storage_unavailable"})
            self._deferred = DeferReason("storage", from_now(STORAGE_RETRY_SECONDS))

    async def _stored(self, cover: ClaimedCover, calls: Calls) -> dict[str, Any]:
        """From its URL to the bucket; the element that `apply_covers` takes."""
        downloader, storage, report = self._worker.downloader, self._worker.storage, self._report
        assert storage is not None  # or nothing would have been claimed
        data = await downloader.download(
            cover.source_url, report.hosts, report.download_bytes, calls.permit, f"{cover.provider}_covers"
        )
        await calls.report()
        thumbnail = await asyncio.to_thread(make_thumbnail, data, report.image_bytes, report.placeholders)
        return {
            "cover_id": str(cover.cover_id),
            "claim_token": str(cover.claim_token),
            "sha256": thumbnail.sha256,
            "storage_path": thumbnail.path,
            "cover_url": await storage.store(thumbnail),
            "bytes": len(thumbnail.data),
            "width": thumbnail.width,
            "height": thumbnail.height,
        }

    async def settle(self, covers: Sequence[ClaimedCover]) -> None:
        """Give every cover back, one way or another; what cannot be told to the database grows stale."""
        stats = self._worker.stats
        if self._results:
            try:
                for outcome in await self._worker.database.apply_covers(self._results):
                    stats.applied[outcome.outcome] += 1
                    if outcome.outcome == "applied":
                        stats.bytes += self._results[outcome.position]["bytes"]
                logger.info("stored %d covers", len(self._results), extra={"action": "apply_covers"})
            except EnrichmentError as error:
                self._worker.drop(error)
        answered = {result["cover_id"] for result in self._results}
        for cover in covers:
            deferred = self._troubled.get(cover, self._deferred or DeferReason("stopped"))
            if str(cover.cover_id) in answered:
                continue
            try:
                if error_text := self._refusals.get(cover) or self._crashes.get(cover):
                    await self._worker.database.fail_cover(
                        cover.cover_id, cover.claim_token, error_text, cover in self._refusals
                    )
                    stats.refused[error_text] += 1
                else:
                    await self._worker.database.release_cover(
                        cover.cover_id, cover.claim_token, deferred.reason, deferred.retry_at
                    )
                    stats.released[deferred.reason] += 1
            except EnrichmentError as error:
                self._worker.drop(error)


@asynccontextmanager
async def beside(covers: CoverWorker | None, patience: float) -> AsyncIterator[None]:
    """The cover worker runs while the block does; when that ends well, it ends with what is due soon."""
    if covers is None:
        yield
        return
    covers._patience = None  # of the run before, if there was one
    task = asyncio.create_task(covers.run(), name="the cover worker")
    task.add_done_callback(log_end)
    try:
        yield
    except BaseException:
        covers.stop()
        await asyncio.wait({task})
        raise
    covers.finish(patience)
    await task
