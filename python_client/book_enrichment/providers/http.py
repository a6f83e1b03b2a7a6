"""One guarded GET for every provider.

Other people's servers hang, break off, send pages instead of JSON and bodies without end. Here each of these
becomes one `ProviderUnavailable` with a reason, within bounded time and memory; what passes is a JSON object.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from .lookups import Permit, ProviderUnavailable
from .trimming import clean_text

MAX_BODY_BYTES = 2 * 1024 * 1024
"""Counted after decompression. A search reply for 25 ISBNs is about 50 KB; JSON of the worst shape takes some
thirty times its size once parsed."""
MAX_ERROR_BYTES = 64 * 1024
SHORTEST_SECRET = 8
"""A shorter key is none (Google's have 39 characters), and to take it out of a reply would tear words."""
MAX_REDIRECTS = 2
MAX_RETRY_AFTER_SECONDS = 24 * 60 * 60.0

LASTING_REFUSALS = frozenset({400, 414, 422})
"""Statuses that say something about the question: asking it again would get the same answer."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `total` bounds one request as a whole, so that a trickle of bytes cannot hold a worker."""

    connect: float = 5.0
    read: float = 20.0
    total: float = 30.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a provider means by a reply that is not a 200."""

    reason: str | None = None
    """A reason of `ProviderUnavailable`; None: nothing is known beyond the status."""
    said: str = ""
    retry_after: float | None = None
    """Seconds to wait when the reply itself names none."""


Explain = Callable[[int, Mapping[str, Any]], Refusal]
"""Reads a provider's error body ({} when it is no JSON object) beside its status."""


class LookupRefused(Exception):
    """The provider refuses this very question (400, 414, 422)."""


class NotPermitted(Exception):
    """The permit said no: the request was not sent."""


class Guarded:
    """GETs JSON objects from one provider's host, one permit per request sent.

    `key` goes along as the parameter of that name and is shown nowhere: not in what is logged, raised or
    returned, even where the server repeats it. `explain` reads the provider's error bodies.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        provider: str,
        base_url: str,
        user_agent: str,
        timeouts: Timeouts,
        *,
        key: str | None = None,
        explain: Explain | None = None,
    ) -> None:
        self.client = client
        self.provider = provider
        self.base_url = httpx.URL(base_url)
        if self.base_url.scheme not in ("http", "https") or not self.base_url.host:
            raise ValueError(f"not an http address: {base_url}")
        self.headers = {"User-Agent": user_agent, "Accept": "application/json", "Accept-Encoding": "gzip"}
        self.timeouts = timeouts
        self._key = key
        self._explain = explain

    async def get_object(self, path: str, params: Mapping[str, str], permit: Permit) -> dict[str, Any]:
        """The JSON object at `path`. Raises ProviderUnavailable, LookupRefused or NotPermitted."""
        root = self.base_url.path.rstrip("/")
        url = self.base_url.copy_with(path=root + path).copy_merge_params(params)
        if self._key is not None:
            url = url.copy_set_param("key", self._key)
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
                if reply.status_code != 200:
                    raise await self._refusal(reply)
                return await self._body(reply, MAX_BODY_BYTES)
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

    async def _refusal(self, reply: httpx.Response) -> ProviderUnavailable | LookupRefused:
        """What a status other than 200 means, together with what the provider says in its body."""
        status = reply.status_code
        refusal = self._explain(status, await self._error_body(reply)) if self._explain else Refusal()
        said = f"HTTP {status} {self._without_key(refusal.said)}".rstrip()
        retry_after = retry_after_seconds(reply.headers.get("retry-after"))
        if refusal.reason is not None:
            wait = refusal.retry_after if retry_after is None else retry_after
            return self.trouble(refusal.reason, said, wait)
        if status in LASTING_REFUSALS:
            return LookupRefused(said)
        if status == 403:
            return self.trouble("identify", f"{said}, User-Agent {self.headers['User-Agent']}", retry_after)
        if status == 429 or (status == 503 and retry_after is not None):
            return self.trouble("rate_limited", said, retry_after)
        return self.trouble("server_error" if status >= 500 else "bad_reply", said, retry_after)

    async def _error_body(self, reply: httpx.Response) -> dict[str, Any]:
        """What the provider says about its refusal; {} where that is nothing we can read."""
        try:
            return self._parsed(await self._body(reply, MAX_ERROR_BYTES))
        except (ProviderUnavailable, httpx.HTTPError):
            return {}

    async def _body(self, reply: httpx.Response, most: int) -> bytes:
        """The body, decompressed here: httpx would unpack a bomb before we could count it."""
        encoding = reply.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("identity", "gzip", "x-gzip", "deflate"):
            raise self.trouble("bad_reply", f"content-encoding {encoding[:40]}")
        unpacker = None if encoding == "identity" else zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        body, received = bytearray(), 0
        try:
            async for chunk in reply.aiter_raw():
                received += len(chunk)
                room = most + 1 - len(body)
                body += unpacker.decompress(chunk, room) if unpacker else chunk
                if max(received, len(body)) > most:
                    raise self.trouble("bad_reply", f"body larger than {most} bytes")
        except zlib.error as error:
            raise self.trouble("bad_reply", f"broken {encoding} body") from error
        if self._key is None or len(self._key) < SHORTEST_SECRET:
            return bytes(body)
        return bytes(body.replace(self._key.encode(), b""))

    def _parsed(self, body: bytes) -> dict[str, Any]:
        try:
            value = json.loads(body, parse_constant=lambda _: None)
        except (ValueError, RecursionError) as error:
            raise self.trouble("bad_reply", f"not JSON: {described(error)}") from error
        if not isinstance(value, dict):
            raise self.trouble("bad_reply", f"a JSON {type(value).__name__} where an object belongs")
        return value

    def trouble(self, reason: str, message: str, retry_after: float | None = None) -> ProviderUnavailable:
        return ProviderUnavailable(self.provider, reason, self._without_key(message), retry_after=retry_after)

    def _without_key(self, text: str) -> str:
        return text if len(self._key or "") < SHORTEST_SECRET else text.replace(self._key or "", "…")


def hide_key(record: logging.LogRecord) -> bool:
    """httpx logs every URL it asks for, at INFO; a key in it is written as an ellipsis."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            argument.copy_set_param("key", "…")
            if isinstance(argument, httpx.URL) and "key" in argument.params
            else argument
            for argument in record.args
        )
    return True


logging.getLogger("httpx").addFilter(hide_key)


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
