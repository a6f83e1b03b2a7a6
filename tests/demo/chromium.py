"""Debian's Chromium, steered by Playwright: for the browser tests and the screenshots.

Nothing it asks leaves this machine: covers are drawn here, every other address on the Internet is refused.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, BrowserContext, Route, async_playwright

import packages
from open_library import Library

FLAGS = (
    "--no-sandbox",  # which root cannot have, and tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """A headless browser for as long as the block runs; fetched from Debian if missing."""
    program = packages.chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield browser
        finally:
            await browser.close()


async def draw_covers(context: BrowserContext, library: Library) -> None:
    """Lets a context see the stand-in's covers under the addresses they would have."""

    async def answer(route: Route) -> None:
        found = re.fullmatch(r"https://covers\.openlibrary\.org/b/id/(\d+)-([SML])\.jpg", route.request.url)
        picture = library.cover_picture(int(found[1]), found[2]) if found else None
        if picture is None:
            await route.abort()
        else:
            await route.fulfill(body=picture, content_type="image/png")

    await context.route(re.compile("^https://"), answer)
