"""What every worker does, whatever its queue holds: look, work, and sleep until the database names a time.

Before it begins it asks whether package and database fit, and at each look it keeps to what the settings say.
What a look is, is the subclass's: `lookups.py` for books, `covers.py` for their covers.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

from book_enrichment.database import Database, NotConfigured
from book_enrichment.database.records import Setting
from book_enrichment.errors import EnrichmentError, Forbidden
from book_enrichment.handshake import refuse_mismatch

logger = logging.getLogger(__name__)

# Between two glances at the queue: at most, since rows may have come in where the database cannot call;
# at least, when rows are due and cannot be claimed (another worker has them).
LONGEST_SLEEP_SECONDS = 30.0
SHORTEST_SLEEP_SECONDS = 1.0
# How often to look even though nothing is due, and for claims of workers that are gone. pg_cron, where there
# is one, does the latter as well.
CHECK_SECONDS = 60.0


class Counted(Protocol):
    """What a worker has done so far."""

    dropped: int


class Loop(ABC):
    """A worker's life, from `_work` to `stop`.

    Args:
        database: over either transport.
        name: who holds a claim, as the queue shows it; host and process id when not given.
    """

    stats: Counted

    def __init__(self, database: Database, name: str | None) -> None:
        self.database = database
        self.name = name or f"{socket.gethostname()}:{os.getpid()}"
        self.stopped = False
        self.claim_seconds = 0.0  # how long a claim lives; the database names it
        self.provider_delay = 0.0  # seconds between two calls to one provider
        self.called_at: dict[str, float] = {}  # by provider, on the monotonic clock
        self._patience: float | None = None  # set: end once the rest waits for longer than this
        self._moved_at = time.monotonic()
        self._fits = False  # the database's version, asked anew after trouble: it may have been upgraded
        self._check_due_at = 0.0
        self._looks = True  # or only glances at what is due: one call, nothing claimed
        self._alarm = asyncio.Event()
        self._stopping = asyncio.Event()
        self._fetching: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """There may be something new: look now instead of at the end of the sleep."""
        self._alarm.set()

    def stop(self) -> None:
        """Cut a running fetch short, give back what is held, and let `run` return. There is no going on."""
        self.stopped = True
        self._alarm.set()
        self._stopping.set()
        if self._fetching is not None:
            self._fetching.cancel()

    async def pause(self, seconds: float) -> bool:
        """Sleep, cut short by `wake` and by `stop`; whether it was."""
        return await _happens(self._alarm, seconds)

    async def rest(self, seconds: float) -> bool:
        """Sleep between two calls, cut short by `stop` alone."""
        return await _happens(self._stopping, seconds)

    def count_call(self, provider: str) -> None:
        """A call to a provider is about to go out."""
        self.called_at[provider] = time.monotonic()

    def drop(self, error: EnrichmentError) -> None:
        """The database had no use for an answer: too late, or refused."""
        self.stats.dropped += 1
        logger.warning("dropped: %s", error, extra={"action": "drop", "code": error.code})

    @abstractmethod
    async def _turn(self) -> tuple[bool, float | None]:
        """One look: whether something moved, and in how many seconds more is due (None: nothing is)."""

    @abstractmethod
    async def _settings(self) -> Sequence[Setting]:
        """What the database says to keep to."""

    @abstractmethod
    def _is_drained(self, due_in: float | None, patience: float) -> bool:
        """Whether all that is left waits for longer than `patience` seconds."""

    @abstractmethod
    def _outlasts(self, error: EnrichmentError, patience: float | None) -> bool:
        """Whether trouble with the database is waited out."""

    def _obey(self, values: dict[str, str | None]) -> None:
        """Keep to what the database has."""
        self.claim_seconds = float(values["stale_after_seconds"] or 0)

    async def _fit(self) -> None:
        """Hold the package against the database."""
        if not self._fits:
            await refuse_mismatch(self.database)
            self._fits = True

    async def _keep_to_settings(self) -> None:
        """An operator may have changed something since the last look."""
        self._obey({setting.name: setting.value for setting in await self._settings()})

    async def _work(self) -> None:
        """Look again and again, until stopped or drained."""
        self._moved_at = time.monotonic()
        self._looks = True
        troubles = idle = 0
        while not self.stopped:
            patience = self._patience  # whoever asks to finish wants another look first
            self._alarm.clear()
            try:
                moved, due_in = await self._turn()
            except EnrichmentError as error:
                if isinstance(error, Forbidden | NotConfigured) or not self._outlasts(error, patience):
                    raise
                troubles += 1
                self._fits, self._looks = False, True
                log_database(error)
                await self.pause(backoff_seconds(troubles))
                continue
            troubles = 0
            if moved:
                self._moved_at, idle = time.monotonic(), 0
                continue
            if patience is not None and self._is_drained(due_in, patience):
                return
            idle = idle + 1 if due_in == 0 else 0
            seconds = sleep_seconds(due_in, idle)
            woken = await self.pause(seconds)
            is_time = due_in is not None and due_in <= seconds
            self._looks = woken or is_time or time.monotonic() >= self._check_due_at

    async def _unless_stopped(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it; `stop` cuts it short."""
        self._fetching = asyncio.create_task(work)
        try:
            await self._fetching
        except asyncio.CancelledError:
            if not self.stopped:
                raise
        finally:
            self._fetching = None


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


def backoff_seconds(troubles: int) -> float:
    """How long to leave a database alone that gave trouble so many times in a row."""
    return min(2.0**troubles, LONGEST_SLEEP_SECONDS)


def log_database(error: EnrichmentError) -> None:
    """Trouble with the database, and what to do about it."""
    told = f"{error}: {error.hint}" if error.hint else str(error)
    logger.warning("database: %s", told, extra={"action": "wait_for_database", "code": error.code})


def log_end(task: asyncio.Task[Any]) -> None:
    """A worker that ended by an error, by the name of its task."""
    if not task.cancelled() and (error := task.exception()):
        logger.error("%s ended", task.get_name(), exc_info=error, extra={"action": "end"})
