"""Covers of our own: claimed from the database, downloaded, shrunk, uploaded, and only then shown.

Beside the worker for books runs one for covers, with a queue of its own. It does nothing while the database
says `hotlink`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from book_enrichment.database import Database
from book_enrichment.errors import DatabaseUnavailable, EnrichmentError, Forbidden
from book_enrichment.handshake import refuse_mismatch
from book_enrichment.images import (
    NEEDS_STORAGE,
    CoverRefused,
    CoverStorage,
    Downloader,
    StorageUnavailable,
    make_thumbnail,
    open_storage,
)
from book_enrichment.images.download import RETRY_SECONDS
from book_enrichment.providers import NotPermitted, ProviderUnavailable
from book_enrichment.records import ClaimedCover, CoverReport
from book_enrichment.settings import Settings

logger = logging.getLogger(__name__)

GRANT_SECONDS = 1.5  # as in worker.py: a grant is to be used within 2 s
LONGEST_WAIT_SECONDS = 60.0
# No download begins later than this part of a claim's life, which the database names (stale_after_seconds):
# a download and an upload still have to fit behind it.
LATEST_CALL = 2 / 3
LONGEST_SLEEP_SECONDS = 30.0
# The cover under which the server failed comes last: it may be the one that makes it fail.
TROUBLED_SECONDS = 600.0
STORAGE_RETRY_SECONDS = 300.0


@dataclass(slots=True)
class CoverTally:
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


class CoverWorker:
    """Carries covers from the provider to the bucket. Any number may run, in any number of processes.

    Args:
        database: through either transport.
        downloader: None where nobody is named as contact; then nothing is claimed.
        storage: None where there is no way to the bucket; then nothing is claimed.
        name: who holds a cover, as the queue shows it; host and process id when not given.
    """

    def __init__(
        self,
        database: Database,
        downloader: Downloader | None,
        storage: CoverStorage | None,
        name: str | None = None,
    ) -> None:
        self.database = database
        self.downloader = downloader
        self.storage = storage
        self.name = name or f"{socket.gethostname()}:{os.getpid()}"
        self.tally = CoverTally()
        self.stopped = False
        self._patience: float | None = None  # set: end once the rest waits for longer than this
        self._alarm = asyncio.Event()
        self._carrying: asyncio.Task[None] | None = None
        self._said = False
        self.claim_seconds = 0.0  # how long a claim lives; the database names it
        self._fits = False  # the database's version

    def wake(self) -> None:
        """There may be something new: look now instead of at the end of the sleep."""
        self._alarm.set()

    def stop(self) -> None:
        """Cut the cover at hand short, give back what is held, and let `run` return. There is no going on."""
        self.stopped = True
        self._alarm.set()
        if self._carrying is not None:
            self._carrying.cancel()

    def finish(self, patience: float = 90.0) -> None:
        """Let `run` return once all that is left waits for longer than `patience` seconds."""
        self._patience = patience
        self._alarm.set()

    async def run(self) -> CoverTally:
        """Work until stopped or finished. A database that is away is waited for, but not when finishing.

        Raises:
            Forbidden: the key or role may not call the service verbs.
        """
        idle = 0
        while not self.stopped:
            due_in: float | None = None
            patience = self._patience  # whoever asks to finish wants another look first
            try:
                if not self._fits:
                    await refuse_mismatch(self.database)
                    settings = {each.name: each.value for each in await self.database.configure_enrichment()}
                    self.claim_seconds = float(settings["stale_after_seconds"] or 0)
                    self._fits = True
                report = await self.database.enrichment_covers()
                self.tally.pending, self.tally.wait_reason = report.pending, report.wait_reason
                if report.cover_mode == "thumbnail" and self._can_store():
                    due_in = report.due_in
                if due_in == 0 and (await self._round(report) or report.wait_reason == "backfill"):
                    idle = 0
                    continue
            except Forbidden:
                raise
            except EnrichmentError as error:
                if patience is not None and not isinstance(error, DatabaseUnavailable):
                    raise
                extra = {"action": "wait_for_database", "code": error.code}
                logger.warning("database: %s", error, extra=extra)
            if patience is not None and (due_in is None or due_in == 0 or due_in >= patience):
                break
            # Due, but in another worker's hands: look less and less often.
            idle = idle + 1 if due_in == 0 else 0
            seconds = LONGEST_SLEEP_SECONDS if due_in is None else 2.0**idle if idle else due_in
            await self._pause(min(seconds, LONGEST_SLEEP_SECONDS))
        return self.tally

    def _can_store(self) -> bool:
        missing = NEEDS_STORAGE if self.storage is None else None
        if missing is None and self.downloader is None:
            missing = "covers are not stored from here: ENRICHMENT_CONTACT is not set"
        if missing and not self._said:
            logger.warning(missing, extra={"action": "covers_wait"})
            self._said = True
        return missing is None

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._alarm.wait()
        except TimeoutError:
            return
        if not self.stopped:
            self._alarm.clear()

    async def _round(self, report: CoverReport) -> bool:
        """Claim some covers and settle each; true when there was one."""
        covers = await self.database.claim_covers(self.name)
        self.tally.claimed += len(covers)
        batch = _Batch(self, report)
        try:
            for cover in covers:
                self._carrying = asyncio.create_task(batch.carry(cover))
                await self._carrying
        except asyncio.CancelledError:
            if not self.stopped:
                raise
        finally:
            self._carrying = None
            await batch.settle(covers)
        return bool(covers)


class _Batch:
    """The covers of one claim on their way."""

    def __init__(self, worker: CoverWorker, report: CoverReport) -> None:
        self._worker = worker
        self._report = report
        self._claimed_at = time.monotonic()
        self._results: list[dict[str, Any]] = []
        self._refusals: dict[ClaimedCover, str] = {}
        self._crashes: dict[ClaimedCover, str] = {}
        self._excuse: tuple[str, datetime | None] | None = None  # why those not asked for have to wait
        self._troubled: tuple[ClaimedCover, str, datetime] | None = None
        self._limits = ""
        self._unreported = 0  # requests that were answered

    async def carry(self, cover: ClaimedCover) -> None:
        """One cover from its URL to the bucket; what became of it is kept for `settle`."""
        worker, report = self._worker, self._report
        if self._excuse is not None or worker.stopped or worker.downloader is None or worker.storage is None:
            return
        self._limits = f"{cover.provider}_covers"
        try:
            data = await worker.downloader.download(
                cover.source_url, report.hosts, report.download_bytes, self._permit, self._limits
            )
            await self._report_calls()
            thumbnail = await asyncio.to_thread(make_thumbnail, data, report.image_bytes, report.placeholders)
            url = await worker.storage.store(thumbnail)
        except CoverRefused as refusal:
            self._refusals[cover] = str(refusal)
            await self._report_calls()
        except NotPermitted:
            pass  # the permit has left the excuse
        except ProviderUnavailable as trouble:
            logger.warning("%s", trouble, extra={"action": "provider_unavailable", "reason": trouble.reason})
            self._unreported = 0
            state = await worker.database.report_provider_calls(**trouble.report())
            moments = [moment for moment in (state.open_until, state.retry_at) if moment is not None]
            self._excuse = trouble.reason, max(moments, default=_from_now(RETRY_SECONDS))
            self._troubled = cover, trouble.reason, max([*moments, _from_now(TROUBLED_SECONDS)])
        except StorageUnavailable as trouble:
            logger.warning("storage: %s", trouble, extra={"action": "storage_unavailable"})
            self._excuse = "storage", _from_now(STORAGE_RETRY_SECONDS)
        except EnrichmentError:
            raise
        except Exception as error:
            # A fault of ours under this cover: it spends an attempt, or it would come back for ever.
            self._crashes[cover] = f"{type(error).__name__}: {error}"
            logger.exception("unexpected", extra={"action": "cover", "cover_id": str(cover.cover_id)})
        else:
            self._results.append(
                {
                    "cover_id": str(cover.cover_id),
                    "claim_token": str(cover.claim_token),
                    "sha256": thumbnail.sha256,
                    "storage_path": thumbnail.path,
                    "cover_url": url,
                    "bytes": len(thumbnail.data),
                    "width": thumbnail.width,
                    "height": thumbnail.height,
                }
            )

    async def _report_calls(self) -> None:
        if self._unreported:
            await self._worker.database.report_provider_calls(self._limits, succeeded=self._unreported)
            self._unreported = 0

    async def settle(self, covers: Sequence[ClaimedCover]) -> None:
        """Give every cover back, one way or another; what cannot be told to the database grows stale."""
        tally = self._worker.tally
        if self._results:
            try:
                for outcome in await self._worker.database.apply_covers(self._results):
                    tally.applied[outcome.outcome] += 1
                    if outcome.outcome == "applied":
                        tally.bytes += self._results[outcome.position]["bytes"]
                logger.info("stored %d covers", len(self._results), extra={"action": "apply_covers"})
            except EnrichmentError as error:
                self._drop(error)
        answered = {result["cover_id"] for result in self._results}
        for cover in covers:
            reason, retry_at = self._excuse or ("stopped", None)
            if self._troubled is not None and self._troubled[0] == cover:
                _, reason, retry_at = self._troubled
            if str(cover.cover_id) in answered:
                continue
            try:
                if error_text := self._refusals.get(cover) or self._crashes.get(cover):
                    await self._worker.database.fail_cover(
                        cover.cover_id, cover.claim_token, error_text, cover in self._refusals
                    )
                    tally.refused[error_text] += 1
                else:
                    await self._worker.database.release_cover(
                        cover.cover_id, cover.claim_token, reason, retry_at
                    )
                    tally.released[reason] += 1
            except EnrichmentError as error:
                self._drop(error)

    def _drop(self, error: EnrichmentError) -> None:
        self._worker.tally.dropped += 1
        logger.warning("dropped: %s", error, extra={"action": "drop", "code": error.code})

    async def _permit(self) -> bool:
        """Leave for one request; false when it is too far away, with the excuse left behind."""
        while not self._worker.stopped:
            asked_at = time.monotonic()
            reservation = await self._worker.database.reserve_provider_calls(self._limits, 1)
            if reservation.granted and time.monotonic() - asked_at > GRANT_SECONDS:
                continue
            if reservation.granted:
                self._worker.tally.calls += 1
                self._unreported += 1
                return True
            wait = reservation.retry_after
            held = time.monotonic() - self._claimed_at
            if (
                wait is None
                or wait > LONGEST_WAIT_SECONDS
                or held + wait > LATEST_CALL * self._worker.claim_seconds
            ):
                self._excuse = reservation.reason or "rate", None if wait is None else _from_now(wait)
                return False
            await self._worker._pause(max(wait, 0.05))
        return False


def _from_now(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


@asynccontextmanager
async def open_covers(settings: Settings, database: Database) -> AsyncIterator[CoverWorker]:
    """A cover worker with everything it needs, opened from the settings and closed behind it."""
    async with open_storage(settings) as storage, httpx.AsyncClient(trust_env=False) as client:
        downloader = None
        if settings.contact:
            downloader = Downloader(client, settings.contact, stand_in=settings.covers_url)
        yield CoverWorker(database, downloader, storage)


@asynccontextmanager
async def beside(covers: CoverWorker | None, patience: float) -> AsyncIterator[None]:
    """The cover worker runs while the block does; when that ends well, it ends with what is due soon."""
    if covers is None:
        yield
        return
    covers._patience = None  # of the run before, if there was one
    task = asyncio.create_task(covers.run())
    task.add_done_callback(_log_end)
    try:
        yield
    except BaseException:
        covers.stop()
        await asyncio.wait({task})
        raise
    covers.finish(patience)
    await task


def _log_end(task: asyncio.Task[CoverTally]) -> None:
    if not task.cancelled() and (error := task.exception()):
        logger.error("the cover worker ended", exc_info=error, extra={"action": "end"})
