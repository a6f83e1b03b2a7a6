"""An upload on its way into the database: read within the request, sent behind it.

The import is announced first, with the number of its rows, so that it can be watched from then on. Its rows
follow in chunks; a chunk that is sent again answers the same, so a database that is away for a moment costs
nothing. What cannot be sent stays visible: the import has fewer rows than its file, and says why while this
app remembers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar
from uuid import UUID, uuid4

from book_enrichment.database import Database
from book_enrichment.database.records import ImportState
from book_enrichment.errors import EnrichmentError

from .export import Export, read_export
from .sending import import_export

logger = logging.getLogger(__name__)

# Reading 20 MB takes 1.4 s of CPU; more at a time would only make everybody wait.
FILES_AT_ONCE = 2
# 10,000 rows took 53 s on two busy cores, and a file holds 50,000 at most. An import whose
# database stays away is given up after this; importing the file again goes on where it ended.
LONGEST_SENDING_SECONDS = 600.0
# How long an app that is told to end goes on sending.
GRACE_SECONDS = 10.0
PROBLEMS_REMEMBERED = 100


class UploadUnderWay(EnrichmentError):
    """A reader's import is still being sent; one at a time."""


class UploadFailed(EnrichmentError):
    """A fault of ours ended the sending."""


Told = TypeVar("Told")


@dataclass(slots=True)
class Uploads(Generic[Told]):
    """The imports that this app is sending."""

    database: Database
    wake: Callable[[], None]
    """Called when rows are in."""
    describe: Callable[[EnrichmentError], Told]
    """How whoever watches an import is told why it ended."""
    problems: dict[UUID, Told] = field(default_factory=dict)
    _sending: dict[UUID, asyncio.Task[None]] = field(default_factory=dict)
    _readers: set[UUID] = field(default_factory=set)
    _parsing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(FILES_AT_ONCE))

    async def accept(
        self, reader: UUID, read: Callable[[], Awaitable[bytes]], source: str | None
    ) -> tuple[UUID, Export]:
        """Read a file, announce it, and start sending it.

        `read` is called when it is this file's turn: until then an upload waits on disk, not in memory.

        Raises:
            ImportFileError: the file is no export.
            UploadUnderWay: an import of this reader is being sent.
        """
        if reader in self._readers:
            raise UploadUnderWay(
                "an import of yours is still being sent",
                hint="wait until it ends; GET /imports shows how far it is",
            )
        self._readers.add(reader)
        try:
            async with self._parsing:
                export = await asyncio.to_thread(read_export, await read(), source)
            import_id = uuid4()
            # Without rows yet: from here on it can be watched.
            await self.database.import_library(reader, export.source, [], import_id, len(export.rows))
        except BaseException:
            self._readers.discard(reader)
            raise
        self._sending[import_id] = asyncio.create_task(self._send(reader, import_id, export))
        return import_id, export

    def state(self, progress: ImportState) -> str:
        """`complete`, `sending` or `incomplete`. Another app may be sending it, which only time can tell."""
        if progress.import_id in self._sending:
            return "sending"
        if progress.expected_rows is None or progress.rows >= progress.expected_rows:
            return "complete"
        age = datetime.now(UTC) - progress.created_at
        may_be_sent = progress.import_id not in self.problems and age < timedelta(
            seconds=LONGEST_SENDING_SECONDS
        )
        return "sending" if may_be_sent else "incomplete"

    async def close(self) -> None:
        """Let what is being sent arrive, but not for ever."""
        if tasks := list(self._sending.values()):
            _, late = await asyncio.wait(tasks, timeout=GRACE_SECONDS)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    async def _send(self, reader: UUID, import_id: UUID, export: Export) -> None:
        def advance(rows: int) -> None:
            self.wake()

        try:
            await import_export(self.database, reader, export, advance, import_id, LONGEST_SENDING_SECONDS)
        except EnrichmentError as error:
            self._remember(import_id, error)
        except Exception:
            logger.exception("import %s: unexpected", import_id, extra={"action": "import"})
            failure = UploadFailed("the import ended by a fault of this app", hint="see the log")
            self._remember(import_id, failure)
        finally:
            self._sending.pop(import_id, None)
            self._readers.discard(reader)

    def _remember(self, import_id: UUID, error: EnrichmentError) -> None:
        logger.warning("import %s: %s", import_id, error, extra={"action": "import"})
        self.problems[import_id] = self.describe(error)
        while len(self.problems) > PROBLEMS_REMEMBERED:
            del self.problems[next(iter(self.problems))]
