"""What is made of a file from somebody else's server: a small, clean WebP, or a sentence why not."""

import contextlib
import hashlib
import io
import struct
import subprocess
import sys
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from book_enrichment.images.thumbnail import CoverRefused, image_format, make_thumbnail
from cover_server import encoded, picture


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_a_cover_of_any_kind_becomes_a_small_webp(kind) -> None:
    """Within 240 x 360 pixels, its proportions kept, no larger than 30 KB, named by its hash."""
    thumbnail = make_thumbnail(encoded(picture(1), kind))
    image = opened(thumbnail.data)
    assert (image.format, image.size, image.mode) == ("WEBP", (240, 360), "RGB")
    assert (thumbnail.width, thumbnail.height) == image.size
    assert len(thumbnail.data) <= 30_720
    assert thumbnail.path == f"openlibrary/{hashlib.sha256(thumbnail.data).hexdigest()[:32]}.webp"


def test_the_mean_cover_takes_far_less_than_30_kb() -> None:
    """Over covers of all sorts, flat to grainy: 720 MB hold more than 50,000 of them."""
    sizes = [len(make_thumbnail(encoded(picture(seed), quality=90)).data) for seed in range(40)]
    assert sum(sizes) / len(sizes) < 16_000
    assert max(sizes) <= 30_720


def test_the_worst_noise_still_fits() -> None:
    """Quality gives way before size does."""
    noise = Image.merge("RGB", [Image.effect_noise((480, 720), 120) for _ in range(3)])
    thumbnail = make_thumbnail(encoded(noise, quality=95))
    assert len(thumbnail.data) <= 30_720


def test_the_same_file_has_the_same_name() -> None:
    data = encoded(picture(2))
    assert make_thumbnail(data).path == make_thumbnail(data).path


def test_a_small_cover_is_not_blown_up() -> None:
    assert (make_thumbnail(encoded(picture(3, (60, 90)))).width) == 60


def test_nothing_but_pixels_is_kept() -> None:
    """No camera, place, author, colour profile or comment of the file that was downloaded."""
    image = picture(4)
    exif = Image.Exif()
    exif[0x010E] = "SECRET description"
    data = encoded(image, exif=exif, icc_profile=b"SECRET profile", comment=b"SECRET comment")
    assert b"SECRET" in data
    stored = make_thumbnail(data).data
    assert b"SECRET" not in stored
    assert not {"exif", "icc_profile", "xmp"} & set(opened(stored).info)


def test_a_sideways_photo_is_set_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    sideways = picture(5, (600, 400))
    thumbnail = make_thumbnail(encoded(sideways, exif=exif))
    assert (thumbnail.width, thumbnail.height) == (240, 360)
    upright = sideways.transpose(Image.Transpose.ROTATE_270).resize((240, 360))
    shown = opened(thumbnail.data)
    assert (
        abs(
            sum(
                a - b
                for a, b in zip(
                    shown.resize((1, 1)).getpixel((0, 0)),
                    upright.resize((1, 1)).getpixel((0, 0)),
                    strict=True,
                )
            )
        )
        < 12
    )


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "I;16", "1"])
def test_every_kind_of_pixel_is_read(mode) -> None:
    image = picture(6, (300, 450)).convert("L" if mode == "I;16" else mode)
    if mode == "I;16":
        image = image.convert("I;16")
    data = encoded(image, "JPEG" if mode == "CMYK" else "PNG")
    assert opened(make_thumbnail(data).data).mode == "RGB"


def test_transparency_is_on_white() -> None:
    thumbnail = make_thumbnail(encoded(Image.new("RGBA", (100, 150), (255, 0, 0, 0)), "PNG"))
    assert min(opened(thumbnail.data).convert("L").getextrema()) > 245


def png_of(width: int, height: int) -> bytes:
    """A tiny file whose header promises that many pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(3 * min(width, 100_000) + 1) * 4)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def frames(count: int) -> bytes:
    first, *rest = [Image.new("RGB", (200, 300), (n % 256, 255 - n % 256, n * 7 % 256)) for n in range(count)]
    return encoded(first, "GIF", save_all=True, append_images=rest)


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!DOCTYPE html><html><body>Not found</body></html>"
JPEG = encoded(picture(7))
BAD = {
    "empty": (b"", "not a JPEG"),
    "SVG": (SVG, "not a JPEG"),
    "HTML": (HTML, "not a JPEG"),
    "HTML behind a JPEG's first bytes": (b"\xff\xd8\xff\xe0" + HTML, "broken JPEG"),
    "PDF": (b"%PDF-1.4 ...", "not a JPEG"),
    "TIFF": (encoded(picture(8, (60, 90)), "TIFF"), "not a JPEG"),
    "BMP": (encoded(picture(8, (60, 90)), "BMP"), "not a JPEG"),
    "truncated JPEG": (JPEG[: len(JPEG) // 2], "broken JPEG"),
    "truncated PNG": (encoded(picture(8), "PNG")[:2000], "broken PNG"),
    "truncated WebP": (encoded(picture(8), "WEBP")[:500], "broken WEBP"),
    "truncated GIF": (encoded(picture(8), "GIF")[:200], "broken GIF"),
    "a pixel, as GIF": (encoded(Image.new("P", (1, 1)), "GIF"), "placeholder of one pixel"),
    "a pixel, as PNG": (encoded(Image.new("RGB", (1, 1)), "PNG"), "placeholder of one pixel"),
    "a strip": (encoded(Image.new("RGB", (400, 10)), "PNG"), "400 x 10 pixels"),
    "an icon": (encoded(Image.new("RGB", (49, 49)), "PNG"), "49 x 49 pixels"),
    "a side too long": (encoded(Image.new("RGB", (60, 4001)), "PNG"), "60 x 4001 pixels"),
    "a PNG of 900 megapixels": (png_of(30_000, 30_000), "pixels"),
    "a PNG of 4 gigapixels": (png_of(65_535, 65_535), "too many pixels"),
    "a JPEG with 1,000 scans": (JPEG[:-2] + b"\xff\xda\x00\x02" * 1000 + JPEG[-2:], "scans"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_cover_is_refused_with_a_reason(case) -> None:
    data, reason = BAD[case]
    with pytest.raises(CoverRefused, match=reason):
        make_thumbnail(data)


def test_a_file_on_the_list_of_placeholders_is_refused() -> None:
    """By md5, as others have published them, or by sha256."""
    data = encoded(picture(9), "PNG")
    make_thumbnail(data, placeholders=["0" * 32])
    for digest in (hashlib.md5(data).hexdigest(), hashlib.sha256(data).hexdigest()):
        with pytest.raises(CoverRefused, match="placeholder"):
            make_thumbnail(data, placeholders=["0" * 32, digest])


def test_the_first_frame_of_an_animation_is_enough() -> None:
    assert opened(frames(60)).n_frames == 60
    assert make_thumbnail(frames(60)).sha256 == make_thumbnail(frames(2)).sha256
    first, second = picture(10, (200, 300)), picture(11, (200, 300))
    animated = encoded(first, "WEBP", save_all=True, append_images=[second], lossless=True)
    assert make_thumbnail(animated).sha256 == make_thumbnail(encoded(first, "WEBP", lossless=True)).sha256


def test_the_kind_is_told_by_the_bytes() -> None:
    assert image_format(b"\xff\xd8\xff\xe0") == "JPEG"
    with pytest.raises(CoverRefused):
        image_format(b"GIF88a")


WHOLE = [encoded(picture(12, (80, 120)), kind) for kind in ("JPEG", "PNG", "WEBP", "GIF")]


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(WHOLE),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=12),
    st.floats(0.3, 1),
)
def test_a_damaged_file_is_an_image_or_a_refusal(whole, changes, kept) -> None:
    """Whatever bytes are changed or missing: nothing else is ever raised, and what comes out is small."""
    data = bytearray(whole)
    for place, value in changes:
        data[int(place * (len(data) - 1))] = value
    with contextlib.suppress(CoverRefused):
        assert len(make_thumbnail(bytes(data[: int(kept * len(data))])).data) <= 30_720


MEMORY = """
import resource, sys
from book_enrichment.images import CoverRefused, make_thumbnail
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    make_thumbnail(open(sys.argv[1], "rb").read())
except CoverRefused:
    pass
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize(
    ("name", "data", "most_megabytes"),
    [
        ("bomb.png", png_of(30_000, 30_000), 10),
        ("frames.gif", frames(200), 20),
        ("largest.jpg", encoded(Image.new("RGB", (4000, 4000), "navy")), 60),
        ("largest.png", encoded(Image.new("RGB", (4000, 4000), "navy"), "PNG"), 160),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_memory_stays_small(tmp_path, name, data, most_megabytes) -> None:
    """Measured in a process of its own: a bomb costs nothing, the largest image allowed about 130 MB."""
    file = tmp_path / name
    file.write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(file)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) <= most_megabytes
