"""Where thumbnails go: the project's bucket, over Supabase Storage."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import httpx
from storage3.exceptions import StorageApiError
from supabase import AsyncClient, AsyncClientOptions, acreate_client

from book_enrichment.images.thumbnail import Thumbnail
from book_enrichment.providers.http import described
from book_enrichment.settings import Settings

BUCKET = "covers"
CACHE_SECONDS = str(365 * 24 * 3600)  # an image never changes under its name

NEEDS_STORAGE = (
    "covers are not stored from here: that takes SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY, "
    "because Supabase Storage speaks HTTP; until then they stay hot-linked"
)


class StorageUnavailable(Exception):
    """The bucket took nothing: unreachable, full, missing, or the key is wrong. Not the image's fault."""


class CoverStorage(Protocol):
    """Where thumbnails go."""

    async def store(self, thumbnail: Thumbnail) -> str:
        """Put it there unless it is there already; its public URL. Raises StorageUnavailable."""
        ...


class SupabaseStorage:
    """The project's bucket `covers`, through supabase-py."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def store(self, thumbnail: Thumbnail) -> str:
        bucket = self._client.storage.from_(BUCKET)
        options: Any = {"content-type": "image/webp", "cache-control": CACHE_SECONDS, "upsert": "false"}
        try:
            await bucket.upload(thumbnail.path, thumbnail.data, options)
        except StorageApiError as error:
            # Hosted projects answer 400 with statusCode "409" in the body; the same name is the same image.
            if str(error.status) != "409" and error.code != "Duplicate":
                raise StorageUnavailable(f"{error.status} {error.code}: {error.message}"[:300]) from error
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise StorageUnavailable(described(error)) from error
        return (await bucket.get_public_url(thumbnail.path)).rstrip("?")


def can_store(settings: Settings) -> bool:
    """Whether the settings say where the bucket is, and hold the key to it."""
    return settings.supabase_url is not None and settings.supabase_service_role_key is not None


@asynccontextmanager
async def open_storage(settings: Settings) -> AsyncIterator[CoverStorage | None]:
    """The storage of the project the settings name; None without its address and key."""
    if settings.supabase_url is None or settings.supabase_service_role_key is None:
        yield None
        return
    async with httpx.AsyncClient(timeout=httpx.Timeout(20.0, connect=5.0)) as http:
        key = settings.supabase_service_role_key.get_secret_value()
        yield SupabaseStorage(
            await acreate_client(settings.supabase_url, key, AsyncClientOptions(httpx_client=http))
        )
