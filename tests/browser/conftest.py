"""The page as readers have it: a real Chromium, the real app, PostgREST and Postgres behind it, and the
stand-ins for Open Library, Supabase Auth and Realtime. Only covers are answered within the browser.

One browser serves all tests of a run, each in a context of its own. A test fails when the page reports an
error, or a violation of its own security policy, whatever else it tries.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, Route, expect
from psycopg.rows import dict_row

import open_library
import serve
from book_enrichment.settings import Settings
from book_enrichment.web import FILES
from book_enrichment.work import open_worker
from chromium import draw_covers, open_browser
from open_library import Library

DESK, PHONE = (1280, 860), (390, 844)
# What a browser says of a request that was refused; pages are allowed to be refused.
EXPECTED = re.compile(
    r"Failed to load resource: (the server responded with a status of|net::ERR_)|WebSocket connection to"
)

expect.set_options(timeout=15_000)  # milliseconds; a busy machine is no failure

Rows = Callable[..., list[dict[str, Any]]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium; started once."""
    async with open_browser() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def library() -> AsyncIterator[Library]:
    """The stand-in for Open Library."""
    async with open_library.serve() as library:
        yield library


@pytest.fixture
def settings(
    stack: Any, database: str, supabase_url: str, anon_key: str, service_key: str, library: Library
) -> Settings:
    """Covers are written unasked, details wait for a person."""
    environment = {
        "SUPABASE_URL": supabase_url,
        "SUPABASE_ANON_KEY": anon_key,
        "SUPABASE_SERVICE_ROLE_KEY": service_key,
        "SUPABASE_JWT_SECRET": stack.secrets.jwt_secret,
        "DATABASE_URL": stack.database_url(database),
    }
    return serve.settings_for(environment, library.base_url)


@pytest_asyncio.fixture(loop_scope="session")
async def site(settings: Settings, rows: Rows) -> AsyncIterator[serve.Page]:
    """The app, without a worker: `work` lets one run when the test wants it. Imports may be looked up."""
    rows("update enrichment.settings set auto_enabled = true")
    async with serve.running_app(settings, worker=False) as site:
        yield site


@pytest.fixture
def work(settings: Settings) -> Callable[[], Awaitable[Any]]:
    """`await work()` runs a worker until nothing is left to do."""

    async def work() -> Any:
        async with open_worker(settings, name="test") as worker:
            return await worker.run(drain=True, patience=20)

    return work


@pytest.fixture
def reader(stack: Any, database: str, supabase_url: str) -> UUID:
    """Somebody with a password and an empty library."""
    return serve.create_reader(stack.superuser_url(database))


@pytest_asyncio.fixture(loop_scope="session")
async def stocked(
    site: serve.Page, reader: UUID, work: Callable[[], Awaitable[Any]], rows: Rows
) -> serve.Page:
    """The app with twenty books that were looked up: 19 to review, one without a match."""
    session = await site.sign_in()
    await serve.import_demo(site, session["access_token"])
    async with asyncio.timeout(15):
        while len(rows("select 1 from enrichment_queue")) < 20:
            await asyncio.sleep(0.05)
    await work()
    return site


@pytest.fixture
def rows(database_url: str) -> Rows:
    """`rows("select …", …)` asks the database behind the page."""

    def rows(query: str, *values: Any) -> list[dict[str, Any]]:
        with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(query, values)
            return cursor.fetchall() if cursor.description else []

    return rows


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser, library: Library) -> AsyncIterator[Callable[..., Awaitable[Page]]]:
    """`await open_page()` opens a tab of its own; size and colour scheme may be given."""
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    async def open_page(size: tuple[int, int] = DESK, scheme: Any = "light", **options: Any) -> Page:
        width, height = size
        context = await browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            reduced_motion="reduce",
            **options,
        )
        contexts.append(context)
        await draw_covers(context, library)
        page = await context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: problems.append(f"error: {error}"))
        page.on("dialog", lambda dialog: problems.append(f"dialog: {dialog.message}"))
        page.on("console", lambda said: problems.extend(complaints(said.type, said.text)))
        return page

    yield open_page
    for context in contexts:
        await context.close()
    assert problems == []


def complaints(kind: str, text: str) -> list[str]:
    return [f"{kind}: {text}"] if kind in ("error", "warning") and not EXPECTED.match(text) else []


@pytest_asyncio.fixture(loop_scope="session")
async def page(open_page: Any) -> Page:
    """A tab on a desk, in the light scheme."""
    return await open_page()  # type: ignore[no-any-return]


@pytest.fixture
def sign_in(site: serve.Page, reader: UUID) -> Callable[..., Awaitable[None]]:
    """`await sign_in(page)` follows a sign-in link; `await sign_in(page, "review")` goes there."""

    async def sign_in(page: Page, route: str = "library") -> None:
        await page.goto(site.link(await site.sign_in()))
        await page.locator("main.view").wait_for()
        if route != "library":
            await follow(page, route)

    return sign_in


@pytest.fixture
def go() -> Callable[[Page, str], Awaitable[None]]:
    """`await go(page, "imports")` follows a link of the page."""
    return follow


async def follow(page: Page, route: str) -> None:
    """Review is there when its rows are: before that, keys find nothing to act on."""
    await page.evaluate("route => { location.hash = `#/${route}` }", route)
    view = page.locator(f"main.view-{route.split('/')[0]}")
    await view.wait_for()
    if route == "review":
        await view.locator(":is(.panel, .nothing-here, .trouble)").first.wait_for()


@pytest.fixture
def change_replies() -> Callable[..., Awaitable[None]]:
    """`await change_replies(page, "queue", change)`: the page gets what `change` makes of each reply."""

    async def change_replies(page: Page, path: str, change: Callable[[Any], Any]) -> None:
        async def answer(route: Route) -> None:
            reply = await route.fetch()
            await route.fulfill(response=reply, json=change(await reply.json()))

        await page.route(re.compile(rf"/api/v1/enrichment/{path}(\?|$)"), answer)

    return change_replies


@pytest.fixture
def short_pages() -> Callable[[Page, str, int], Awaitable[None]]:
    """`await short_pages(page, "LIBRARY_PAGE = 60", 4)`: the page asks for so few rows at a time."""

    async def short_pages(page: Page, constant: str, size: int) -> None:
        async def answer(route: Route) -> None:
            text = (FILES / "loading.js").read_text(encoding="utf-8")
            assert constant in text
            name = constant.split(" = ")[0]
            await route.fulfill(
                body=text.replace(constant, f"{name} = {size}"), content_type="text/javascript"
            )

        await page.route("**/loading.js", answer)

    return short_pages


@pytest.fixture
def eventually() -> Callable[..., Awaitable[Any]]:
    """`await eventually(lambda: …)` answers the first answer that is true."""

    async def eventually(question: Callable[[], Any], seconds: float = 15) -> Any:
        async with asyncio.timeout(seconds):
            while not (answer := question()):
                await asyncio.sleep(0.05)
        return answer

    return eventually
