"""The rows of one round, from their claim to what is handed back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from book_enrichment.database.records import ClaimedRow
from book_enrichment.providers import Answer, Lookup
from book_enrichment.work.leases import DeferReason, Lease


@dataclass(slots=True)
class Batch:
    """The rows of one round and what is known about their look-ups."""

    lease: Lease
    rows: list[ClaimedRow] = field(default_factory=list)
    answers: dict[Lookup, Answer] = field(default_factory=dict)
    deferred: dict[str, DeferReason] = field(default_factory=dict)  # by provider
    crashes: dict[str, str] = field(default_factory=dict)  # by provider: an error nobody expected
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

    def shift(self, rows: Iterable[ClaimedRow]) -> None:
        """These are settled."""
        gone = {row.queue_id for row in rows}
        self.rows = [row for row in self.rows if row.queue_id not in gone]

    def result(self, row: ClaimedRow) -> dict[str, Any]:
        """What `apply_enrichment` takes for a row: the answers there are."""
        lookups = [self.answers[lookup].as_result() for lookup in row.lookups if lookup in self.answers]
        return {"queue_id": row.queue_id, "claim_token": row.claim_token, "lookups": lookups}
