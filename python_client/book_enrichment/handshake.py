"""Whether this package and the database's functions are made for each other.

The database counts the steps it has seen (enrichment.schema_versions) and says the oldest version whose
package still works with it; the package knows the version it was made for. Worker, API and doctor ask
before they begin, so that a mismatch is told in one sentence and not by an error in the middle.
"""

from __future__ import annotations

from book_enrichment.database.client import Database
from book_enrichment.database.records import InstalledVersion
from book_enrichment.errors import MIGRATE, EnrichmentError, VersionMismatch
from book_enrichment.migrate.steps import released_steps

# There is no such function, as PostgREST and Postgres say it.
MISSING_VERB = ("PGRST202", "42883")


def needed_version() -> int:
    """The version this package was made for: the number of steps it carries."""
    return len(released_steps())


async def refuse_mismatch(database: Database) -> InstalledVersion:
    """What the database is at. Raises VersionMismatch where this package cannot work with that."""
    try:
        installed = await database.enrichment_version()
    except EnrichmentError as error:
        if error.code not in MISSING_VERB:
            raise
        needed = needed_version()
        raise VersionMismatch(
            f"the database has no book enrichment, or a very old one; this package needs {needed}",
            hint=MIGRATE + ("; just done? notify pgrst, 'reload schema'" if error.code == "PGRST202" else ""),
            code=error.code,
        ) from error
    if installed is None:
        raise VersionMismatch(
            f"enrichment.schema_versions is empty, so nobody knows the version; this package needs "
            f"{needed_version()}",
            hint=MIGRATE,
        )
    refuse(installed)
    return installed


def refuse(installed: InstalledVersion) -> None:
    """Raises VersionMismatch where this package cannot work with a database at that version."""
    needed = needed_version()
    if installed.version < needed:
        raise VersionMismatch(
            f"the database is at {installed.version}, this package needs {needed}", hint=MIGRATE
        )
    if installed.works_with > needed:
        raise VersionMismatch(
            f"the database is at {installed.version} and works with packages from {installed.works_with} on, "
            f"this package was made for {needed}",
            hint="pip install --upgrade book-enrichment",
        )
