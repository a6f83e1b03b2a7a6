"""The database as Python sees it: `Database` has one method per public SQL function, and two doors to use.

Before this: `Settings` say where the database is. After it: the worker and the CLI hold a `Database` and
nothing else.
"""

from book_enrichment.database.client import Database, NotConfigured, open_database, postgres_pool
from book_enrichment.database.sessions import Doors, open_doors
from book_enrichment.database.transports import Door, Json, PostgresDoor, PostgrestDoor

__all__ = [
    "Database",
    "Door",
    "Doors",
    "Json",
    "NotConfigured",
    "PostgresDoor",
    "PostgrestDoor",
    "open_database",
    "open_doors",
    "postgres_pool",
]
