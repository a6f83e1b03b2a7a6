"""Covers of our own: claimed from the database, downloaded, checked, shrunk, uploaded, and only then shown.

Beside the worker for books runs one for covers, with a queue of its own. It does nothing while the database
says `hotlink`. Whose images may be kept, from which hosts, how large and how many is for the database to say;
what a file from somebody else's server may do to this process is decided here:

    where from     https and allow-listed hosts only, also after each redirect; every address the name has
                   must be public, and the connection goes to the very address that was checked
    how much       the body is counted as it comes, the pixels are counted before one is decoded
    what           JPEG, PNG, WebP or GIF by its first bytes, whatever the header says; no placeholder
    what is kept   a small WebP encoded anew, without metadata, named by its hash
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import ipaddress
import logging
import os
import re
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import httpx
from PIL import Image, UnidentifiedImageError
from storage3.exceptions import StorageApiError
from supabase import AsyncClient, AsyncClientOptions, acreate_client

from book_enrichment.database import Database
from book_enrichment.errors import DatabaseUnavailable, EnrichmentError, Forbidden
from book_enrichment.handshake import refuse_mismatch
from book_enrichment.providers import NO_ADDRESS, Permit, ProviderUnavailable, agent_of, user_agent
from book_enrichment.providers.http import described, retry_after_seconds
from book_enrichment.records import ClaimedCover, CoverReport
from book_enrichment.settings import Settings

logger = logging.getLogger(__name__)

BUCKET = "covers"
BOX = (240, 360)
"""What a cover is shrunk to fit into, pixels: twice the size of a card in a list."""
QUALITIES = (75, 60, 45, 30, 15)
"""WebP qualities, tried in turn until the image is small enough; the first does for nearly every cover."""
LEAST_SIDE, LARGEST_SIDE = 50, 4000
"""Pixels. Smaller is no cover; a larger one would take 64 MB and more to decode."""
MOST_SCANS = 64
"""Of a JPEG file. A progressive one has about ten; thousands of empty ones would keep the decoder busy."""
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""By EXIF orientation."""
SIDEWAYS = tuple(TURNS[orientation] for orientation in (5, 6, 7, 8))
HOST_NAME = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*")
"""httpx passes a backslash on as part of a name, and `evil.example\\.archive.org` ends like a listed one."""
MOST_REDIRECTS = 3
DOWNLOAD_SECONDS = 30.0
CACHE_SECONDS = str(365 * 24 * 3600)  # an image never changes under its name

GRANT_SECONDS = 1.5  # as in worker.py: a grant is to be used within 2 s
LONGEST_WAIT_SECONDS = 60.0
# No download begins later than this part of a claim's life, which the database names (stale_after_seconds):
# a download and an upload still have to fit behind it.
LATEST_CALL = 2 / 3
LONGEST_SLEEP_SECONDS = 30.0
RETRY_SECONDS = 60.0
# The cover under which the server failed comes last: it may be the one that makes it fail.
TROUBLED_SECONDS = 600.0
STORAGE_RETRY_SECONDS = 300.0

NEEDS_STORAGE = (
    "covers are not stored from here: that takes SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY, "
    "because Supabase Storage speaks HTTP; until then they stay hot-linked"
)


class CoverRefused(Exception):
    """This image will not do, now or later: no such file, no image, a placeholder, from elsewhere."""


class StorageUnavailable(Exception):
    """The bucket took nothing: unreachable, full, missing, or the key is wrong. Not the image's fault."""


class NotPermitted(Exception):
    """The permit said no: the request was not sent."""


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """What is stored for a cover."""

    data: bytes  # WebP
    width: int
    height: int

    @property
    def sha256(self) -> str:
        """Of the bytes: the same image has the same name."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def path(self) -> str:
        """Within the bucket, as the database demands it (enrichment.cover_path)."""
        return f"openlibrary/{self.sha256[:32]}.webp"


# Checking and shrinking


def image_format(data: bytes) -> str:
    """JPEG, PNG, WEBP or GIF, by the first bytes. Raises CoverRefused for anything else."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF"
    raise CoverRefused("not a JPEG, PNG, WebP or GIF")


def make_thumbnail(data: bytes, most_bytes: int = 30_720, placeholders: Sequence[str] = ()) -> Thumbnail:
    """A WebP of at most `most_bytes` that fits BOX, from a file that nobody has looked at yet.

    `placeholders`: md5 or sha256 digests of files that only say "there is no image". Only the first frame of
    an animation is read. Takes up to some 100 ms of a processor: call it in a thread.

    Raises CoverRefused.
    """
    kind = image_format(data)
    digests = {hashlib.md5(data, usedforsecurity=False).hexdigest(), hashlib.sha256(data).hexdigest()}
    if digests.intersection(placeholders):
        raise CoverRefused("a placeholder that says there is no image")
    if kind == "JPEG" and data.count(b"\xff\xda") > MOST_SCANS:
        raise CoverRefused(f"a JPEG of more than {MOST_SCANS} scans")
    try:
        with Image.open(io.BytesIO(data), formats=(kind,)) as image:
            width, height = image.size
            # The header is read, no pixel is decoded yet.
            if (width, height) == (1, 1):
                raise CoverRefused("a placeholder of one pixel")
            if min(width, height) < LEAST_SIDE or max(width, height) > LARGEST_SIDE:
                raise CoverRefused(f"{width} x {height} pixels")
            if kind == "JPEG":
                image.draft("RGB", (2 * BOX[1], 2 * BOX[1]))  # decodes at a fraction of the size
            return _encoded(_shrunk(image), most_bytes)
    except CoverRefused:
        raise
    except (Image.DecompressionBombError, MemoryError) as error:
        raise CoverRefused("too many pixels") from error
    except UnidentifiedImageError as error:
        raise CoverRefused(f"a broken {kind}") from error
    except Exception as error:
        # For broken files Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error …
        raise CoverRefused(f"a broken {kind}: {type(error).__name__}") from error


def _shrunk(image: Image.Image) -> Image.Image:
    """Upright, within BOX, RGB on white, and nothing else: no profile, no text comes along."""
    turn = _turn(image)
    if image.mode not in ("L", "LA", "RGB", "RGBA"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    is_sideways = turn in SIDEWAYS
    image.thumbnail(BOX[::-1] if is_sideways else BOX, Image.Resampling.LANCZOS, reducing_gap=3.0)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        flat = Image.new("RGB", image.size, "white")
        flat.paste(image, mask=image.getchannel("A"))
    else:
        flat = Image.new("RGB", image.size)
        flat.paste(image.convert("RGB"))
    return flat if turn is None else flat.transpose(turn)


def _turn(image: Image.Image) -> Image.Transpose | None:
    """What the camera says it takes to set the image upright."""
    try:
        return TURNS.get(image.getexif().get(0x0112, 1))
    except Exception:  # broken metadata of a good image
        return None


def _encoded(image: Image.Image, most_bytes: int) -> Thumbnail:
    for quality in QUALITIES:
        file = io.BytesIO()
        image.save(file, "WEBP", quality=quality, method=4)
        if file.tell() <= most_bytes:
            return Thumbnail(file.getvalue(), image.width, image.height)
    raise CoverRefused(f"larger than {most_bytes} bytes at any quality")


# Downloading

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
        self.resolve = resolve
        self.stand_in = httpx.URL(stand_in) if stand_in else None

    def introduce(self, contact: str | None) -> None:
        """Who asks from now on."""
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


# Storing


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


# The worker


@dataclass(slots=True)
class CoverTally:
    """What a cover worker has done so far, and what was left when it last looked."""

    claimed: int = 0
    applied: Counter[str] = field(default_factory=Counter)  # by the database's outcome
    refused: Counter[str] = field(default_factory=Counter)  # by why: images that will not do
    released: Counter[str] = field(default_factory=Counter)  # by reason
    dropped: int = 0  # answers the database had no use for
    calls: int = 0
    bytes: int = 0  # of the images applied
    pending: int = 0
    wait_reason: str | None = None


class CoverWorker:
    """Carries covers from the provider to the bucket. Any number may run, in any number of processes.

    Args:
        database: through either door.
        downloader: hears from this worker who asks, as the database has it.
        storage: None where there is no way to the bucket; then nothing is claimed.
        name: who holds a cover, as the queue shows it; host and process id when not given.
    """

    def __init__(
        self,
        database: Database,
        downloader: Downloader,
        storage: CoverStorage | None,
        name: str | None = None,
    ) -> None:
        self.database = database
        self.downloader = downloader
        self.storage = storage
        self.name = name or f"{socket.gethostname()}:{os.getpid()}"
        self.tally = CoverTally()
        self.stopped = False
        self._patience: float | None = None  # set: end once the rest waits for longer than this
        self._alarm = asyncio.Event()
        self._carrying: asyncio.Task[None] | None = None
        self._said = False
        self.claim_seconds = 0.0  # how long a claim lives; the database names it
        self._fits = False  # the database's version

    def wake(self) -> None:
        """There may be something new: look now instead of at the end of the sleep."""
        self._alarm.set()

    def stop(self) -> None:
        """Cut the cover at hand short, give back what is held, and let `run` return. There is no going on."""
        self.stopped = True
        self._alarm.set()
        if self._carrying is not None:
            self._carrying.cancel()

    def finish(self, patience: float = 90.0) -> None:
        """Let `run` return once all that is left waits for longer than `patience` seconds."""
        self._patience = patience
        self._alarm.set()

    async def run(self) -> CoverTally:
        """Work until stopped or finished. A database that is away is waited for, but not when finishing.

        Raises:
            Forbidden: the key or role may not call the service verbs.
        """
        idle = 0
        while not self.stopped:
            due_in: float | None = None
            patience = self._patience  # whoever asks to finish wants another look first
            try:
                if not self._fits:
                    await refuse_mismatch(self.database)
                    self._fits = True
                report = await self.database.enrichment_covers()
                self.tally.pending, self.tally.wait_reason = report.pending, report.wait_reason
                if report.cover_mode == "thumbnail" and self._can_store(report):
                    due_in = report.due_in
                if due_in == 0 and (await self._round(report) or report.wait_reason == "backfill"):
                    idle = 0
                    continue
            except Forbidden:
                raise
            except EnrichmentError as error:
                if patience is not None and not isinstance(error, DatabaseUnavailable):
                    raise
                extra = {"action": "wait_for_database", "code": error.code}
                logger.warning("database: %s", error, extra=extra)
            if patience is not None and (due_in is None or due_in == 0 or due_in >= patience):
                break
            # Due, but in another worker's hands: look less and less often.
            idle = idle + 1 if due_in == 0 else 0
            seconds = LONGEST_SLEEP_SECONDS if due_in is None else 2.0**idle if idle else due_in
            await self._pause(min(seconds, LONGEST_SLEEP_SECONDS))
        return self.tally

    def _can_store(self, report: CoverReport) -> bool:
        missing = NEEDS_STORAGE if self.storage is None else None
        if missing is None and report.wait_reason == "no_contact":
            missing = "covers are not stored: no contact is set (ENRICHMENT_CONTACT)"
        if missing and not self._said:
            logger.warning(missing, extra={"action": "covers_wait"})
            self._said = True
        return missing is None

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._alarm.wait()
        except TimeoutError:
            return
        if not self.stopped:
            self._alarm.clear()

    async def _round(self, report: CoverReport) -> bool:
        """Claim some covers and settle each; true when there was one."""
        settings = {each.name: each.value for each in await self.database.configure_enrichment()}
        self.claim_seconds = float(settings["stale_after_seconds"] or 0)
        self.downloader.introduce(settings["contact"])
        covers = await self.database.claim_covers(self.name)
        self.tally.claimed += len(covers)
        batch = _Batch(self, report)
        try:
            for cover in covers:
                self._carrying = asyncio.create_task(batch.carry(cover))
                await self._carrying
        except asyncio.CancelledError:
            if not self.stopped:
                raise
        finally:
            self._carrying = None
            await batch.settle(covers)
        return bool(covers)


class _Batch:
    """The covers of one claim on their way."""

    def __init__(self, worker: CoverWorker, report: CoverReport) -> None:
        self._worker = worker
        self._report = report
        self._claimed_at = time.monotonic()
        self._results: list[dict[str, Any]] = []
        self._refusals: dict[ClaimedCover, str] = {}
        self._crashes: dict[ClaimedCover, str] = {}
        self._excuse: tuple[str, datetime | None] | None = None  # why those not asked for have to wait
        self._troubled: tuple[ClaimedCover, str, datetime] | None = None
        self._limits = ""
        self._unreported = 0  # requests that were answered

    async def carry(self, cover: ClaimedCover) -> None:
        """One cover from its URL to the bucket; what became of it is kept for `settle`."""
        worker, report = self._worker, self._report
        if self._excuse is not None or worker.stopped or worker.storage is None:
            return
        self._limits = f"{cover.provider}_covers"
        try:
            data = await worker.downloader.download(
                cover.source_url, report.hosts, report.download_bytes, self._permit, self._limits
            )
            await self._report_calls()
            thumbnail = await asyncio.to_thread(make_thumbnail, data, report.image_bytes, report.placeholders)
            url = await worker.storage.store(thumbnail)
        except CoverRefused as refusal:
            self._refusals[cover] = str(refusal)
            await self._report_calls()
        except NotPermitted:
            pass  # the permit has left the excuse
        except ProviderUnavailable as trouble:
            logger.warning("%s", trouble, extra={"action": "provider_unavailable", "reason": trouble.reason})
            self._unreported = 0
            state = await worker.database.report_provider_calls(**trouble.report())
            moments = [moment for moment in (state.open_until, state.retry_at) if moment is not None]
            self._excuse = trouble.reason, max(moments, default=_from_now(RETRY_SECONDS))
            self._troubled = cover, trouble.reason, max([*moments, _from_now(TROUBLED_SECONDS)])
        except StorageUnavailable as trouble:
            logger.warning("storage: %s", trouble, extra={"action": "storage_unavailable"})
            self._excuse = "storage", _from_now(STORAGE_RETRY_SECONDS)
        except EnrichmentError:
            raise
        except Exception as error:
            # A fault of ours under this cover: it spends an attempt, or it would come back for ever.
            self._crashes[cover] = f"{type(error).__name__}: {error}"
            logger.exception("unexpected", extra={"action": "cover", "cover_id": str(cover.cover_id)})
        else:
            self._results.append(
                {
                    "cover_id": str(cover.cover_id),
                    "claim_token": str(cover.claim_token),
                    "sha256": thumbnail.sha256,
                    "storage_path": thumbnail.path,
                    "cover_url": url,
                    "bytes": len(thumbnail.data),
                    "width": thumbnail.width,
                    "height": thumbnail.height,
                }
            )

    async def _report_calls(self) -> None:
        if self._unreported:
            await self._worker.database.report_provider_calls(self._limits, succeeded=self._unreported)
            self._unreported = 0

    async def settle(self, covers: Sequence[ClaimedCover]) -> None:
        """Give every cover back, one way or another; what cannot be told to the database grows stale."""
        tally = self._worker.tally
        if self._results:
            try:
                for outcome in await self._worker.database.apply_covers(self._results):
                    tally.applied[outcome.outcome] += 1
                    if outcome.outcome == "applied":
                        tally.bytes += self._results[outcome.position]["bytes"]
                logger.info("stored %d covers", len(self._results), extra={"action": "apply_covers"})
            except EnrichmentError as error:
                self._drop(error)
        answered = {result["cover_id"] for result in self._results}
        for cover in covers:
            reason, retry_at = self._excuse or ("stopped", None)
            if self._troubled is not None and self._troubled[0] == cover:
                _, reason, retry_at = self._troubled
            if str(cover.cover_id) in answered:
                continue
            try:
                if error_text := self._refusals.get(cover) or self._crashes.get(cover):
                    await self._worker.database.fail_cover(
                        cover.cover_id, cover.claim_token, error_text, cover in self._refusals
                    )
                    tally.refused[error_text] += 1
                else:
                    await self._worker.database.release_cover(
                        cover.cover_id, cover.claim_token, reason, retry_at
                    )
                    tally.released[reason] += 1
            except EnrichmentError as error:
                self._drop(error)

    def _drop(self, error: EnrichmentError) -> None:
        self._worker.tally.dropped += 1
        logger.warning("dropped: %s", error, extra={"action": "drop", "code": error.code})

    async def _permit(self) -> bool:
        """Leave for one request; false when it is too far away, with the excuse left behind."""
        while not self._worker.stopped:
            asked_at = time.monotonic()
            reservation = await self._worker.database.reserve_provider_calls(self._limits, 1)
            if reservation.granted and time.monotonic() - asked_at > GRANT_SECONDS:
                continue
            if reservation.granted:
                self._worker.tally.calls += 1
                self._unreported += 1
                return True
            wait = reservation.retry_after
            held = time.monotonic() - self._claimed_at
            if (
                wait is None
                or wait > LONGEST_WAIT_SECONDS
                or held + wait > LATEST_CALL * self._worker.claim_seconds
            ):
                self._excuse = reservation.reason or "rate", None if wait is None else _from_now(wait)
                return False
            await self._worker._pause(max(wait, 0.05))
        return False


def _from_now(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


@asynccontextmanager
async def open_covers(settings: Settings, database: Database) -> AsyncIterator[CoverWorker]:
    """A cover worker with everything it needs, opened from the settings and closed behind it."""
    async with open_storage(settings) as storage, httpx.AsyncClient(trust_env=False) as client:
        yield CoverWorker(database, Downloader(client, stand_in=settings.covers_url), storage)


@asynccontextmanager
async def beside(covers: CoverWorker | None, patience: float) -> AsyncIterator[None]:
    """The cover worker runs while the block does; when that ends well, it ends with what is due soon."""
    if covers is None:
        yield
        return
    covers._patience = None  # of the run before, if there was one
    task = asyncio.create_task(covers.run())
    task.add_done_callback(_log_end)
    try:
        yield
    except BaseException:
        covers.stop()
        await asyncio.wait({task})
        raise
    covers.finish(patience)
    await task


def _log_end(task: asyncio.Task[CoverTally]) -> None:
    if not task.cancelled() and (error := task.exception()):
        logger.error("the cover worker ended", exc_info=error, extra={"action": "end"})
