"""Nothing in any view hinders people who read, hear or steer in another way, as far as axe-core can tell."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import Page, expect

import packages

pytestmark = pytest.mark.asyncio(loop_scope="session")

STATES = ("pending", "in_progress", "needs_review", "completed", "skipped", "failed", None)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
Look = Callable[[str], Awaitable[None]]


async def findings(page: Page) -> list[str]:
    """What axe objects to, with the place."""
    await page.evaluate(packages.axe())
    result = await page.evaluate("rules => axe.run(document, { runOnly: rules })", RULES)
    assert len(result["passes"]) > 10, "axe has looked at something"
    return [
        f"{violation['id']}: {node['target']} {node['failureSummary']}"
        for violation in result["violations"]
        for node in violation["nodes"]
    ]


def in_every_state(reply: dict[str, Any]) -> dict[str, Any]:
    """Books in all states, with the reasons that are shown for them."""
    for number, item in enumerate(reply["items"]):
        item["status"] = STATES[number % len(STATES)]
        item["wait_reason"] = "daily" if item["status"] == "pending" else None
        item["last_error"] = "Open Library answered 500" if item["status"] == "failed" else None
        if number % 5 == 0:
            item["cover_url"] = None
    return reply


def in_work(reply: dict[str, Any]) -> dict[str, Any]:
    return reply | {"pending": 3, "in_progress": 2, "failed": 1, "completed": 2, "next_reason": "daily"}


def with_rivals(reply: dict[str, Any]) -> dict[str, Any]:
    """The first row asks which of two books is meant, and proposes a cover; Gatsby's stays as it is."""
    reply["items"].sort(key=lambda item: str(item["title"]) == "The Great Gatsby")
    row = reply["items"][0]
    best = row["match_details"]["candidates"][0]
    cover = best["cover_url"]
    row["cover_url"], row["confidence"] = None, "low"
    offer = next(iter(row["proposals"].values()))
    row["proposals"]["work.cover_url"] = offer | {"value": cover, "current": None}
    other = best | {"candidate": "openlibrary:/works/OL9W", "title": "Another edition", "cover_url": None}
    values = {"work.cover_url": cover, "edition.publisher": "Ace"}
    row["match_details"]["candidates"] = [best | {"values": values}, other | {"values": values}]
    row["match_details"]["rivals"] = [best["candidate"], other["candidate"]]
    return reply


async def check_library(page: Page, look: Look) -> None:
    """The books in all states, one of them selected, one of them open."""
    await expect(page.locator(".card .badge")).to_have_count(20)
    await look("library")
    await page.locator(".card input").first.check()
    await look("library with a book selected")
    await page.get_by_role("button", name="Clear").click()
    await page.locator(".card-title").nth(3).click()
    await expect(page.get_by_role("dialog").locator(".history li").first).to_be_visible()
    await look("a book")
    await page.keyboard.press("Escape")


async def check_review(page: Page, look: Look) -> None:
    """A row with rivals, a plain one, the dialog for many; the message after a dismissal; the keys."""
    await expect(page.get_by_role("article")).to_be_visible()
    await expect(page.get_by_role("radio")).to_have_count(2)
    await look("review with rivals")
    await page.get_by_role("article").get_by_role("checkbox").last.uncheck()
    await look("review with a field left out")
    await page.locator(".queue-title", has_text="The Great Gatsby").click()
    await look("review of a plain row")
    await page.get_by_role("button", name="Approve all that say this …").click()
    await expect(page.get_by_role("dialog").get_by_role("checkbox").first).to_be_visible()
    await look("bulk")
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Dismiss", exact=True).click()
    await page.locator(".toast").hover()  # it stays as long as somebody points at it
    await look("message with undo")
    await page.locator(".toast").get_by_role("button", name="Undo").click()
    await page.keyboard.press("?")
    await look("shortcuts")
    await page.keyboard.press("Escape")


async def check_imports(page: Page, look: Look) -> None:
    """The list, the question before an undo, the rows of one import."""
    await expect(page.locator(".import")).to_have_count(1)
    await look("imports")
    await page.get_by_role("button", name="Undo this import").click()
    await look("undo an import")
    await page.keyboard.press("Escape")
    await page.locator(".import a").first.click()
    await expect(page.locator(".rows tbody tr")).to_have_count(20)
    await look("rows of an import")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 860), (390, 844)], ids=["desk", "phone"])
async def test_axe_finds_nothing_in_any_view(
    open_page, stocked, sign_in, go, change_replies, scheme: str, size: tuple[int, int]
) -> None:
    """Every view, dialog and message, in both schemes and widths."""
    page = await open_page(size, scheme)
    found: dict[str, list[str]] = {}

    async def look(name: str) -> None:
        if objections := await findings(page):
            found[name] = objections
        overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0, f"{name} is {overflow} px wider than the screen"

    await page.goto(f"{stocked.address}/enrichment")
    await page.get_by_label("Password").wait_for()
    await look("sign-in")

    await change_replies(page, "library", in_every_state)
    await change_replies(page, "summary", in_work)
    await change_replies(page, "queue", with_rivals)
    await sign_in(page)
    await check_library(page, look)
    await go(page, "review")
    await check_review(page, look)
    await go(page, "imports")
    await check_imports(page, look)
    await go(page, "usage")
    await expect(page.locator(".meters meter").first).to_be_visible()
    await look("usage")

    await page.context.set_offline(True)
    await expect(page.locator(".banner.offline")).to_be_visible()
    await look("offline")
    assert found == {}
