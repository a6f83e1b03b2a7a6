"""What the cover server says, and what becomes of it: an image, a lasting refusal, or trouble that passes."""

from __future__ import annotations

import asyncio
import gzip
import time

import pytest

from book_enrichment.images import CoverRefused, Downloader
from book_enrichment.images import download as downloading
from book_enrichment.providers import ProviderUnavailable
from cover_server import CONTACT, COVERS

HOSTS = ("covers.openlibrary.org",)


async def yes() -> bool:
    return True


@pytest.fixture
def download(client, server):
    downloader = Downloader(client, CONTACT, stand_in=server.url)

    async def download(reply, most_bytes: int = 1000) -> bytes:
        server.replies["/x"] = reply
        return await downloader.download(COVERS + "/x", HOSTS, most_bytes, yes)

    return download


async def test_it_says_who_asks_and_whom(download, server) -> None:
    assert await download(b"bytes") == b"bytes"
    assert server.requests == [("covers.openlibrary.org", "/x")]
    assert server.agents == {f"BookEnrichment/0.1 (+{CONTACT})"}


@pytest.mark.parametrize("status", [400, 401, 404, 410, 416])
async def test_an_image_that_is_not_there_is_refused_for_good(download, status) -> None:
    with pytest.raises(CoverRefused, match=f"HTTP {status}"):
        await download((status, {}, b""))


@pytest.mark.parametrize(
    ("status", "headers", "reason", "retry_after"),
    [
        (429, {}, "rate_limited", 60),
        (429, {"retry-after": "7"}, "rate_limited", 7),
        (403, {}, "rate_limited", 60),
        (503, {"retry-after": "120"}, "rate_limited", 120),
        (503, {}, "server_error", None),
        (500, {}, "server_error", None),
    ],
)
async def test_trouble_that_passes_is_the_providers(download, status, headers, reason, retry_after) -> None:
    with pytest.raises(ProviderUnavailable) as caught:
        await download((status, headers, b""))
    assert (caught.value.reason, caught.value.retry_after) == (reason, retry_after)
    assert caught.value.provider == "openlibrary_covers"


async def test_a_file_that_is_too_large_is_left_off_early(download) -> None:
    """Announced or not, nothing beyond the limit is kept."""
    with pytest.raises(CoverRefused, match="larger than 1000 bytes"):
        await download(bytes(20_000_000))


async def test_a_compressed_body_is_not_unpacked(download) -> None:
    with pytest.raises(CoverRefused, match="compressed"):
        await download((200, {"content-encoding": "gzip"}, gzip.compress(bytes(900_000))))


async def test_a_body_that_breaks_off_is_trouble(download) -> None:
    with pytest.raises(ProviderUnavailable, match="server_error"):
        await download((200, {"content-length": "500"}, b"half"))


async def test_redirects_within_the_list_are_followed(download, server) -> None:
    server.replies["/y"] = b"there"
    assert await download((302, {"location": "/y"}, b"")) == b"there"
    with pytest.raises(CoverRefused, match="not https"):
        await download((302, {"location": "http://covers.openlibrary.org/y"}, b""))
    with pytest.raises(CoverRefused):
        await download((302, {"location": "https://[::1"}, b""))


async def test_a_trickle_of_bytes_ends(client, monkeypatch) -> None:
    """One byte now and then keeps every single read alive, but not the download."""

    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
        try:
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.05)
        except OSError:
            writer.close()

    monkeypatch.setattr(downloading, "DOWNLOAD_SECONDS", 0.5)
    server = await asyncio.start_server(trickle, "127.0.0.1", 0)
    stand_in = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    started = time.monotonic()
    with pytest.raises(ProviderUnavailable, match="timeout"):
        await Downloader(client, CONTACT, stand_in=stand_in).download(COVERS + "/x", HOSTS, 10**6, yes)
    assert time.monotonic() - started < 30
    server.close()


async def test_nobody_there_is_unreachable(client) -> None:
    with pytest.raises(ProviderUnavailable, match="unreachable"):
        await Downloader(client, CONTACT, stand_in="http://127.0.0.1:1").download(
            COVERS + "/x", HOSTS, 9, yes
        )
