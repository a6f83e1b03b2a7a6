"""A claim's life, and the calls that are made under it.

The database takes a claim older than `stale_after_seconds` for a crash, and spends an attempt. So no call
begins so late that it and what follows could outlast the claim; what is not asked for by then goes back.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from book_enrichment.database.records import ProviderReport
from book_enrichment.providers import ProviderUnavailable
from book_enrichment.work.loop import Loop

logger = logging.getLogger(__name__)

# A grant is to be used within 2 s of being made; one that took this long to reach us is thrown away.
GRANT_SECONDS = 1.5
# After a failed call, as long as neither the provider nor the breaker has named a time.
RETRY_SECONDS = 5.0
# Rows whose next grant is further away go back in line instead of being held; claim gives out none of them.
LONGEST_WAIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class DeferReason:
    """Why a call was not made, and when to try again (None: as soon as the database sees fit).

    `is_known`: the database has it on record that the provider may not be called, so it says what becomes of
    the row: to wait and until when, or to do without.
    """

    reason: str
    retry_at: datetime | None = None
    is_known: bool = False


@dataclass(slots=True)
class Lease:
    """What is left of a claim."""

    life: float
    """Seconds, as the database has it (settings.stale_after_seconds)."""
    reserve: float
    """Seconds that a call may take, together with handing back what came of it."""
    began_at: float = field(default_factory=lambda: time.monotonic())

    def held(self) -> float:
        """Seconds since the first claim was asked for."""
        return time.monotonic() - self.began_at

    def allows_a_claim(self) -> bool:
        """Whether there is time for more rows: what is claimed late leaves the first of them too little."""
        return self.held() <= self.life / 4

    def allows_a_call(self, wait: float = 0.0) -> bool:
        """Whether a call that begins in `wait` seconds ends in time. Half of a short life is there for calls
        in any case, or nothing would ever be asked."""
        return self.held() + wait <= max(self.life - self.reserve, self.life / 2)


class Calls:
    """The calls to one provider under one claim: leave is asked before each, and each is reported."""

    def __init__(self, worker: Loop, provider: str, lease: Lease) -> None:
        self.deferred: DeferReason | None = None
        """Why `permit` said no; None where the worker was stopped, or the claim's time was up."""
        self._worker = worker
        self._provider = provider
        self._lease = lease
        self._is_unreported = False

    async def permit(self) -> bool:
        """True: send the call now. False: not in time, see `deferred`."""
        await self.report()
        await self._keep_the_gap()
        while not self._worker.stopped and self._lease.allows_a_call():
            asked_at = time.monotonic()
            reservation = await self._worker.database.reserve_provider_calls(self._provider, 1)
            if reservation.granted and time.monotonic() - asked_at > GRANT_SECONDS:
                continue
            if reservation.granted:
                self._is_unreported = True
                self._worker.count_call(self._provider)
                return True
            wait, reason = reservation.retry_after, reservation.reason or "rate"
            is_far = wait is not None and wait > LONGEST_WAIT_SECONDS
            if wait is None or is_far or not self._lease.allows_a_call(wait):
                retry_at = None if wait is None else from_now(wait)
                self.deferred = DeferReason(reason, retry_at, is_known=reason != "rate" or is_far)
                return False
            await self._worker.rest(max(wait, 0.05))
        return False

    async def report(self) -> None:
        """The call before went well."""
        if self._is_unreported:
            await self._worker.database.report_provider_calls(self._provider, succeeded=1)
            self._is_unreported = False

    async def report_trouble(self, trouble: ProviderUnavailable) -> ProviderReport:
        """The call before went wrong; how the provider stands now."""
        extra = {"action": "provider_unavailable", "provider": self._provider, "reason": trouble.reason}
        logger.warning("%s", trouble, extra=extra)
        self._is_unreported = False
        return await self._worker.database.report_provider_calls(**trouble.report())

    async def _keep_the_gap(self) -> None:
        due_at = self._worker.called_at.get(self._provider, float("-inf")) + self._worker.provider_delay
        while not self._worker.stopped and (wait := due_at - time.monotonic()) > 0:
            await self._worker.rest(wait)


def defer_reason(trouble: ProviderUnavailable, state: ProviderReport) -> DeferReason:
    """What the rows behind a call that went wrong wait for, and until when."""
    if state.retry_at is not None and state.retry_at > from_now(0):
        return DeferReason(state.paused_reason or trouble.reason, state.retry_at, is_known=True)
    if state.open_until is not None:
        return DeferReason("breaker", state.open_until, is_known=True)
    return DeferReason(trouble.reason, from_now(RETRY_SECONDS))


def from_now(seconds: float) -> datetime:
    """The moment in so many seconds."""
    return datetime.now(UTC) + timedelta(seconds=seconds)
