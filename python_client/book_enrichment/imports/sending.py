"""A parsed export goes into the database, 500 rows a call, under one import id.

Before this, `export.py` made rows of a file; after it, `import_library` has put the books on a shelf and in
line. The command line sends what it read from a disk, the API what somebody uploaded.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from uuid import UUID, uuid4

from book_enrichment.database import Database
from book_enrichment.database.records import ImportOutcome
from book_enrichment.errors import DatabaseUnavailable, EnrichmentError

from .export import Export

IMPORT_ROWS = 500  # what import_library takes in one call
LONGEST_PAUSE_SECONDS = 15.0  # between two tries, while the database is away


async def import_export(
    database: Database,
    user_id: UUID,
    export: Export,
    advance: Callable[[int], None] = lambda rows: None,
    import_id: UUID | None = None,
    patience: float = 0.0,
) -> list[ImportOutcome]:
    """Send every row of an export; one outcome each, in file order.

    user_id: whose shelf. advance: is told after each call how many rows went through. import_id: the id under
    which the import is found and undone; None makes one. patience: seconds to go on trying, in all, while the
    database is away; rows that are sent again answer the same.

    Raises the EnrichmentError of the call that was refused; calls before it stand, and its hint says so.
    """
    import_id = import_id or uuid4()
    deadline = time.monotonic() + patience
    outcomes: list[ImportOutcome] = []
    start = troubles = 0
    while start < len(export.rows):
        rows = [row.to_json() for row in export.rows[start : start + IMPORT_ROWS]]
        try:
            outcomes += await database.import_library(
                user_id, export.source, rows, import_id, len(export.rows)
            )
        except EnrichmentError as error:
            troubles += 1
            pause = min(2.0**troubles, LONGEST_PAUSE_SECONDS)
            if isinstance(error, DatabaseUnavailable) and time.monotonic() + pause < deadline:
                await asyncio.sleep(pause)
                continue
            if outcomes:
                error.hint = (
                    f"{len(outcomes)} of {len(export.rows)} rows are in; import the file again for the rest"
                )
            raise
        troubles = 0
        start += len(rows)
        advance(len(rows))
    return outcomes
