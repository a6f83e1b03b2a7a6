"""Images of covers: downloaded, checked, shrunk, uploaded.

Whose images may be kept, from which hosts, how large and how many is for the database to say; what a file
from somebody else's server may do to this process is decided here.
"""

from book_enrichment.images.download import Downloader
from book_enrichment.images.storage import (
    NEEDS_STORAGE,
    CoverStorage,
    StorageUnavailable,
    SupabaseStorage,
    can_store,
    open_storage,
)
from book_enrichment.images.thumbnail import CoverRefused, Thumbnail, make_thumbnail

__all__ = [
    "NEEDS_STORAGE",
    "CoverRefused",
    "CoverStorage",
    "Downloader",
    "StorageUnavailable",
    "SupabaseStorage",
    "Thumbnail",
    "can_store",
    "make_thumbnail",
    "open_storage",
]
