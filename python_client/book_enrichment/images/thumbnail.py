"""A file from somebody else's server becomes a small image, or is refused.

what           JPEG, PNG, WebP or GIF by its first bytes, whatever the header says; no placeholder;
               the pixels are counted before one is decoded
what is kept   a small WebP encoded anew, without metadata, named by its hash
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

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


class CoverRefused(Exception):
    """This image will not do, now or later: no such file, no image, a placeholder, from elsewhere."""


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
