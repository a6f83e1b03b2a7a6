"""News come without a reload: told by Realtime where it is there, asked for where not, and no oftener."""

import asyncio

import pytest
from playwright.async_api import expect

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def no_realtime(page) -> None:
    """As in a project that has it switched off."""
    await page.route_web_socket("**/realtime/**", lambda socket: socket.close())


async def test_realtime_tells(page, stocked, sign_in, rows) -> None:
    """The channel stands, and what another tab or the worker does shows within moments."""
    await sign_in(page)
    await expect(page.locator("html")).to_have_attribute("data-live", "realtime")
    await expect(page.locator(".top nav .count")).to_have_text("19 to review")
    rows("select dismiss_enrichment(id) from enrichment_queue where status = 'needs_review' limit 1")
    await expect(page.locator(".top nav .count")).to_have_text("18 to review")
    await expect(page.locator(".badge", has_text="No match")).to_have_count(2)


async def test_without_realtime_it_asks_while_something_is_open(page, stocked, sign_in, rows, work) -> None:
    """Books that are being looked up change their badge all the same."""
    await no_realtime(page)
    await sign_in(page)
    await expect(page.locator(".card .badge")).to_have_count(20)
    await page.get_by_role("button", name="Born a Crime", exact=False).first.click()
    rows("delete from source_records where raw ->> 'no_match' is not null")
    await page.get_by_role("dialog").get_by_role("button", name="Enrich").click()
    await expect(page.locator(".badge", has_text="Waiting")).to_have_count(1)
    await expect(page.locator(".happening")).to_contain_text("1 book is being looked up")
    await work()
    await expect(page.locator(".badge", has_text="Waiting")).to_have_count(0)


async def test_nothing_is_asked_when_nothing_is_open(page, stocked, sign_in) -> None:
    """A library at rest costs no calls."""
    await no_realtime(page)
    await sign_in(page)
    await expect(page.locator(".card .badge")).to_have_count(20)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    await asyncio.sleep(5)
    assert [url for url in asked if "/api/" in url] == []


async def test_a_hidden_tab_asks_rarely(page, stocked, sign_in, rows) -> None:
    """Who does not look needs no news; what happened meanwhile is there at the first look."""
    await no_realtime(page)
    await sign_in(page)
    await page.get_by_role("checkbox", name="Select Born a Crime", exact=False).check()
    rows("delete from source_records where raw ->> 'no_match' is not null")
    await page.get_by_role("region", name="Selected books").get_by_role("button", name="Enrich").click()
    await expect(page.locator(".badge", has_text="Waiting")).to_have_count(1)
    await page.evaluate(
        """() => {
          Object.defineProperty(document, 'hidden', { get: () => window.isAway, configurable: true });
          window.isAway = true;
        }"""
    )
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await asyncio.sleep(6.5)
    assert len([url for url in asked if "/api/" in url]) <= 1, "the look that was planned before, no other"
    async with page.expect_request("**/summary"):
        await page.evaluate("window.isAway = false; document.dispatchEvent(new Event('visibilitychange'))")
