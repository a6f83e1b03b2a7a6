"""Book Enrichment for Supabase: the thin Python side.

It carries a row from the database to a provider and back; what is due, what is the same book and what may be
written is decided in Postgres.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("book-enrichment")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0.0.0"
