"""What a provider is asked and what it says.

`claim_enrichment` names the look-ups a book still needs; a provider turns each into an `Answer`; the worker
hands the answers to `apply_enrichment`, which stores and scores them. Nothing here judges whether a reply is
the right book.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

Permit = Callable[[], Awaitable[bool]]
"""Awaited right before every HTTP request: true sends it, false ends the round quietly."""

PAUSING_REASONS = frozenset({"identify", "no_key", "bad_key", "quota_zero", "unknown_location", "daily"})
"""Reasons that no retry cures: for `daily` the database pauses the provider until its day begins anew, for
the others for an hour, unless contact or keys change earlier."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """One question for one provider, as `claim_enrichment` lists it. Equal look-ups are asked once."""

    # The API shows it, with the docstrings under its fields and all of them always there.
    __pydantic_config__: ClassVar[dict[str, Any]] = {
        "use_attribute_docstrings": True,
        "json_schema_serialization_defaults_required": True,
    }

    provider: str
    kind: str
    """`isbn` or `title`."""
    key: str
    """The ISBN, or for `title` a key only the database can read."""
    title: str | None = None
    author: str | None = None

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Lookup:
        return cls(
            provider=row["provider"],
            kind=row["kind"],
            key=row["key"],
            title=row.get("title"),
            author=row.get("author"),
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider said to one look-up: a reply, nothing (`no_match`) or a lasting refusal."""

    lookup: Lookup
    raw: dict[str, Any] | None = None
    """The trimmed reply, fit for jsonb, in the shape `apply_enrichment` reads."""
    error: str | None = None
    """Why the provider will never answer this look-up; the worker fails the row with it."""

    def as_result(self) -> dict[str, Any]:
        """The element of `lookups` that `apply_enrichment` takes. Raises ValueError for a refused look-up."""
        if self.error is not None:
            raise ValueError(f"look-up {self.lookup.kind} {self.lookup.key} was refused: {self.error}")
        asked = {"provider": self.lookup.provider, "kind": self.lookup.kind, "key": self.lookup.key}
        return asked | ({"no_match": True} if self.raw is None else {"raw": self.raw})


class ProviderUnavailable(Exception):
    """A call failed for a reason that is the provider's, not the book's: nobody's attempt is spent.

    `reason` is one of `unreachable` (no connection), `timeout`, `server_error` (5xx, broken connection),
    `rate_limited` (429, or 503 with a Retry-After), `bad_reply` (not the JSON we know) or a pausing reason.
    """

    def __init__(
        self,
        provider: str,
        reason: str,
        message: str,
        *,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{provider}: {reason}: {message}")
        self.provider = provider
        self.reason = reason
        self.retry_after = retry_after
        """Seconds the provider asked us to wait; None when it did not say."""

    @property
    def failed(self) -> bool:
        """Whether the call counts for the breaker: with a pausing reason the provider itself works."""
        return self.reason not in PAUSING_REASONS

    def report(self) -> dict[str, Any]:
        """The arguments of `report_provider_calls` for this one call."""
        return {
            "provider": self.provider,
            "failed": 1 if self.failed else 0,
            "last_error": str(self),
            "retry_after": self.retry_after,
            "reason": None if self.failed else self.reason,
        }


class Provider(Protocol):
    """A source of book data. Clients are handed in, so that a test can point one at a server of its own.

    One that sends an API key has `has_key = True`: the database then lets rows wait for it. One that says who
    asks has `introduce(contact)`: the worker tells it what the database has, which may be None.
    """

    @property
    def name(self) -> str:
        """As in `enrichment.providers` and in each look-up."""

    @property
    def keys_per_call(self) -> int:
        """How many ISBN look-ups one call answers: worth pooling that many over several claims."""

    def answers(self, lookups: Iterable[Lookup], permit: Permit) -> AsyncIterator[Answer]:
        """Yield each distinct look-up's answer as soon as it is known.

        When `permit` answers false the iteration ends; look-ups not yielded were not answered. Raises
        `ProviderUnavailable` when a call fails; the answers yielded before it stand.
        """
