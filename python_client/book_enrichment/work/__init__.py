"""The work: rows of the queue, and covers, go from the database to a provider and back.

One loop for both (`loop.py`), with one way to hold a claim and to ask leave for a call (`leases.py`); what is
carried is in `lookups.py` and `covers.py`, and `opening.py` puts a worker together.
"""

from book_enrichment.work.covers import CoverStats, CoverWorker
from book_enrichment.work.lookups import Stats, Worker
from book_enrichment.work.opening import (
    open_covers,
    open_providers,
    open_worker,
    running,
    stopping_on_signals,
)

__all__ = [
    "CoverStats",
    "CoverWorker",
    "Stats",
    "Worker",
    "open_covers",
    "open_providers",
    "open_worker",
    "running",
    "stopping_on_signals",
]
