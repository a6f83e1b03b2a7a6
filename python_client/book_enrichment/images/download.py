"""One guarded GET for images.

where from     https and allow-listed hosts only, also after each redirect; every address the name has
               must be public, and the connection goes to the very address that was checked
how much       the body is counted as it comes
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpx

from book_enrichment.images.thumbnail import CoverRefused
from book_enrichment.providers import (
    NO_ADDRESS,
    NotPermitted,
    Permit,
    ProviderUnavailable,
    agent_of,
    user_agent,
)
from book_enrichment.providers.http import described, retry_after_seconds

HOST_NAME = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*")
"""httpx passes a backslash on as part of a name, and `evil.example\\.archive.org` ends like a listed one."""
MOST_REDIRECTS = 3
DOWNLOAD_SECONDS = 30.0
RETRY_SECONDS = 60.0
"""After a failure for which the server names no time of its own."""

Resolve = Callable[[str], Awaitable[list[str]]]


async def resolve(host: str) -> list[str]:
    """Every address a name has, as the system resolves it."""
    found = await asyncio.get_running_loop().getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    return [str(address[4][0]) for address in found]


def is_public(address: str) -> bool:
    """Whether an address is of the open internet: not loopback, private, link-local, multicast, reserved.

    Addresses that carry an IPv4 address in them (mapped, 6to4, Teredo, NAT64) are as public as that one.
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is None and ip in ipaddress.ip_network("::/96"):
            return False  # IPv4-compatible, long out of use
        if inner is not None:
            return is_public(str(inner))
        if ip.is_site_local:
            return False
    return ip.is_global and not (
        ip.is_multicast or ip.is_reserved or ip.is_loopback or ip.is_link_local or ip.is_unspecified
    )


def is_allowed_host(host: str, hosts: Sequence[str]) -> bool:
    """Whether a host is on the list; `*.name` stands for every host below name."""
    return any(
        host == allowed or (allowed.startswith("*.") and host.endswith(allowed[1:]) and host != allowed[1:])
        for allowed in hosts
    )


class Downloader:
    """GETs images from allow-listed hosts over https.

    Args:
        client: redirects are followed here and not there; proxies of the environment should be off in it,
            or the address that was checked is not the one that is asked.
        contact: e-mail or web address for the User-Agent; without one `introduce` has to tell.
        resolve: how names become addresses.
        stand_in: for tests and the demo: requests for every allow-listed host go to this server instead,
            wherever it is. The rules for URLs hold as before.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        contact: str | None = None,
        resolve: Resolve = resolve,
        stand_in: str | None = None,
    ) -> None:
        self.client = client
        self.headers = {
            "User-Agent": "" if contact is None else user_agent(contact),
            "Accept": "image/*",
            "Accept-Encoding": "identity",
        }
        self._is_unknown = contact is None
        self.resolve = resolve
        self.stand_in = httpx.URL(stand_in) if stand_in else None

    def introduce(self, contact: str | None) -> None:
        """Who asks from now on."""
        self._is_unknown = not contact
        self.headers["User-Agent"] = agent_of(contact)

    async def download(
        self,
        url: str,
        hosts: Sequence[str],
        most_bytes: int,
        permit: Permit,
        name: str = "openlibrary_covers",
    ) -> bytes:
        """The bytes behind `url`, unchecked. `permit` is asked before each request.

        Raises CoverRefused, ProviderUnavailable (for the provider called `name`) or NotPermitted.
        """
        if self._is_unknown:
            raise NotPermitted  # the contact came after its asker had looked: with the next look it is there
        if not self.headers["User-Agent"]:
            raise ProviderUnavailable(name, "identify", NO_ADDRESS)
        here = checked_url(url, hosts)
        for _ in range(1 + MOST_REDIRECTS):
            target, extensions = await self._pinned(here, name)
            if not await permit():
                raise NotPermitted
            reply = await self._get(here, target, extensions, most_bytes, name)
            if isinstance(reply, bytes):
                return reply
            here = checked_url(reply, hosts)
        raise CoverRefused(f"more than {MOST_REDIRECTS} redirects")

    async def _get(
        self, url: httpx.URL, target: httpx.URL, extensions: dict[str, Any], most_bytes: int, name: str
    ) -> bytes | str:
        """The body of a 200, or the URL a redirect names."""
        timeout = httpx.Timeout(15.0, connect=5.0)
        request = self.client.build_request(
            "GET", target, headers=self.headers | {"Host": url.host}, extensions=extensions, timeout=timeout
        )
        try:
            async with asyncio.timeout(DOWNLOAD_SECONDS):
                reply = await self.client.send(request, stream=True, follow_redirects=False)
                try:
                    if reply.is_redirect:
                        return str(url.join(reply.headers["location"]))
                    _check_status(reply, name)
                    return await _body(reply, most_bytes)
                finally:
                    await reply.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise ProviderUnavailable(name, "unreachable", described(error)) from error
        except (TimeoutError, httpx.TimeoutException) as error:
            raise ProviderUnavailable(name, "timeout", described(error)) from error
        except httpx.HTTPError as error:
            if "location header" in str(error):  # httpx reads it even where it is not to follow
                raise CoverRefused("a redirect to no URL") from error
            raise ProviderUnavailable(name, "server_error", described(error)) from error
        except (httpx.InvalidURL, ValueError) as error:
            raise CoverRefused("a redirect to no URL") from error

    async def _pinned(self, url: httpx.URL, name: str) -> tuple[httpx.URL, dict[str, Any]]:
        """Where to connect: an address of the host, all of which were looked at; TLS asks for the name."""
        if self.stand_in is not None:
            here = self.stand_in
            return url.copy_with(scheme=here.scheme, host=here.host, port=here.port), {}
        try:
            addresses = await self.resolve(url.host)
        except OSError as error:
            raise ProviderUnavailable(name, "unreachable", f"{url.host}: {described(error)}") from error
        if not addresses or not all(is_public(address) for address in addresses):
            raise CoverRefused(f"{url.host} does not lead to the open internet")
        return url.copy_with(host=addresses[0]), {"sni_hostname": url.host}


def checked_url(url: str, hosts: Sequence[str]) -> httpx.URL:
    """The URL, if we load images from there. Raises CoverRefused."""
    try:
        parsed = httpx.URL(url)
        host = parsed.host.lower()
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise CoverRefused("not a URL") from error
    if parsed.scheme != "https":
        raise CoverRefused(f"not https: {parsed.scheme[:20]}")
    if parsed.userinfo or parsed.port not in (None, 443):
        raise CoverRefused("a URL with a user or a port")
    if not HOST_NAME.fullmatch(host) or not is_allowed_host(host, hosts):
        raise CoverRefused(f"not from a host on the list: {host[:100]}")
    return parsed


def _check_status(reply: httpx.Response, name: str) -> None:
    status = reply.status_code
    retry_after = retry_after_seconds(reply.headers.get("retry-after"))
    if status == 200:
        return
    if status in (403, 429) or (status == 503 and retry_after is not None):
        wait = retry_after if retry_after is not None else RETRY_SECONDS
        raise ProviderUnavailable(name, "rate_limited", f"HTTP {status}", retry_after=wait)
    if status >= 500:
        raise ProviderUnavailable(name, "server_error", f"HTTP {status}", retry_after=retry_after)
    raise CoverRefused(f"HTTP {status}")


async def _body(reply: httpx.Response, most_bytes: int) -> bytes:
    if reply.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise CoverRefused("compressed although that was not asked for")
    body = bytearray()
    async for chunk in reply.aiter_raw():
        body += chunk
        if len(body) > most_bytes:
            raise CoverRefused(f"a file larger than {most_bytes} bytes")
    return bytes(body)
