"""A parsed export goes into the database, 500 rows a call, under one import id.

Before this, `export.py` made rows of a file; after it, `import_library` has put the books on a shelf and in
line. The command line sends what it read from a disk, the API what somebody uploaded.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID, uuid4

from book_enrichment.database import Database
from book_enrichment.errors import EnrichmentError
from book_enrichment.records import ImportOutcome

from .export import Export

IMPORT_ROWS = 500  # what import_library takes in one call


async def import_export(
    database: Database,
    user_id: UUID,
    export: Export,
    advance: Callable[[int], None] = lambda rows: None,
    import_id: UUID | None = None,
) -> list[ImportOutcome]:
    """Send every row of an export; one outcome each, in file order.

    user_id: whose shelf. advance: is told after each call how many rows went through. import_id: the id under
    which the import is found and undone; None makes one.

    Raises the EnrichmentError of the call that was refused; calls before it stand, and its hint says so.
    """
    import_id = import_id or uuid4()
    outcomes: list[ImportOutcome] = []
    for start in range(0, len(export.rows), IMPORT_ROWS):
        rows = [row.to_json() for row in export.rows[start : start + IMPORT_ROWS]]
        try:
            outcomes += await database.import_library(user_id, export.source, rows, import_id)
        except EnrichmentError as error:
            if outcomes:
                error.hint = (
                    f"{len(outcomes)} of {len(export.rows)} rows are in; import the file again for the rest"
                )
            raise
        advance(len(rows))
    return outcomes
