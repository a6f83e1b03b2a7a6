"""Rows of the queue go from the database to the providers and back.

One round: let the database answer from its cache what it can, claim what is left, pool the ISBNs of several
claims, fetch, and settle every claimed row: applied, failed, or released with a reason. It decides nothing.
Which rows are due, which provider may be called, when to come back and what a reply is worth is for the
database to say.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from book_enrichment.database import Database, NotConfigured
from book_enrichment.database.records import ClaimedRow, Setting
from book_enrichment.errors import DatabaseUnavailable, EnrichmentError, Malformed
from book_enrichment.providers import Provider, ProviderUnavailable
from book_enrichment.settings import Settings
from book_enrichment.work.batch import Batch
from book_enrichment.work.covers import CoverWorker, beside
from book_enrichment.work.leases import Calls, DeferReason, Lease, defer_reason, from_now
from book_enrichment.work.loop import CHECK_SECONDS, Loop, backoff_seconds, log_database

logger = logging.getLogger(__name__)

# A call ends within 30 s (`Timeouts.total`), and so does handing its answer back.
CALL_SECONDS = 60.0
# Rows for a provider this worker has no client for; another worker may have one.
NO_CLIENT_SECONDS = 3600.0
# What a round holds: ISBNs for this many full calls, so that few calls go out half full and the second looks
# share one; and look-ups that cost a call each, about 3 s at the default rate, fewer of them where they come
# alone, so that a reader's wish need not wait long behind them.
FULL_CALLS_PER_ROUND = 4
SINGLES_PER_ROUND = 10
SINGLES_BESIDE_ISBNS = 40
ROWS_PER_ROUND = 200
# While the next call is under way, answered rows are applied this many at a time or more.
ROWS_WORTH_APPLYING = 10
# The database calls here when rows come in; see `Transport.listen`.
CHANNEL = "enrichment"
# PostgREST cuts a reply at 1,000 rows, and the verbs refuse more.
APPLY_ROWS = 500


@dataclass(slots=True)
class Stats:
    """What a worker has done so far, and what was left when it last looked."""

    swept: int = 0  # answered by the database from its cache
    claimed: int = 0
    applied: Counter[str] = field(default_factory=Counter)  # by the state the row went to
    failed: int = 0  # attempts spent on a lasting error
    released: Counter[str] = field(default_factory=Counter)  # by reason
    dropped: int = 0  # answers the database had no use for: too late, or refused
    covers: int = 0
    calls: Counter[str] = field(default_factory=Counter)  # by provider
    seconds: float = 0.0
    pending: int = 0  # left in line
    wait_reason: str | None = None  # what the first of them waits for
    due_in: float | None = None  # seconds until then


class Worker(Loop):
    """Carries rows between `database` and `providers`. Any number may run, in any number of processes.

    Args:
        database: over either transport.
        providers: the clients to ask; without any, the worker only lets the database use its cache.
        settings: the flags that are set among them are written to the database first.
        name: who holds a row, as the queue shows it; host and process id when not given.
        covers: runs beside this worker, and ends with it.
    """

    def __init__(
        self,
        database: Database,
        providers: Iterable[Provider],
        settings: Settings,
        name: str | None = None,
        covers: CoverWorker | None = None,
    ) -> None:
        super().__init__(database, name)
        self.providers = {provider.name: provider for provider in providers}
        self.settings = settings
        self.covers = covers
        self.stats: Stats = Stats()
        self.batch_size: int | None = None  # rows per claim, as the database has it
        self._alone = asyncio.Lock()
        self._began_at = 0.0
        self._configured = False

    @property
    def is_running(self) -> bool:
        """Whether `run` or `drain` is under way."""
        return self._alone.locked()

    def stop(self) -> None:
        """Cut a running fetch short, give back what is held, and let `run` return. There is no going on."""
        super().stop()
        if self.covers is not None:
            self.covers.stop()

    async def drain(self) -> None:
        """Work until nothing is left to do soon. When this worker runs already, it is only woken."""
        if self._alone.locked():
            self.wake()
        else:
            await self.run(drain=True)

    async def run(self, *, drain: bool = False, patience: float = 90.0) -> Stats:
        """Work until stopped; with `drain`, until all that is left waits for longer than `patience` seconds.

        Draining also ends when nothing has moved for that long: rows that another worker holds, a provider or
        a database that stays away. A worker that runs on waits for the database as long as it takes.

        Raises:
            Forbidden: the key or role may not call the service verbs, and waiting will not change that.
            NotConfigured: the environment sets a flag to what the database does not take.
            EnrichmentError: only when draining. A worker that runs on logs it and tries again later.
        """
        async with self._alone, self._listening(wanted=not drain), beside(self.covers, patience):
            self._patience = patience if drain else None
            self._began_at = time.monotonic()
            await self._work()
            self.stats.seconds = time.monotonic() - self._began_at
            return self.stats

    def count_call(self, provider: str) -> None:
        """A call to a provider is about to go out."""
        super().count_call(provider)
        self.stats.calls[provider] += 1

    def _is_drained(self, due_in: float | None, patience: float) -> bool:
        return due_in is None or time.monotonic() - self._moved_at + due_in >= patience

    def _outlasts(self, error: EnrichmentError, patience: float | None) -> bool:
        if patience is None:
            return True
        return isinstance(error, DatabaseUnavailable) and time.monotonic() - self._moved_at < patience

    async def _settings(self) -> Sequence[Setting]:
        """Write the flags this environment sets, once, and read back what to keep to.

        Of a provider's key the database learns only that there is one.
        """
        changes: dict[str, Any] = {}
        if not self._configured:
            changes |= self.settings.flags()
            if keyed := [name for name, each in self.providers.items() if getattr(each, "has_key", False)]:
                changes["provider_keys"] = keyed
        try:
            settings = await self.database.configure_enrichment(changes)
        except Malformed as error:
            variables = ", ".join(f"ENRICHMENT_{name.upper()}" for name in self.settings.flags())
            raise NotConfigured(
                f"the database refuses what the environment sets: {error.message}",
                hint=f"correct one of {variables}",
            ) from error
        self._configured = True
        return settings

    def _obey(self, values: dict[str, str | None]) -> None:
        super()._obey(values)
        self.provider_delay = float(values["provider_delay_ms"] or 0) / 1000
        self.batch_size = int(values["batch_size"] or 1)
        for provider in self.providers.values():
            if introduce := getattr(provider, "introduce", None):
                introduce(values["contact"])

    @asynccontextmanager
    async def _listening(self, wanted: bool) -> AsyncIterator[None]:
        """While the block runs, the database wakes this worker when rows come in, if its transport can."""
        task = asyncio.create_task(self._listen()) if wanted else None
        try:
            yield
        finally:
            if task is not None:
                task.cancel()
                await asyncio.wait({task})

    async def _listen(self) -> None:
        troubles = 0
        while True:
            try:
                async with aclosing(self.database.transport.listen(CHANNEL)) as calls:
                    async for _ in calls:
                        troubles = 0
                        self.wake()
                return
            except DatabaseUnavailable as error:
                troubles += 1
                log_database(error)
                await asyncio.sleep(backoff_seconds(troubles))

    async def _turn(self) -> tuple[bool, float | None]:
        try:
            moved = await self._round() if self._looks else False
            due = await self.database.enrichment_due()
        finally:
            self.stats.seconds = time.monotonic() - self._began_at
        due_in = None if due.due_at is None else due.due_in
        self.stats.pending, self.stats.due_in, self.stats.wait_reason = due.pending, due_in, due.reason
        if due_in == 0 and not self._looks:
            self._looks = True
            return await self._turn()
        return moved, due_in

    async def _round(self) -> bool:
        """One round; true when it moved a row on, so that another look is worth while."""
        await self._fit()
        await self._keep_to_settings()
        if time.monotonic() >= self._check_due_at:
            await self.database.reset_stale_enrichment()
            self._check_due_at = time.monotonic() + CHECK_SECONDS
        swept = await self._sweep()
        batch, moved = Batch(Lease(self.claim_seconds, CALL_SECONDS)), 0
        applying = asyncio.create_task(self._apply_meanwhile(batch))
        try:
            await self._claim(batch)
            await self._unless_stopped(self._fetch(batch))
        finally:
            batch.is_fetched = True
            batch.news.set()
            moved = await applying + await self._settle(batch)
        return swept + moved > 0

    async def _sweep(self) -> int:
        """The cached lane. pg_cron runs it as well; this is for a project without pg_cron."""
        swept = 0
        while not self.stopped and (outcomes := await self.database.sweep_enrichment()):
            swept += len(outcomes)
            self.stats.swept += len(outcomes)
            self.stats.covers += sum("work.cover_url" in outcome.fields_applied for outcome in outcomes)
            logger.info("swept %d rows", len(outcomes), extra={"action": "sweep", "rows": len(outcomes)})
        return swept

    async def _claim(self, batch: Batch) -> None:
        """Claim until there are ISBNs for several full calls, or enough look-ups that cost a call each."""
        while self.providers and not self.stopped:
            room = self._room(batch)
            if room <= 0 or (batch.rows and not batch.lease.allows_a_claim()):
                return
            try:
                fewer = room if self.batch_size is not None and room < self.batch_size else None
                claimed = await self.database.claim_enrichment(self.name, fewer)
            except EnrichmentError:
                if not batch.rows:
                    raise
                return
            batch.rows += claimed
            self.stats.claimed += len(claimed)
            if not claimed:
                return
            logger.info("claimed %d rows", len(claimed), extra={"action": "claim", "rows": len(claimed)})

    def _room(self, batch: Batch) -> int:
        """How many rows more this round can take; never so many that a call goes out for the last few."""
        pooled, singles = Counter[str](), Counter[str]()
        for lookup in batch.lookups():
            provider = self.providers.get(lookup.provider)
            shares_calls = provider is not None and lookup.kind == "isbn" and provider.keys_per_call > 1
            (pooled if shares_calls else singles)[lookup.provider] += 1
        most = SINGLES_BESIDE_ISBNS if pooled else SINGLES_PER_ROUND
        rooms = [ROWS_PER_ROUND - len(batch.rows), most - max(singles.values(), default=0)]
        rooms += [self.providers[name].keys_per_call * FULL_CALLS_PER_ROUND - n for name, n in pooled.items()]
        return min(rooms)

    async def _fetch(self, batch: Batch) -> None:
        """Ask every provider the batch needs, side by side: each has a bucket of its own."""
        async with asyncio.TaskGroup() as group:
            for name in dict.fromkeys(lookup.provider for lookup in batch.lookups()):
                if provider := self.providers.get(name):
                    group.create_task(self._ask(provider, batch))
                else:
                    batch.deferred[name] = DeferReason("no_client", from_now(NO_CLIENT_SECONDS))

    async def _ask(self, provider: Provider, batch: Batch) -> None:
        """Answers are kept as they come, whatever happens next."""
        name, calls = provider.name, Calls(self, provider.name, batch.lease)
        lookups = [lookup for lookup in batch.lookups() if lookup.provider == name]
        try:
            try:
                async for answer in provider.answers(lookups, calls.permit):
                    batch.answers[answer.lookup] = answer
                    batch.news.set()
                if calls.deferred is not None:
                    batch.deferred[name] = calls.deferred
                await calls.report()
            except ProviderUnavailable as trouble:
                batch.deferred[name] = defer_reason(trouble, await calls.report_trouble(trouble))
        except EnrichmentError as error:
            away = isinstance(error, DatabaseUnavailable)
            batch.deferred[name] = DeferReason("database_unavailable" if away else "database_refused")
            log_database(error)
        except Exception as error:
            # A fault of ours under these rows: it spends their attempt, or they would come back for ever.
            batch.crashes[name] = f"{type(error).__name__}: {error}"
            logger.exception("%s: unexpected", name, extra={"action": "fetch", "provider": name})

    async def _apply_meanwhile(self, batch: Batch) -> int:
        """Apply what is answered while the next call is under way; the number of rows that got further.

        Whatever goes wrong here is left for `_settle`, which has the patience.
        """
        moved = 0
        while not batch.is_fetched:
            await batch.news.wait()
            batch.news.clear()
            answered = batch.answered()[:APPLY_ROWS]
            if batch.is_fetched or len(answered) < ROWS_WORTH_APPLYING:
                continue
            try:
                moved += await self._apply([batch.result(row) for row in answered])
            except EnrichmentError as error:
                log_database(error)
                break
            batch.shift(answered)
        return moved

    async def _settle(self, batch: Batch) -> int:
        """Give every row of the batch back, one way or another; the number that got further.

        While the database is away this waits and tries again: an answer that was paid for is not thrown away,
        and a claim that was reset meanwhile refuses it by its token.
        """
        steps = self._steps(batch)
        moved = troubles = 0
        while steps:
            try:
                moved += await steps[0]()
            except DatabaseUnavailable as error:
                log_database(error)
                if self.stopped or batch.lease.held() > batch.lease.life:
                    break  # what is left grows stale, and the database puts it back in line
                troubles += 1
                await self.rest(backoff_seconds(troubles))
                continue
            except EnrichmentError as error:
                self.drop(error)
            del steps[0]
        return moved

    def _steps(self, batch: Batch) -> list[Callable[[], Awaitable[int]]]:
        """The calls that settle a batch: its answers together, then each row that failed or has to wait."""
        results: list[dict[str, Any]] = []
        others: list[Callable[[], Awaitable[int]]] = []
        for row in batch.rows:
            answers = [batch.answers[lookup] for lookup in row.lookups if lookup in batch.answers]
            unasked = [lookup.provider for lookup in row.lookups if lookup not in batch.answers]
            errors = [answer.error for answer in answers if answer.error]
            errors += [batch.crashes[name] for name in unasked if name in batch.crashes and not answers]
            # Without a reason the fetch was cut short: by `stop`, a cancellation, or the end of the claim.
            reason = batch.deferred.get(unasked[0], DeferReason("stopped")) if unasked else None
            if errors:
                others.append(partial(self._fail, row, errors[0]))
            elif answers or reason is None or reason.is_known:
                results.append(batch.result(row))
            else:
                others.append(partial(self._release, row, reason))
            if reason is not None and reason.is_known and not answers and not errors:
                self.stats.released[reason.reason] += 1
        chunks = [results[start : start + APPLY_ROWS] for start in range(0, len(results), APPLY_ROWS)]
        return [*(partial(self._apply, chunk) for chunk in chunks), *others]

    async def _apply(self, results: list[dict[str, Any]]) -> int:
        moved = 0
        for outcome in await self.database.apply_enrichment(results):
            if outcome.outcome == "applied":
                self.stats.applied[outcome.status or "?"] += 1
                self.stats.covers += "work.cover_url" in outcome.fields_applied
                moved += outcome.status != "pending" or bool(results[outcome.position]["lookups"])
            else:
                self.stats.dropped += 1
                extra = {"action": "drop", "outcome": outcome.outcome, "queue_id": str(outcome.queue_id)}
                logger.warning("%s: %s", outcome.outcome, outcome.message, extra=extra)
        logger.info("applied %d rows", len(results), extra={"action": "apply", "rows": len(results)})
        return moved

    async def _fail(self, row: ClaimedRow, error: str) -> int:
        await self.database.fail_enrichment(row.queue_id, row.claim_token, error)
        self.stats.failed += 1
        logger.warning("failed: %s", error, extra={"action": "fail", "queue_id": str(row.queue_id)})
        return 1

    async def _release(self, row: ClaimedRow, reason: DeferReason) -> int:
        await self.database.release_enrichment(row.queue_id, row.claim_token, reason.reason, reason.retry_at)
        self.stats.released[reason.reason] += 1
        extra = {"action": "release", "queue_id": str(row.queue_id), "reason": reason.reason}
        logger.debug("released: %s", reason.reason, extra=extra)
        return 0
