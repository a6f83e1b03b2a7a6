"""`make screenshots`: draws the page for the README, from a real run in a stack of its own.

Twenty books are imported and looked up, most of them approved, two more are in line: the library. Then a few
come in whose covers wait for a person: the review.
"""

import asyncio
import csv
import io
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from playwright.async_api import Browser, Page

import open_library
import serve
from book_enrichment.settings import Settings
from book_enrichment.work import open_worker
from chromium import draw_covers, open_browser
from open_library import Library
from packages import PlatformError, say
from stack import Stack, refuse_foreign_project

FOLDER = Path(__file__).with_name("screenshots")
MOST_BYTES = 300_000
DESK, PHONE = (1280, 860), (390, 844)
REVIEWED = ("9780061054884", "9781400033416", "9780141439518", "9780062464316", "9780142437209")
IN_LINE = ("9780141439471", "9780141439846")


@dataclass(frozen=True)
class Shot:
    """One picture."""

    name: str
    route: str
    size: tuple[int, int]
    scheme: Any = "light"


LIBRARY_SHOTS = (
    Shot("library-desk", "library", DESK),
    Shot("library-phone-dark", "library", PHONE, "dark"),
)
REVIEW_SHOTS = (
    Shot("review-desk", "review", DESK),
    Shot("review-desk-dark", "review", DESK, "dark"),
    Shot("review-phone", "review", PHONE),
)


async def main() -> None:
    """Fills a library, then looks at it in every way."""
    stack = Stack("screenshots", durable=False)
    try:
        refuse_foreign_project("taking pictures")
        say("A local Supabase, the page and a browser …")
        stack.reset()
        serve.create_reader(stack.superuser_url())
        async with open_library.serve() as library, open_browser() as browser:
            settings = serve.settings_for(stack.environment(), library.base_url)
            async with serve.running_app(settings, worker=False) as page:
                FOLDER.mkdir(exist_ok=True)
                await fill_library(page, settings, library)
                for shot in LIBRARY_SHOTS:
                    await take(shot, page, browser, library)
                await fill_review(page, settings, library)
                for shot in REVIEW_SHOTS:
                    await take(shot, page, browser, library)
    except PlatformError as error:
        sys.exit(str(error))
    finally:
        stack.down()


async def fill_library(page: serve.Page, settings: Settings, library: Library) -> None:
    """Most books are done, some wait for review, two are in line."""
    async with signed_in(page) as client:
        await serve.import_demo(page, client.headers["authorization"].removeprefix("Bearer "))
        await drain(settings)
        decision = {"action": "approve", "filter": {"confidence": "high"}, "dry_run": False}
        (await client.post("bulk", json=decision)).raise_for_status()
        await send(client, library, IN_LINE)


async def fill_review(page: serve.Page, settings: Settings, library: Library) -> None:
    """Books of which little is known, while covers are not written unasked."""
    async with signed_in(page) as client:
        await drain(settings)
        await send(client, library, REVIEWED)
        await drain(settings.model_copy(update={"auto_apply_covers": False}))


@asynccontextmanager
async def signed_in(page: serve.Page) -> AsyncIterator[httpx.AsyncClient]:
    session = await page.sign_in()
    headers = {"Authorization": f"Bearer {session['access_token']}"}
    async with httpx.AsyncClient(
        base_url=f"{page.api}/", headers=headers, trust_env=False, timeout=60
    ) as client:
        yield client


async def drain(settings: Settings) -> None:
    """Imports are written behind the reply; a worker that waits a little sees all of them."""
    await asyncio.sleep(2)
    async with open_worker(settings, name="screenshots") as worker:
        await worker.run(drain=True, patience=20)


async def send(client: httpx.AsyncClient, library: Library, isbns: tuple[str, ...]) -> None:
    """Books as a Goodreads export has them that knows little."""
    out = io.StringIO()
    lines = csv.writer(out)
    lines.writerow(["Book Id", "Title", "Author", "ISBN", "ISBN13", "Exclusive Shelf"])
    for number, isbn in enumerate(isbns, 1):
        work, _ = library.by_isbn[isbn]
        lines.writerow(
            [f"9{isbn[-6:]}{number}", work["title"], work["authors"][0]["name"], "", f'="{isbn}"', "to-read"]
        )
    files = {"file": ("more.csv", out.getvalue().encode(), "text/csv")}
    (await client.post("import", files=files)).raise_for_status()


async def take(shot: Shot, page: serve.Page, browser: Browser, library: Library) -> None:
    """One picture, with few colours so that it stays small."""
    width, height = shot.size
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=shot.scheme,
        device_scale_factor=2 if shot.size == PHONE else 1.5,
        reduced_motion="reduce",
    )
    await draw_covers(context, library)
    tab = await context.new_page()
    await tab.goto(page.link(await page.sign_in()))
    await show(tab, shot)
    file = FOLDER / f"{shot.name}.png"
    picture = Image.open(io.BytesIO(await tab.screenshot()))
    picture.convert("RGB").quantize(256, kmeans=2, dither=Image.Dither.NONE).save(file, optimize=True)
    await context.close()
    size = file.stat().st_size
    if size > MOST_BYTES:
        raise PlatformError(f"{file.name} has {size} bytes; {MOST_BYTES} are allowed")
    say(f"{file.name} ({size // 1000} KB)")


async def show(tab: Page, shot: Shot) -> None:
    """Waits until everything is there that belongs to the picture."""
    await tab.locator(".card .badge").first.wait_for()
    if shot.route == "review":
        await tab.get_by_role("link", name="Review").click()
        await tab.locator("#detail-title").wait_for()
    await tab.evaluate("document.activeElement.blur()")
    await tab.wait_for_load_state("networkidle")
    await tab.evaluate("document.fonts.ready")


if __name__ == "__main__":
    asyncio.run(main())
