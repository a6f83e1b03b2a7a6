"""The stand-in answers supabase-py's storage client as a hosted project does, as far as we use it."""

from __future__ import annotations

import pytest
from storage3.exceptions import StorageApiError
from supabase import acreate_client

OPTIONS = {"content-type": "image/webp", "upsert": "false"}


@pytest.fixture
async def bucket(supabase_url, service_key, files):
    client = await acreate_client(supabase_url, service_key)
    return client.storage.from_("covers")


async def test_an_object_is_stored_listed_read_and_removed(bucket, files) -> None:
    await bucket.upload("openlibrary/a.webp", b"image", OPTIONS)
    assert files() == ["openlibrary/a.webp"]
    assert await bucket.download("openlibrary/a.webp") == b"image"
    (listed,) = await bucket.list("openlibrary")
    assert (listed["name"], listed["metadata"]["mimetype"], listed["metadata"]["size"]) == (
        "a.webp",
        "image/webp",
        5,
    )
    await bucket.remove(["openlibrary/a.webp"])
    assert files() == []


async def test_an_object_is_not_written_over_unless_asked(bucket) -> None:
    await bucket.upload("openlibrary/a.webp", b"image", OPTIONS)
    with pytest.raises(StorageApiError) as caught:
        await bucket.upload("openlibrary/a.webp", b"other", OPTIONS)
    assert (str(caught.value.status), caught.value.code) == ("409", "Duplicate")
    assert await bucket.download("openlibrary/a.webp") == b"image"
    await bucket.upload("openlibrary/a.webp", b"other", OPTIONS | {"upsert": "true"})
    assert await bucket.download("openlibrary/a.webp") == b"other"


async def test_writing_takes_the_service_key(supabase_url, anon_key, files) -> None:
    client = await acreate_client(supabase_url, anon_key)
    with pytest.raises(StorageApiError) as caught:
        await client.storage.from_("covers").upload("openlibrary/a.webp", b"image", OPTIONS)
    assert str(caught.value.status) == "403"
    assert files() == []


async def test_what_is_not_there_is_said_to_be_missing(bucket, supabase_url, service_key) -> None:
    with pytest.raises(StorageApiError) as caught:
        await bucket.download("openlibrary/none.webp")
    assert str(caught.value.status) == "404"
    client = await acreate_client(supabase_url, service_key)
    with pytest.raises(StorageApiError, match="Bucket not found"):
        await client.storage.from_("elsewhere").upload("a.webp", b"image", OPTIONS)
    assert (await client.storage.get_bucket("covers")).public


@pytest.mark.parametrize(
    "path", ["openlibrary/%2e%2e/%2e%2e/secrets.json", "../secrets.json", "a/\u00e9.webp"]
)
async def test_a_path_stays_within_the_bucket(bucket, files, path) -> None:
    with pytest.raises((StorageApiError, ValueError)):
        await bucket.upload(path, b"image", OPTIONS)
    assert files() == []
