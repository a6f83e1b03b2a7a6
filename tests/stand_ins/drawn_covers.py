"""Covers for books that do not exist: title and author on a coloured ground, so that pages with them look
real.

The stand-in for Open Library shows them under its cover ids, and the browser tests in place of every host
that covers come from. Drawn with Pillow in the typeface of the page; a number is always the same picture.
"""

import io
import math
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise

from PIL import Image, ImageDraw, ImageFont

from book_enrichment.web import FILES

# Ground, shape, letters.
PALETTES = (
    ("#22333b", "#c6ac8f", "#eae0d5"),
    ("#f2e8cf", "#bc4749", "#386641"),
    ("#1d3557", "#e63946", "#f1faee"),
    ("#faedcd", "#d4a373", "#5c4327"),
    ("#3d405b", "#e07a5f", "#f4f1de"),
    ("#e9edc9", "#81b29a", "#283618"),
    ("#5f0f40", "#fb8b24", "#fff3e0"),
    ("#dfe7ec", "#2b6777", "#12343b"),
    ("#0b3c49", "#f2c14e", "#fdfcdc"),
    ("#f6e7e4", "#9d4edd", "#3c096c"),
)
TYPEFACE = FILES / "vendor/source-serif-4/source-serif-4-latin-wght-normal.woff2"
SCALE = 2  # drawn larger and shrunk, so that edges are smooth


@lru_cache(maxsize=256)
def drawn_cover(number: int, title: str, author: str, width: int, height: int) -> bytes:
    """PNG bytes."""
    ground, shape, letters = PALETTES[number % len(PALETTES)]
    image = Image.new("RGB", (width * SCALE, height * SCALE), ground)
    draw = ImageDraw.Draw(image)
    MOTIFS[number // 3 % len(MOTIFS)](draw, image.width, image.height, shape)
    margin = image.width * 0.1
    size = fitting_size(draw, title, image.width - 2 * margin)
    write(draw, title, size, (margin, image.height * 0.08), image.width - 2 * margin, letters)
    write(draw, author, image.width * 0.068, (margin, image.height * 0.9), image.width - 2 * margin, letters)
    shrunk = image.resize((width, height), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    shrunk.save(out, "PNG", optimize=True)
    return out.getvalue()


def typeface(size: float) -> ImageFont.FreeTypeFont:
    font = ImageFont.truetype(TYPEFACE, size)
    font.set_variation_by_axes([600])
    return font


def fitting_size(draw: ImageDraw.ImageDraw, title: str, width: float) -> float:
    """Letters as large as the longest word and four lines allow."""
    size = width * 0.19
    while size > width * 0.08:
        font = typeface(size)
        longest = max(draw.textlength(word, font=font) for word in (title or " ").split() or [" "])
        if longest <= width and len(lines(draw, title, font, width)) <= 4:
            break
        size *= 0.92
    return size


def lines(draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont, width: float) -> list[str]:
    """The text in lines no wider than `width`."""
    done: list[str] = []
    for word in text.split():
        longer = f"{done[-1]} {word}" if done else word
        if done and draw.textlength(longer, font=font) <= width:
            done[-1] = longer
        else:
            done.append(word)
    return done


def write(
    draw: ImageDraw.ImageDraw, text: str, size: float, place: tuple[float, float], width: float, colour: str
) -> None:
    font = typeface(size)
    for row, line in enumerate(lines(draw, text, font, width)):
        draw.text((place[0], place[1] + row * size * 1.18), line, font=font, fill=colour)


def sun(draw: ImageDraw.ImageDraw, width: int, height: int, colour: str) -> None:
    radius = width * 0.3
    middle = (width * 0.62, height * 0.64)
    box = (middle[0] - radius, middle[1] - radius, middle[0] + radius, middle[1] + radius)
    draw.ellipse(box, fill=colour)


def hills(draw: ImageDraw.ImageDraw, width: int, height: int, colour: str) -> None:
    for row in range(3):
        crest = [
            (x, height * (0.6 + row * 0.09) + math.sin(x / width * 5 + row * 1.7) * height * 0.035)
            for x in range(0, width + 8, 8)
        ]
        for (x, y), (further, lower) in pairwise(crest):
            draw.line((x, y, further, lower), fill=colour, width=max(2, width // 60))


def stripes(draw: ImageDraw.ImageDraw, width: int, height: int, colour: str) -> None:
    for column in range(5):
        x = width * (0.12 + column * 0.17)
        draw.rectangle((x, height * (0.82 - column * 0.07), x + width * 0.09, height * 0.86), fill=colour)


def arch(draw: ImageDraw.ImageDraw, width: int, height: int, colour: str) -> None:
    for ring in range(4):
        radius = width * (0.36 - ring * 0.085)
        box = (width / 2 - radius, height * 0.8 - radius, width / 2 + radius, height * 0.8 + radius)
        draw.arc(box, 180, 360, fill=colour, width=max(2, width // 24))


def leaf(draw: ImageDraw.ImageDraw, width: int, height: int, colour: str) -> None:
    for side in (-1, 1):
        for step in range(4):
            x, y = width / 2, height * (0.82 - step * 0.09)
            tip = (x + side * width * 0.22, y - height * 0.07)
            draw.polygon([(x, y), (x + side * width * 0.16, y + height * 0.005), tip], fill=colour)
    draw.line((width / 2, height * 0.48, width / 2, height * 0.86), fill=colour, width=max(2, width // 70))


MOTIFS: tuple[Callable[[ImageDraw.ImageDraw, int, int, str], None], ...] = (sun, hills, stripes, arch, leaf)
