"""What can go wrong between us and the database, as a tree.

The SQL functions refuse with a code, a message that names the row, and a hint that says what to do next.
Python turns each code into one class and reads nothing else: both transports call `error_for` with whatever
code they were given.

    EnrichmentError              anything the database refused (also codes without a class of their own)
    ├── NotFound                 PT404: no such row, or no such row for this caller
    ├── WrongState               PT409: the row is not in a state that allows this
    ├── Malformed                PT422: the arguments cannot be understood, or are too many
    ├── Forbidden                PT403, 42501: not yours
    ├── VersionMismatch          the database is of a version this package cannot work with
    └── DatabaseUnavailable      no answer at all: refused, cut, timed out, shutting down
"""

from __future__ import annotations


class EnrichmentError(Exception):
    """A refusal: `message` names the row; `hint` (what to do) and `code` (SQLSTATE) may be None."""

    def __init__(self, message: str, *, hint: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code
        if hint is not None:
            self.add_note(hint)  # so that a traceback says it, too


class NotFound(EnrichmentError):
    """There is no such row, or none that this caller may see."""


class WrongState(EnrichmentError):
    """The row exists, but its state has no such transition."""


class Malformed(EnrichmentError):
    """The arguments cannot be understood, or one call carries too many of them."""


class Forbidden(EnrichmentError):
    """The caller may not do this."""


class VersionMismatch(EnrichmentError):
    """The database is of a version this package cannot work with; `hint` says which of the two to upgrade."""


class DatabaseUnavailable(EnrichmentError):
    """The database gave no answer. Whether the call took effect is unknown."""


# What to do where the database is older than the package.
MIGRATE = "run book-enrichment migrate, with DATABASE_URL set"

CLASS_BY_CODE: dict[str, type[EnrichmentError]] = {
    "PT404": NotFound,
    "PT409": WrongState,
    "PT422": Malformed,
    "PT403": Forbidden,
    "42501": Forbidden,
}

# Codes, or beginnings of codes, of a server that is away, starting, stopping, full, or too slow. PostgREST's
# own PGRST00x mean that it cannot reach Postgres; bare HTTP statuses come from a gateway in front of it.
UNAVAILABLE = ("08", "53", "57", "PGRST00", "408", "429", "502", "503", "504")


def error_for(code: str | None, message: str | None, hint: str | None = None) -> EnrichmentError:
    """The error a caller should see for a SQLSTATE, a PostgREST code or, from a gateway, an HTTP status."""
    if code is not None and code.startswith(UNAVAILABLE):
        error_class: type[EnrichmentError] = DatabaseUnavailable
    else:
        error_class = CLASS_BY_CODE.get(code or "", EnrichmentError)
    return error_class(message or "the database refused without saying why", hint=hint, code=code)
