"""Where a cover may be loaded from: listed hosts over https, at public addresses, also behind a redirect."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from book_enrichment.images import CoverRefused, Downloader, download
from book_enrichment.images.download import checked_url, is_public, resolve
from book_enrichment.providers import NotPermitted, ProviderUnavailable

HOSTS = ("covers.openlibrary.org", "archive.org", "*.us.archive.org")
URL = "https://covers.openlibrary.org/b/id/1-M.jpg"
CONTACT = "tests@example.org"


async def yes() -> bool:
    return True


def leads_to(*addresses: str) -> Callable[[str], Awaitable[list[str]]]:
    async def resolve(host: str) -> list[str]:
        return list(addresses)

    return resolve


class Stream(httpx.AsyncByteStream):
    def __init__(self, body: bytes) -> None:
        self.body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.body


class Wire(httpx.AsyncBaseTransport):
    """Notes what would be sent, and where to."""

    def __init__(self, *replies: httpx.Response) -> None:
        self.sent: list[httpx.Request] = []
        self.replies = list(replies)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        return self.replies.pop(0) if self.replies else httpx.Response(200, stream=Stream(b"image"))


NOT_PUBLIC = """
    127.0.0.1 127.8.9.1 0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 169.254.169.254 172.16.0.1
    172.31.255.255 192.168.1.1 192.0.2.1 198.18.0.1 198.51.100.7 203.0.113.9 224.0.0.1 239.255.255.250
    240.0.0.1 255.255.255.255 :: ::1 fe80::1 fe80::1%eth0 fec0::1 fc00::1 fd12:3456::1 ff02::1 2001:db8::1
    ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::127.0.0.1 64:ff9b::7f00:1 64:ff9b::a00:1
    2002:7f00:1:: 2002:a00:1:: localhost 127.1 0x7f000001 2130706433
"""
PUBLIC = "207.241.224.2 8.8.8.8 2606:4700:4700::1111 ::ffff:8.8.8.8 64:ff9b::808:808"


@pytest.mark.parametrize("address", NOT_PUBLIC.split())
async def test_no_connection_is_made_to_an_address_that_is_not_public(address) -> None:
    """Whatever name leads there, and also when it is one of several."""
    assert not is_public(address)
    for addresses in ([address], ["207.241.224.2", address]):
        wire = Wire()
        async with httpx.AsyncClient(transport=wire) as client:
            downloader = Downloader(client, CONTACT, leads_to(*addresses))
            with pytest.raises(CoverRefused, match="open internet"):
                await downloader.download(URL, HOSTS, 1000, yes)
        assert wire.sent == []


@pytest.mark.parametrize("address", PUBLIC.split())
def test_the_open_internet_is_public(address) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url", [URL, "https://archive.org/x", "https://ia800100.us.archive.org/x", "https://ARCHIVE.org:443/x"]
)
def test_listed_hosts_are_fine(url) -> None:
    assert checked_url(url, HOSTS).scheme == "https"


@pytest.mark.parametrize(
    "url",
    [
        "http://covers.openlibrary.org/b/id/1-M.jpg",
        "ftp://archive.org/x",
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
        "//covers.openlibrary.org/x",
        "https://example.org/x",
        "https://books.google.com/books/content?id=x",
        "https://covers.openlibrary.org.evil.example/x",
        "https://evilarchive.org/x",
        "https://evilus.archive.org/x",
        "https://us.archive.org/x",
        "https://covers.openlibrary.org@evil.example/x",
        "https://evil.example@covers.openlibrary.org/x",
        "https://user:pass@covers.openlibrary.org/x",
        "https://covers.openlibrary.org:8443/x",
        "https://covers.openlibrary.org:22/x",
        "https://covers.openlibrary.org\\@evil.example/x",
        "https://evil.example\\.us.archive.org/x",
        "https://evil.example#.us.archive.org/x",
        "https://evil.example?.us.archive.org/x",
        "https://covers.openlibrary.org./x",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://2130706433/x",
        "https://localhost/x",
        "https://.us.archive.org/x",
        "https:///x",
        "https://",
        "",
        "https://covers.openlibrary.org:99999/x",
        "https://[::1/x",
        "https://covers.openlibrary.org/\x00",
    ],
)
async def test_nothing_is_asked_of_other_hosts_schemes_users_and_ports(url) -> None:
    """Neither a name is looked up nor a call reserved."""
    wire = Wire()

    async def no() -> bool:
        raise AssertionError

    async def unknown(host: str) -> list[str]:
        raise AssertionError(host)

    async with httpx.AsyncClient(transport=wire) as client:
        with pytest.raises(CoverRefused):
            await Downloader(client, CONTACT, unknown).download(url, HOSTS, 1000, no)
    assert wire.sent == []


async def test_a_real_name_that_leads_to_loopback_is_refused(client) -> None:
    """`localhost`, through the system's resolver, even if somebody listed it."""
    assert {"127.0.0.1", "::1"} & set(await resolve("localhost"))
    with pytest.raises(CoverRefused, match="open internet"):
        await Downloader(client, CONTACT).download("https://localhost/x", ("localhost",), 1000, yes)


async def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    """The name is looked up once; a second answer, which could be another one, is never asked for."""
    answers = [["207.241.224.2"], ["127.0.0.1"]]
    asked = []

    async def rebinding(host: str) -> list[str]:
        asked.append(host)
        return answers.pop(0)

    wire = Wire()
    async with httpx.AsyncClient(transport=wire) as client:
        assert await Downloader(client, CONTACT, rebinding).download(URL, HOSTS, 1000, yes) == b"image"
    (sent,) = wire.sent
    assert asked == ["covers.openlibrary.org"]
    assert (sent.url.scheme, sent.url.host, sent.url.path) == ("https", "207.241.224.2", "/b/id/1-M.jpg")
    assert sent.headers["host"] == sent.extensions["sni_hostname"] == "covers.openlibrary.org"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/x",
        "http://covers.openlibrary.org/x",
        "file:///etc/passwd",
        "https://169.254.169.254/latest/meta-data",
        "https://user@archive.org/x",
        "//evil.example/x",
        "https://archive.org:8080/x",
    ],
)
async def test_a_redirect_off_the_list_is_not_followed(target) -> None:
    wire = Wire(httpx.Response(302, headers={"location": target}))
    async with httpx.AsyncClient(transport=wire) as client:
        with pytest.raises(CoverRefused):
            await Downloader(client, CONTACT, leads_to("8.8.8.8")).download(URL, HOSTS, 1000, yes)
    assert len(wire.sent) == 1


async def test_a_redirect_within_the_list_is_followed_and_checked_again() -> None:
    """As Open Library sends its larger images to archive.org; each hop has its own permit and look-up."""
    wire = Wire(
        httpx.Response(302, headers={"location": "https://archive.org/download/x.jpg"}),
        httpx.Response(302, headers={"location": "https://ia1.us.archive.org/x.jpg"}),
    )
    permits = []

    async def permit() -> bool:
        permits.append(1)
        return True

    async def resolve(host: str) -> list[str]:
        return ["10.0.0.1"] if host.startswith("ia2") else ["8.8.8.8"]

    async with httpx.AsyncClient(transport=wire) as client:
        downloader = Downloader(client, CONTACT, resolve)
        assert await downloader.download(URL, HOSTS, 1000, permit) == b"image"
        assert [sent.headers["host"] for sent in wire.sent] == [
            "covers.openlibrary.org",
            "archive.org",
            "ia1.us.archive.org",
        ]
        assert len(permits) == 3
        wire.replies = [httpx.Response(301, headers={"location": "https://ia2.us.archive.org/x.jpg"})]
        with pytest.raises(CoverRefused, match="open internet"):
            await downloader.download(URL, HOSTS, 1000, permit)


async def test_a_loop_of_redirects_ends() -> None:
    wire = Wire(*(httpx.Response(302, headers={"location": URL}) for _ in range(9)))
    async with httpx.AsyncClient(transport=wire) as client:
        with pytest.raises(CoverRefused, match="more than 3 redirects"):
            await Downloader(client, CONTACT, leads_to("8.8.8.8")).download(URL, HOSTS, 1000, yes)
    assert len(wire.sent) == 4


async def test_without_a_permit_nothing_is_sent() -> None:
    async def no() -> bool:
        return False

    wire = Wire()
    async with httpx.AsyncClient(transport=wire) as client:
        with pytest.raises(NotPermitted):
            await Downloader(client, CONTACT, leads_to("8.8.8.8")).download(URL, HOSTS, 1000, no)
    assert wire.sent == []


async def test_a_name_nobody_knows_is_the_networks_trouble(client) -> None:
    async def unknown(host: str) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(ProviderUnavailable, match="unreachable"):
        await Downloader(client, CONTACT, unknown).download(URL, HOSTS, 1000, yes)


def certificate(folder: Any, name: str) -> tuple[str, str]:
    """Files with a certificate for that name, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *pem))
    return str(folder / "cert.pem"), str(folder / "key.pem")


@pytest.mark.parametrize("name", ["covers.openlibrary.org", "evil.example"])
async def test_tls_still_proves_the_name(name, server, tmp_path, monkeypatch) -> None:
    """Over a real socket: connected to an address, the certificate must be the host's, not the address's."""
    cert, key = certificate(tmp_path, name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    names = []
    context.sni_callback = lambda _socket, sni, _context: names.append(sni)
    listening = await asyncio.start_server(server.connected, "127.0.0.1", 0, ssl=context)
    port = listening.sockets[0].getsockname()[1]
    server.replies["/b/id/1-M.jpg"] = b"image"
    monkeypatch.setattr(download, "is_public", lambda address: address == "127.0.0.1")

    class ToOurPort(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            request.url = request.url.copy_with(port=port)  # 443 is not ours to listen on
            return await super().handle_async_request(request)

    transport = ToOurPort(verify=ssl.create_default_context(cafile=cert))
    async with listening, httpx.AsyncClient(transport=transport) as client:
        downloader = Downloader(client, CONTACT, leads_to("127.0.0.1"))
        if name == "covers.openlibrary.org":
            assert await downloader.download(URL, HOSTS, 1000, yes) == b"image"
        else:
            with pytest.raises(ProviderUnavailable, match="unreachable"):
                await downloader.download(URL, HOSTS, 1000, yes)
    assert names == ["covers.openlibrary.org"]
