"""A server that breaks one rule at a time: a few raw bytes on a socket, whatever was asked."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Script = Callable[[asyncio.StreamWriter], Awaitable[None]]
Answer = Callable[[str], bytes]
"""What to send to whoever asked for this target."""


@asynccontextmanager
async def misbehaving(*replies: bytes | Script, answer: Answer | None = None) -> AsyncIterator[str]:
    """Answers the n-th connection with the n-th reply (the last one again and again), or by `answer`."""
    left = list(replies)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if answer is not None:
                reply: bytes | Script = answer(head.split(b" ")[1].decode())
            else:
                reply = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(reply, bytes):
                writer.write(reply)
                await writer.drain()
            else:
                await reply(writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def http(body: bytes | str | object, *headers: str, status: str = "200 OK") -> bytes:
    """A whole HTTP reply; anything that is not text or bytes is sent as JSON."""
    if not isinstance(body, bytes | str):
        body = json.dumps(body)
    content = body.encode() if isinstance(body, str) else body
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", "Connection: close", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + content


def moved(location: str) -> bytes:
    return http(b"", f"Location: {location}", status="302 Found")


def bomb(megabytes: int = 100) -> bytes:
    """So many megabytes of spaces, a thousandth of that on the wire."""
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    packed = b"".join(packer.compress(b" " * 1_000_000) for _ in range(megabytes)) + packer.flush()
    return http(packed, "Content-Encoding: gzip")


async def reset(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def hang(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(5)


async def trickle(writer: asyncio.StreamWriter) -> None:
    """A byte now and then: no single read is ever late."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(100):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def trickle_headers(writer: asyncio.StreamWriter) -> None:
    """The same before the body begins."""
    writer.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    for _ in range(100):
        writer.write(b"s")
        await writer.drain()
        await asyncio.sleep(0.05)


async def endless(writer: asyncio.StreamWriter) -> None:
    """100 MB of spaces."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
    for _ in range(1_526):
        writer.write(b" " * 65_536)
        await writer.drain()


async def endless_headers(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(100_000):
        writer.write(b"X-%d: %s\r\n" % (number, b"y" * 1_000))
        await writer.drain()


BROKEN: dict[str, tuple[str, bytes | Script]] = {
    "500": ("server_error", http({}, status="500 Internal Server Error")),
    "502 with a page": ("server_error", http("<html>bad gateway</html>", status="502 Bad Gateway")),
    "503 without a time": ("server_error", http({}, status="503 Service Unavailable")),
    "503 with a time": ("rate_limited", http({}, "Retry-After: 7", status="503 Service Unavailable")),
    "429": ("rate_limited", http({}, "Retry-After: 7", status="429 Too Many Requests")),
    "reset": ("server_error", reset),
    "not HTTP": ("server_error", b"SSH-2.0-OpenSSH_9.2\r\n"),
    "truncated": ("server_error", http({"docs": [], "totalItems": 0})[:-4]),
    "headers without end": ("server_error", endless_headers),
    "hangs": ("timeout", hang),
    "trickles": ("timeout", trickle),
    "trickles headers": ("timeout", trickle_headers),
    "404": ("bad_reply", http({}, status="404 Not Found")),
    "204": ("bad_reply", http(b"", status="204 No Content")),
    "HTML with 200": ("bad_reply", http("<html>maintenance</html>", "Content-Type: text/html")),
    "HTML called JSON": ("bad_reply", http("<html>hello</html>", "Content-Type: application/json")),
    "a picture": ("bad_reply", http(b"\x89PNG\r\n\x1a\n", "Content-Type: image/png")),
    "empty": ("bad_reply", http(b"")),
    "half a JSON": ("bad_reply", http('{"docs": [{"key": "/works')),
    "Latin-1": ("bad_reply", http('{"docs": [], "items": [], "q": "Misérables"}'.encode("latin-1"))),
    "UTF-16 cut in the middle": ("bad_reply", http('{"docs": []}'.encode("utf-16")[:-1])),
    "a list": ("bad_reply", http([])),
    "null": ("bad_reply", http(None)),
    "a text": ("bad_reply", http('"no"')),
    "neither found nor not": ("bad_reply", http({"what": "is this"})),
    "an error with 200": ("bad_reply", http({"error": "down", "docs": [], "items": [], "totalItems": 0})),
    "books that are no list": ("bad_reply", http({"docs": {"0": {}}, "items": {"0": {}}, "totalItems": 1})),
    "nested 100,000 deep": ("bad_reply", http('{"docs":' + "[" * 100_000)),
    "a number of 5,000 digits": ("bad_reply", http('{"docs": [], "totalItems": ' + "9" * 5_000 + "}")),
    "100 MB": ("bad_reply", endless),
    "gzip bomb": ("bad_reply", bomb()),
    "an unknown encoding": ("bad_reply", http({"docs": []}, "Content-Encoding: br")),
    "not the gzip it claims": ("bad_reply", http({"docs": []}, "Content-Encoding: gzip")),
    "gzip cut short": (
        "bad_reply",
        http(gzip.compress(b'{"docs": []}' * 50)[:-20], "Content-Encoding: gzip"),
    ),
    "redirect loop": ("bad_reply", moved("/search.json")),
    "redirect to another host": ("bad_reply", moved("http://localhost:1/x")),
    "redirect to another port": ("bad_reply", moved("http://127.0.0.1:1/x")),
    "redirect to another scheme": ("bad_reply", moved("ftp://127.0.0.1/x")),
    "redirect to a file": ("bad_reply", moved("file:///etc/passwd")),
    "redirect to nowhere": ("server_error", moved("http://[::1")),
}
"""By what is wrong: the reason it is recorded under, and the reply."""
