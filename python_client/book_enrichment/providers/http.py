"""One guarded GET for every provider.

Other people's servers hang, break off, send pages instead of JSON and bodies without end. Here each of these
becomes one `ProviderUnavailable` with a reason, within bounded time and memory; what passes is a JSON object.
`clean_json` is the last gate before a reply leaves for the database.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from .lookups import Permit, ProviderUnavailable

MAX_BODY_BYTES = 8 * 1024 * 1024
"""Counted after decompression. A search reply for 25 ISBNs is about 50 KB."""
MAX_REDIRECTS = 2
MAX_RETRY_AFTER_SECONDS = 24 * 60 * 60.0
MAX_TEXT = 1_000
MAX_DESCRIPTION = 10_000
MAX_ITEMS = 100
MAX_DEPTH = 8

LASTING_REFUSALS = frozenset({400, 414, 422})
"""Statuses that say something about the question: asking it again would get the same answer."""
NOT_STORABLE = re.compile("[\x00\ud800-\udfff]")
"""NUL, which jsonb refuses, and surrogates, which are lone if they survived the JSON parser."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `total` bounds one request as a whole, so that a trickle of bytes cannot hold a worker."""

    connect: float = 5.0
    read: float = 20.0
    total: float = 30.0


class LookupRefused(Exception):
    """The provider refuses this very question (400, 414, 422)."""


class NotPermitted(Exception):
    """The permit said no: the request was not sent."""


class Guarded:
    """GETs JSON objects from one provider's host, one permit per request sent."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        provider: str,
        base_url: str,
        user_agent: str,
        timeouts: Timeouts,
    ) -> None:
        self.client = client
        self.provider = provider
        self.base_url = httpx.URL(base_url)
        if self.base_url.scheme not in ("http", "https") or not self.base_url.host:
            raise ValueError(f"not an http address: {base_url}")
        self.headers = {"User-Agent": user_agent, "Accept": "application/json", "Accept-Encoding": "gzip"}
        self.timeouts = timeouts

    async def get_object(self, path: str, params: Mapping[str, str], permit: Permit) -> dict[str, Any]:
        """The JSON object at `path`. Raises ProviderUnavailable, LookupRefused or NotPermitted."""
        root = self.base_url.path.rstrip("/")
        url = self.base_url.copy_with(path=root + path).copy_merge_params(params)
        for _ in range(1 + MAX_REDIRECTS):
            if not await permit():
                raise NotPermitted
            reply = await self._get(url)
            if isinstance(reply, bytes):
                return self._parsed(reply)
            url = reply
        raise self.trouble("bad_reply", f"more than {MAX_REDIRECTS} redirects")

    async def _get(self, url: httpx.URL) -> bytes | httpx.URL:
        """The body of a 200, or where a redirect leads."""
        timeout = httpx.Timeout(self.timeouts.read, connect=self.timeouts.connect)
        try:
            async with (
                asyncio.timeout(self.timeouts.total),
                self.client.stream(
                    "GET", url, headers=self.headers, timeout=timeout, follow_redirects=False
                ) as reply,
            ):
                if reply.next_request is not None:
                    return self._redirect(reply.url, reply.next_request.url)
                self._check_status(reply)
                return await self._body(reply)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise self.trouble("unreachable", described(error)) from error
        except (TimeoutError, httpx.TimeoutException) as error:
            raise self.trouble("timeout", described(error)) from error
        except httpx.HTTPError as error:
            raise self.trouble("server_error", described(error)) from error

    def _redirect(self, here: httpx.URL, target: httpx.URL) -> httpx.URL:
        """Where to go on. Another host or scheme is refused: our limits were granted for this one."""
        if (target.scheme, target.host, target.port) != (here.scheme, here.host, here.port):
            raise self.trouble("bad_reply", f"redirect to {target.scheme[:8]}://{target.host[:80]}")
        return target

    def _check_status(self, reply: httpx.Response) -> None:
        status = reply.status_code
        retry_after = retry_after_seconds(reply.headers.get("retry-after"))
        said = f"HTTP {status}"
        if status == 200:
            return
        if status in LASTING_REFUSALS:
            raise LookupRefused(said)
        if status == 403:
            raise self.trouble("identify", f"{said}, User-Agent {self.headers['User-Agent']}")
        if status == 429 or (status == 503 and retry_after is not None):
            raise self.trouble("rate_limited", said, retry_after)
        raise self.trouble("server_error" if status >= 500 else "bad_reply", said, retry_after)

    async def _body(self, reply: httpx.Response) -> bytes:
        """The body, decompressed here: httpx would unpack a bomb before we could count it."""
        encoding = reply.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("identity", "gzip", "x-gzip", "deflate"):
            raise self.trouble("bad_reply", f"content-encoding {encoding[:40]}")
        unpacker = None if encoding == "identity" else zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        body, received = bytearray(), 0
        try:
            async for chunk in reply.aiter_raw():
                received += len(chunk)
                room = MAX_BODY_BYTES + 1 - len(body)
                body += unpacker.decompress(chunk, room) if unpacker else chunk
                if max(received, len(body)) > MAX_BODY_BYTES:
                    raise self.trouble("bad_reply", f"body larger than {MAX_BODY_BYTES} bytes")
        except zlib.error as error:
            raise self.trouble("bad_reply", f"broken {encoding} body") from error
        return bytes(body)

    def _parsed(self, body: bytes) -> dict[str, Any]:
        try:
            value = json.loads(body, parse_constant=lambda _: None)
        except (ValueError, RecursionError) as error:
            raise self.trouble("bad_reply", f"not JSON: {described(error)}") from error
        if not isinstance(value, dict):
            raise self.trouble("bad_reply", f"a JSON {type(value).__name__} where an object belongs")
        return value

    def trouble(self, reason: str, message: str, retry_after: float | None = None) -> ProviderUnavailable:
        return ProviderUnavailable(self.provider, reason, message, retry_after=retry_after)


def described(error: Exception) -> str:
    """One short line; some exceptions of httpx have no text of their own."""
    text = clean_text(str(error), 200)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def retry_after_seconds(header: str | None) -> float | None:
    """Seconds to wait from a Retry-After of either kind, at most a day; None when absent or unreadable.

    RFC 9110, 10.2.3: a number of seconds or an HTTP date.
    """
    if header is None:
        return None
    text = header.strip()
    if re.fullmatch("[0-9]{1,12}", text):
        seconds = float(text)
    else:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = (moment - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def clean_text(text: str, limit: int = MAX_TEXT) -> str:
    return NOT_STORABLE.sub("", text[:limit])


def clean_json(value: Any, depth: int = MAX_DEPTH) -> Any:
    """The value as jsonb can hold it and a parser can bear it.

    No NUL, no lone surrogates; numbers finite and within 64 bits, else null; texts cut at 1,000 characters
    (10,000 under the key `description`), lists and objects at 100 items; null below eight levels.
    """
    if isinstance(value, str):
        return clean_text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth == 0:
        return None
    if isinstance(value, list):
        return [clean_json(item, depth - 1) for item in value[:MAX_ITEMS]]
    if isinstance(value, dict):
        items = list(value.items())[:MAX_ITEMS]
        return {clean_text(str(key)): clean_member(str(key), item, depth - 1) for key, item in items}
    return None


def clean_member(key: str, value: Any, depth: int) -> Any:
    """A description may be long, plain or as Open Library's {"type", "value"}."""
    if key == "description" and isinstance(value, dict):
        value = value.get("value")
    if key == "description" and isinstance(value, str):
        return clean_text(value, MAX_DESCRIPTION)
    return clean_json(value, depth)
