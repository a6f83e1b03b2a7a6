"""The database as Python sees it: `Database` has one method per public SQL function, over either transport.

Before this: `Settings` say where the database is. After it: the worker and the CLI hold a `Database` and
nothing else.
"""

from book_enrichment.database.client import Database
from book_enrichment.database.sessions import (
    NotConfigured,
    Sessions,
    open_database,
    open_sessions,
    postgres_pool,
)
from book_enrichment.database.transports import Json, PostgresTransport, PostgrestTransport, Transport

__all__ = [
    "Database",
    "Json",
    "NotConfigured",
    "PostgresTransport",
    "PostgrestTransport",
    "Sessions",
    "Transport",
    "open_database",
    "open_sessions",
    "postgres_pool",
]
