"""The database as Python sees it: `Database` has one method per public SQL function, and two doors to use.

Before this: `Settings` say where the database is. After it: the worker and the CLI hold a `Database` and
nothing else.
"""

from book_enrichment.database.database import Database, NotConfigured, open_database, postgres_pool
from book_enrichment.database.doors import Door, Json, PostgresDoor, PostgrestDoor
from book_enrichment.database.readers import Doors, open_doors

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
