"""Whether a table is there: what every other file of this room asks first."""

from __future__ import annotations

from typing import Any

import psycopg

Connection = psycopg.Connection[Any]


def exists(connection: Connection, schema: str, table: str) -> bool:
    """Whether there is such a table. Asked of the catalogue itself: to_regclass may answer from before a
    lock."""
    found = connection.execute(
        """
        select from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
        where n.nspname = %s and c.relname = %s
        """,
        (schema, table),
    )
    return found.fetchone() is not None
