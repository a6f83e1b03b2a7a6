"""The worker takes rows from the database, asks the providers, hands the raw replies back, and sleeps.

One round: let the database answer from its cache what it can, claim what is left, pool the ISBNs of several
claims, fetch, and settle every claimed row: applied, failed, or released with a reason. It decides nothing.
Which rows are due, which provider may be called, when to come back and what a reply is worth is for the
database to say.

    from a shell                    book-enrichment run
    from FastAPI's lifespan         async with open_worker(settings) as worker, running(worker): yield
    from BackgroundTasks            background_tasks.add_task(worker.drain)
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx

from book_enrichment.covers import CoverWorker, beside, open_covers
from book_enrichment.database import Database, NotConfigured, open_database
from book_enrichment.errors import DatabaseUnavailable, EnrichmentError, Forbidden, Malformed
from book_enrichment.handshake import refuse_mismatch
from book_enrichment.providers import (
    Answer,
    GoogleBooks,
    Lookup,
    OpenLibrary,
    Provider,
    ProviderUnavailable,
)
from book_enrichment.records import ClaimedRow, Setting
from book_enrichment.settings import Settings

logger = logging.getLogger(__name__)

# A grant is to be used within 2 s of being made; one that took this long to reach us is thrown away.
GRANT_SECONDS = 1.5
# Rows whose next grant is further away go back in line instead of being held; claim gives out none of them.
LONGEST_WAIT_SECONDS = 60.0
# No call begins later than this part of a claim's life, so that a slow worker never looks like a dead one.
# How long that life is, the database says (settings.stale_after_seconds).
LATEST_CALL = 0.8
# Between two glances at the queue: at most, since an import may have come in where the database cannot call;
# at least, when rows are due and cannot be claimed (another worker has them).
LONGEST_SLEEP_SECONDS = 30.0
SHORTEST_SLEEP_SECONDS = 1.0
# How often to look for claims of workers that are gone. pg_cron, where there is one, does so as well.
STALE_CHECK_SECONDS = 60.0
# After a failed call, as long as neither the provider nor the breaker has named a time.
RETRY_SECONDS = 5.0
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
# The database calls here when rows come in; see `Door.listen`.
CHANNEL = "enrichment"
# PostgREST cuts a reply at 1,000 rows, and the verbs refuse more.
APPLY_ROWS = 500


@dataclass(slots=True)
class Tally:
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


@dataclass(frozen=True, slots=True)
class Excuse:
    """Why a look-up was not made, and when to try again (None: as soon as the database sees fit).

    `is_known`: the database has it on record that the provider may not be called, so it says what becomes of
    the row: to wait and until when, or to do without.
    """

    reason: str
    retry_at: datetime | None = None
    is_known: bool = False


@dataclass(slots=True)
class Batch:
    """The rows of one round and what is known about their look-ups."""

    rows: list[ClaimedRow] = field(default_factory=list)
    answers: dict[Lookup, Answer] = field(default_factory=dict)
    excuses: dict[str, Excuse] = field(default_factory=dict)  # by provider
    crashes: dict[str, str] = field(default_factory=dict)  # by provider: an error nobody expected
    claimed_at: float = field(default_factory=time.monotonic)
    news: asyncio.Event = field(default_factory=asyncio.Event)  # an answer came, or the last one has
    is_fetched: bool = False

    def lookups(self) -> dict[Lookup, None]:
        """Each distinct look-up once, in the order of the rows."""
        return dict.fromkeys(lookup for row in self.rows for lookup in row.lookups)

    def answered(self) -> list[ClaimedRow]:
        """The rows that wait for no further answer, and can be applied."""
        return [row for row in self.rows if all(self._has_reply(lookup) for lookup in row.lookups)]

    def _has_reply(self, lookup: Lookup) -> bool:
        return lookup in self.answers and self.answers[lookup].error is None

    def result(self, row: ClaimedRow) -> dict[str, Any]:
        """What `apply_enrichment` takes for a row: the answers there are."""
        lookups = [self.answers[lookup].as_result() for lookup in row.lookups if lookup in self.answers]
        return {"queue_id": row.queue_id, "claim_token": row.claim_token, "lookups": lookups}

    def held(self) -> float:
        """Seconds since the first of the rows was claimed."""
        return time.monotonic() - self.claimed_at


class Worker:
    """Carries rows between `database` and `providers`. Any number may run, in any number of processes.

    Args:
        database: through either door.
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
        self.database = database
        self.providers = {provider.name: provider for provider in providers}
        self.settings = settings
        self.covers = covers
        self.name = name or f"{socket.gethostname()}:{os.getpid()}"
        self.tally = Tally()
        self.stopped = False
        self.provider_delay = 0.0  # seconds between two calls to one provider; the database names it
        self.batch_size: int | None = None  # rows per claim, as the database has it
        self.claim_seconds = 0.0  # how long a claim lives; the database names it
        self.called_at: dict[str, float] = {}  # by provider, on the monotonic clock
        self._alarm = asyncio.Event()
        self._stopping = asyncio.Event()
        self._alone = asyncio.Lock()
        self._fetching: asyncio.Task[None] | None = None
        self._configured = False
        self._fits = False  # the database's version, asked anew after trouble: it may have been upgraded
        self._stale_check_at = 0.0

    @property
    def is_running(self) -> bool:
        """Whether `run` or `drain` is under way."""
        return self._alone.locked()

    def wake(self) -> None:
        """There may be something new: look now instead of at the end of the sleep."""
        self._alarm.set()

    def stop(self) -> None:
        """Cut a running fetch short, release what it held, and let `run` return. There is no going on."""
        self.stopped = True
        self._alarm.set()
        self._stopping.set()
        if self._fetching is not None:
            self._fetching.cancel()
        if self.covers is not None:
            self.covers.stop()

    async def drain(self) -> None:
        """Work until nothing is left to do soon. When this worker runs already, it is only woken."""
        if self._alone.locked():
            self.wake()
        else:
            await self.run(drain=True)

    async def run(self, *, drain: bool = False, patience: float = 90.0) -> Tally:
        """Work until stopped; with `drain`, until all that is left waits for longer than `patience` seconds.

        Draining also ends when nothing has moved for that long: rows that another worker holds, a provider or
        a database that stays away. A worker that runs on waits for the database as long as it takes.

        Raises:
            Forbidden: the key or role may not call the service verbs, and waiting will not change that.
            NotConfigured: the environment sets a flag to what the database does not take.
            EnrichmentError: only when draining. A worker that runs on logs it and tries again later.
        """
        async with self._alone, self._listening(wanted=not drain), beside(self.covers, patience):
            started = moved = time.monotonic()
            troubles = idle = 0
            look = True  # or only glance at what is due: one call, nothing claimed
            while not self.stopped:
                try:
                    self._alarm.clear()
                    progress = await self._round() if look else False
                    due = await self.database.enrichment_due()
                except EnrichmentError as error:
                    away = isinstance(error, DatabaseUnavailable)
                    worth_waiting = away and time.monotonic() - moved < patience
                    if isinstance(error, Forbidden | NotConfigured) or (drain and not worth_waiting):
                        raise
                    troubles += 1
                    look, self._fits = True, False
                    _log_database(error)
                    await self.pause(min(2.0**troubles, LONGEST_SLEEP_SECONDS))
                    continue
                finally:
                    self.tally.seconds = time.monotonic() - started
                troubles = 0
                due_in = None if due.due_at is None else due.due_in
                self.tally.pending, self.tally.due_in = due.pending, due_in
                self.tally.wait_reason = due.reason
                if progress:
                    moved, idle = time.monotonic(), 0
                    continue
                if not look and due_in == 0:
                    look = True
                    continue
                if drain and (due_in is None or time.monotonic() - moved + due_in >= patience):
                    break
                idle = idle + 1 if due_in == 0 else 0
                seconds = sleep_seconds(due_in, idle)
                woken = await self.pause(seconds)
                is_time = due_in is not None and due_in <= seconds
                look = woken or is_time or time.monotonic() >= self._stale_check_at
            self.tally.seconds = time.monotonic() - started
            return self.tally

    async def pause(self, seconds: float) -> bool:
        """Sleep, cut short by `wake` and by `stop`; whether it was."""
        return await _happens(self._alarm, seconds)

    async def rest(self, seconds: float) -> bool:
        """Sleep between two calls, cut short by `stop` alone."""
        return await _happens(self._stopping, seconds)

    @asynccontextmanager
    async def _listening(self, wanted: bool) -> AsyncIterator[None]:
        """While the block runs, the database wakes this worker when rows come in, if its door can."""
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
                async with aclosing(self.database.door.listen(CHANNEL)) as calls:
                    async for _ in calls:
                        troubles = 0
                        self.wake()
                return
            except DatabaseUnavailable as error:
                troubles += 1
                _log_database(error)
                await asyncio.sleep(min(2.0**troubles, LONGEST_SLEEP_SECONDS))

    async def _round(self) -> bool:
        """One round; true when it moved a row on, so that another look is worth while."""
        if not self._fits:
            await refuse_mismatch(self.database)
            self._fits = True
        await self._configure()
        if time.monotonic() >= self._stale_check_at:
            await self.database.reset_stale_enrichment()
            self._stale_check_at = time.monotonic() + STALE_CHECK_SECONDS
        swept = await self._sweep()
        batch, moved = Batch(), 0
        applying = asyncio.create_task(self._apply_meanwhile(batch))
        try:
            await self._claim(batch)
            self._fetching = asyncio.create_task(self._fetch(batch))
            await self._fetching
        except asyncio.CancelledError:
            if not self.stopped:
                raise
        finally:
            self._fetching = None
            batch.is_fetched = True
            batch.news.set()
            moved = await applying + await self._settle(batch)
        return swept + moved > 0

    async def _configure(self) -> None:
        """Keep to what the database has now; the first time, what this environment sets is written before.

        Of a provider's key the database learns only that there is one.
        """
        changes: dict[str, Any] = {}
        if not self._configured:
            changes |= self.settings.flags()
            keyed = [name for name, each in self.providers.items() if getattr(each, "has_key", False)]
            changes |= {"provider_keys": keyed} if keyed else {}
        try:
            self._obey(await self.database.configure_enrichment(changes))
        except Malformed as error:
            variables = ", ".join(f"ENRICHMENT_{name.upper()}" for name in self.settings.flags())
            raise NotConfigured(
                f"the database refuses what the environment sets: {error.message}",
                hint=f"correct one of {variables}",
            ) from error
        self._configured = True

    def _obey(self, settings: Iterable[Setting]) -> None:
        """The gap between calls, rows per claim, the life of a claim, and who asks."""
        values = {setting.name: setting.value for setting in settings}
        self.provider_delay = float(values["provider_delay_ms"] or 0) / 1000
        self.batch_size = int(values["batch_size"] or 1)
        self.claim_seconds = float(values["stale_after_seconds"] or 0)
        for provider in self.providers.values():
            if introduce := getattr(provider, "introduce", None):
                introduce(values["contact"])

    async def _sweep(self) -> int:
        """The cached lane. pg_cron runs it as well; this is for a project without pg_cron."""
        swept = 0
        while not self.stopped and (outcomes := await self.database.sweep_enrichment()):
            swept += len(outcomes)
            self.tally.swept += len(outcomes)
            self.tally.covers += sum("work.cover_url" in outcome.fields_applied for outcome in outcomes)
            logger.info("swept %d rows", len(outcomes), extra={"action": "sweep", "rows": len(outcomes)})
        return swept

    async def _claim(self, batch: Batch) -> None:
        """Claim until there are ISBNs for several full calls, or enough look-ups that cost a call each."""
        while self.providers and not self.stopped:
            room = self._room(batch)
            if room <= 0:
                return
            try:
                fewer = room if self.batch_size is not None and room < self.batch_size else None
                claimed = await self.database.claim_enrichment(self.name, fewer)
            except EnrichmentError:
                if not batch.rows:
                    raise
                return
            batch.rows += claimed
            self.tally.claimed += len(claimed)
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
                    batch.excuses[name] = Excuse("no_client", _from_now(NO_CLIENT_SECONDS))

    async def _ask(self, provider: Provider, batch: Batch) -> None:
        """Answers are kept as they come, whatever happens next."""
        name, calls = provider.name, _Calls(self, provider, batch)
        lookups = [lookup for lookup in batch.lookups() if lookup.provider == name]
        try:
            try:
                async for answer in provider.answers(lookups, calls.permit):
                    batch.answers[answer.lookup] = answer
                    batch.news.set()
                await calls.report()
            except ProviderUnavailable as trouble:
                extra = {"action": "provider_unavailable", "provider": name, "reason": trouble.reason}
                logger.warning("%s", trouble, extra=extra)
                batch.excuses[name] = await calls.report_trouble(trouble)
        except EnrichmentError as error:
            away = isinstance(error, DatabaseUnavailable)
            batch.excuses[name] = Excuse("database_unavailable" if away else "database_refused")
            _log_database(error)
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
                _log_database(error)
                break
            gone = {row.queue_id for row in answered}
            batch.rows = [row for row in batch.rows if row.queue_id not in gone]
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
                _log_database(error)
                if self.stopped or batch.held() > self.claim_seconds:
                    break  # what is left grows stale, and the database puts it back in line
                troubles += 1
                await self.rest(min(2.0**troubles, LONGEST_SLEEP_SECONDS))
                continue
            except EnrichmentError as error:
                self.tally.dropped += 1
                logger.warning("dropped: %s", error, extra={"action": "drop", "code": error.code})
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
            # Without an excuse the fetch was cut short, which only `stop` and a cancellation do.
            excuse = batch.excuses.get(unasked[0], Excuse("stopped")) if unasked else None
            if errors:
                others.append(partial(self._fail, row, errors[0]))
            elif answers or excuse is None or excuse.is_known:
                results.append(batch.result(row))
            else:
                others.append(partial(self._release, row, excuse))
            if excuse is not None and excuse.is_known and not answers and not errors:
                self.tally.released[excuse.reason] += 1
        chunks = [results[start : start + APPLY_ROWS] for start in range(0, len(results), APPLY_ROWS)]
        return [*(partial(self._apply, chunk) for chunk in chunks), *others]

    async def _apply(self, results: list[dict[str, Any]]) -> int:
        moved = 0
        for outcome in await self.database.apply_enrichment(results):
            if outcome.outcome == "applied":
                self.tally.applied[outcome.status or "?"] += 1
                self.tally.covers += "work.cover_url" in outcome.fields_applied
                moved += outcome.status != "pending" or bool(results[outcome.position]["lookups"])
            else:
                self.tally.dropped += 1
                extra = {"action": "drop", "outcome": outcome.outcome, "queue_id": str(outcome.queue_id)}
                logger.warning("%s: %s", outcome.outcome, outcome.message, extra=extra)
        logger.info("applied %d rows", len(results), extra={"action": "apply", "rows": len(results)})
        return moved

    async def _fail(self, row: ClaimedRow, error: str) -> int:
        await self.database.fail_enrichment(row.queue_id, row.claim_token, error)
        self.tally.failed += 1
        logger.warning("failed: %s", error, extra={"action": "fail", "queue_id": str(row.queue_id)})
        return 1

    async def _release(self, row: ClaimedRow, excuse: Excuse) -> int:
        await self.database.release_enrichment(row.queue_id, row.claim_token, excuse.reason, excuse.retry_at)
        self.tally.released[excuse.reason] += 1
        extra = {"action": "release", "queue_id": str(row.queue_id), "reason": excuse.reason}
        logger.debug("released: %s", excuse.reason, extra=extra)
        return 0


class _Calls:
    """The calls that one batch makes to one provider: leave is asked before each, and each is reported."""

    def __init__(self, worker: Worker, provider: Provider, batch: Batch) -> None:
        self._worker = worker
        self._name = provider.name
        self._batch = batch
        self._unreported = 0

    async def permit(self) -> bool:
        """True: send the call now. False: not in time; the batch then has the excuse."""
        await self.report()
        await self._keep_the_gap()
        while not self._worker.stopped:
            asked_at = time.monotonic()
            reservation = await self._worker.database.reserve_provider_calls(self._name, 1)
            if reservation.granted and time.monotonic() - asked_at > GRANT_SECONDS:
                continue
            if reservation.granted:
                self._unreported = 1
                self._worker.tally.calls[self._name] += 1
                self._worker.called_at[self._name] = time.monotonic()
                return True
            wait = reservation.retry_after
            if (
                wait is None
                or wait > LONGEST_WAIT_SECONDS
                or self._batch.held() + wait > LATEST_CALL * self._worker.claim_seconds
            ):
                retry_at = None if wait is None else _from_now(wait)
                reason = reservation.reason or "rate"
                is_known = reason != "rate" or (wait is not None and wait > LONGEST_WAIT_SECONDS)
                self._batch.excuses[self._name] = Excuse(reason, retry_at, is_known)
                return False
            await self._worker.rest(max(wait, 0.05))
        return False

    async def report(self) -> None:
        """The call before went well."""
        if self._unreported:
            await self._worker.database.report_provider_calls(self._name, succeeded=self._unreported)
            self._unreported = 0

    async def report_trouble(self, trouble: ProviderUnavailable) -> Excuse:
        """The call before went wrong; what its rows wait for, and until when."""
        self._unreported = 0
        state = await self._worker.database.report_provider_calls(**trouble.report())
        if state.retry_at is not None and state.retry_at > _from_now(0):
            return Excuse(state.paused_reason or trouble.reason, state.retry_at, is_known=True)
        if state.open_until is not None:
            return Excuse("breaker", state.open_until, is_known=True)
        return Excuse(trouble.reason, _from_now(RETRY_SECONDS))

    async def _keep_the_gap(self) -> None:
        last_call = self._worker.called_at.get(self._name)
        due_at = 0.0 if last_call is None else last_call + self._worker.provider_delay
        while not self._worker.stopped and (wait := due_at - time.monotonic()) > 0:
            await self._worker.rest(wait)


async def _happens(event: asyncio.Event, seconds: float) -> bool:
    """Whether it happens within so many seconds; returns as soon as it does."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


def sleep_seconds(due_in: float | None, idle: int) -> float:
    """How long to sleep: the next row is due in `due_in`, the last `idle` looks were in vain."""
    if due_in is None:
        return LONGEST_SLEEP_SECONDS
    if idle:
        return min(SHORTEST_SLEEP_SECONDS * 2.0 ** (idle - 1), LONGEST_SLEEP_SECONDS)
    return min(max(due_in, 0.1), LONGEST_SLEEP_SECONDS)


def _from_now(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def _log_database(error: EnrichmentError) -> None:
    told = f"{error}: {error.hint}" if error.hint else str(error)
    logger.warning("database: %s", told, extra={"action": "wait_for_database", "code": error.code})


@asynccontextmanager
async def open_worker(settings: Settings, name: str | None = None) -> AsyncIterator[Worker]:
    """A worker with everything it needs, opened from the settings and closed behind it."""
    async with (
        open_database(settings) as database,
        httpx.AsyncClient() as client,
        open_covers(settings, database) as covers,
    ):
        yield Worker(database, open_providers(settings, client), settings, name, covers)


def open_providers(settings: Settings, client: httpx.AsyncClient) -> list[Provider]:
    """The providers that may be asked with these settings: Google Books only with a `google_books_api_key`.

    Open Library hears from the worker who asks: the contact that the database has, whoever set it there.
    """
    providers: list[Provider] = [OpenLibrary(client, settings.open_library_url)]
    if settings.google_books_api_key:
        key, country = settings.google_books_api_key.get_secret_value(), settings.google_books_country
        providers.append(GoogleBooks(client, settings.google_books_url, key, country=country))
    return providers


@asynccontextmanager
async def running(worker: Worker) -> AsyncIterator[Worker]:
    """The worker runs while the block does, and has let go of its rows when it ends.

    If the database refuses the worker, that is logged; the application around it goes on.
    """
    task = asyncio.create_task(worker.run())
    task.add_done_callback(_log_end)
    try:
        yield worker
    finally:
        worker.stop()
        await asyncio.wait({task})


def _log_end(task: asyncio.Task[Tally]) -> None:
    if not task.cancelled() and (error := task.exception()):
        logger.error("the worker ended", exc_info=error, extra={"action": "end"})


@contextmanager
def stopping_on_signals(worker: Worker) -> Iterator[None]:
    """SIGTERM and SIGINT stop the worker cleanly while the block runs: for programs that only work."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for each in signals:
        loop.add_signal_handler(each, worker.stop)
    try:
        yield
    finally:
        for each in signals:
            loop.remove_signal_handler(each)
