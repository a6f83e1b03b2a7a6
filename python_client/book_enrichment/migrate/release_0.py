"""Release 0: what was installed before steps were counted, from 22 files that were edited in place.

Its catalogue is the baseline's but for the table of versions, so taking it over means to add that, and to
take its 22 rows out of the host's own log of migrations, where they stop the host's `supabase db push`.
Nothing of what it holds is touched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from book_enrichment.errors import EnrichmentError
from book_enrichment.migrate import functions
from book_enrichment.migrate.steps import Step, bare, split
from book_enrichment.migrate.tables import Connection, exists

SENTENCE = "take over the installation of before version 1, with all it holds"

# Its files. Versions alone would not do: a host's own migration may bear the time of the first.
FILES = [
    "20260220120000_library",
    "20260220120100_vocabulary",
    "20260220120200_settings",
    "20260220120300_queue",
    "20260220120380_folding",
    "20260220120385_known_names",
    "20260220120390_parsing",
    "20260220120400_matching",
    "20260220120500_providers",
    "20260220120600_sources",
    "20260220120700_enqueue",
    "20260220120800_import",
    "20260220120900_claim",
    "20260220121000_apply",
    "20260220121050_covers",
    "20260220121100_review",
    "20260220121150_explain",
    "20260220121160_undo",
    "20260220121170_bulk",
    "20260220121200_status",
    "20260220121250_health",
    "20260220121300_schedule",
]

TABLE = re.compile(
    r"^create table ((?:enrichment|public\.enrichment)\S+) \(\n(.*?)\n\)", re.DOTALL | re.MULTILINE
)
TYPE = re.compile(r"^create type enrichment\.(\w+)", re.MULTILINE)
COLUMN = re.compile(r'^    "?(\w+)"? (?!check|key)', re.MULTILINE)
VERSIONS = "enrichment.schema_versions"
# It brought these to works; whether a host had one of them before, nobody knows any more.
OUR_COLUMNS = ["column enrichment_status", "column enrichment_confidence", "column last_enriched_at"]


class OlderThanRelease0(EnrichmentError):
    """Ours, and older than any state that can be taken over."""


def is_installed(connection: Connection) -> bool:
    """Whether book enrichment is here, whole or not: of release 0 where it has no table of versions."""
    found = connection.execute(
        """
        select from pg_namespace as n
        where n.nspname = 'enrichment'
            and obj_description(n.oid, 'pg_namespace') like 'Private side of book enrichment:%'
        """
    ).fetchone()
    return found is not None


def columns(baseline: Step) -> set[tuple[str, str]]:
    """Each column of our own tables at release 0, with its table."""
    return {
        (table, column)
        for table, body in TABLE.findall(baseline.text)
        if table != VERSIONS
        for column in COLUMN.findall(body)
        if column != "constraint"
    }


def refuse_older(connection: Connection, baseline: Step) -> None:
    """Raises OlderThanRelease0 where columns or types of release 0 are missing."""
    rows = connection.execute(
        """
        select format('%s.%s', c.relnamespace::regnamespace, c.relname), a.attname
        from pg_attribute as a join pg_class as c on c.oid = a.attrelid
        where c.relnamespace in ('enrichment'::regnamespace, 'public'::regnamespace)
            and a.attnum > 0 and not a.attisdropped
        """
    ).fetchall()
    missing = sorted(f"{table}.{column}" for table, column in columns(baseline) - set(rows))
    types = connection.execute(
        "select t.typname from pg_type as t where t.typnamespace = 'enrichment'::regnamespace"
    ).fetchall()
    missing += sorted(set(TYPE.findall(baseline.text)) - {name for (name,) in types})
    if missing:
        raise OlderThanRelease0(
            f"the installation here is older than what can be taken over, or half: it has no {_few(missing)}",
            hint="book-enrichment uninstall --keep-data, then book-enrichment migrate, take most of it along",
        )


def take_over(connection: Connection, baseline: Step) -> Iterator[str]:
    """Makes it version 1; says what was done, a sentence each."""
    refuse_older(connection, baseline)
    for statement in _statements_about_versions(baseline):
        connection.execute(statement.encode())
    changed = functions.restore(connection, baseline.text)
    connection.execute(
        f"insert into {VERSIONS} (version, name, checksum, works_with, brought) values (1, %s, %s, 1, %s)",
        (baseline.name, baseline.checksum, OUR_COLUMNS),
    )
    yield "Took over the installation of before version 1; it is at version 1 now, with all it holds."
    if changed:
        yield f"These functions were not as released, and are now: {', '.join(changed)}."
    if removed := forget_history(connection):
        yield (
            f"Took our {removed} rows out of the project's own migration history "
            "(supabase_migrations.schema_migrations), where they stopped `supabase db push`. "
            f"If you had copied our files into supabase/migrations, delete them there: {_listed(FILES)}"
        )


def forget_history(connection: Connection) -> int:
    """Takes the rows of release 0 out of the host's log of migrations; how many there were."""
    if not exists(connection, "supabase_migrations", "schema_migrations"):
        return 0
    # Histories of older CLIs have no names.
    return connection.execute(
        "delete from supabase_migrations.schema_migrations as m"
        " where m.version || '_' || (to_jsonb(m) ->> 'name') = any(%s)",
        (FILES,),
    ).rowcount


def _few(names: list[str]) -> str:
    """The first of them, and how many more there are."""
    rest = len(names) - 5
    return ", ".join(names[:5]) + (f" and {rest} more" if rest > 0 else "")


def _listed(files: list[str]) -> str:
    return ", ".join(f"{file}.sql" for file in files)


def _statements_about_versions(baseline: Step) -> Iterator[str]:
    """What the baseline says to make the table of versions: its statements but the guard and the row."""
    for statement in split(baseline.text):
        if VERSIONS in bare(statement) and not bare(statement).startswith(("do ", "insert ")):
            yield statement
