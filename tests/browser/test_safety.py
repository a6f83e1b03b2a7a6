"""What a hostile provider, file or link can do to a reader: nothing."""

from typing import Any

import httpx
import pytest
from playwright.async_api import expect

pytestmark = pytest.mark.asyncio(loop_scope="session")

IMAGE = "<img src=x onerror=\"document.title='taken over'\">"
SCRIPT = "<script>document.title='taken over'</script>"


async def test_every_answer_of_the_page_has_the_policy(site) -> None:
    """The page, its scripts, and what is not there."""
    async with httpx.AsyncClient(base_url=site.address, trust_env=False) as client:
        for path in (
            "/enrichment",
            "/enrichment/main.js",
            "/enrichment/style/base.css",
            "/enrichment/icon.svg",
        ):
            reply = await client.get(path)
            assert reply.status_code == 200
            policy = reply.headers["content-security-policy"]
            assert policy.startswith(
                "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' "
            )
            assert "unsafe" not in policy
            assert f"connect-src 'self' {site.settings.supabase_url} ws://127" in policy
            assert "frame-ancestors 'none'" in policy
            assert reply.headers["x-content-type-options"] == "nosniff"
            assert reply.headers["referrer-policy"] == "no-referrer"
        assert (await client.get("/enrichment/../settings.py")).status_code == 404
        assert (await client.get("/enrichment/%2e%2e/__init__.py")).status_code == 404
        moved = await client.get("/enrichment/")
        assert (moved.status_code, moved.headers["location"]) == (308, "/enrichment")


async def test_what_a_provider_sends_is_text(page, stocked, sign_in, go, rows, change_replies) -> None:
    """Titles, descriptions and publishers with markup are shown as they are; links lead to known sources."""
    rows("update works set title = %s where title = '1984'", IMAGE)
    rows("update authors set name = %s where name = 'George Orwell'", SCRIPT)

    def poison(reply: dict[str, Any]) -> dict[str, Any]:
        row = next(item for item in reply["items"] if item["title"] == IMAGE)
        bad = {"value": IMAGE, "current": SCRIPT, "provider": SCRIPT, "candidate": "x:y"}
        row["proposals"] = {
            "work.cover_url": bad | {"value": "javascript:alert(1)", "source_url": "javascript:alert(1)"},
            "work.description": bad | {"source_url": "https://openlibrary.org.evil.example/works/OL1W"},
            "edition.publisher": bad | {"source_url": "https://openlibrary.org@evil.example/"},
            "edition.format": bad | {"source_url": "https://openlibrary.org/works/OL1W"},
        }
        row["sentence"] = IMAGE
        row["cover_url"] = "https://evil.example/track.png"
        return reply

    await change_replies(page, "queue", poison)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await sign_in(page)
    await expect(page.get_by_role("button", name=IMAGE, exact=True)).to_be_visible()
    await go(page, "review")
    await page.locator(".queue-title", has_text=IMAGE).click()
    detail = page.get_by_role("article")
    await expect(detail.get_by_role("heading")).to_have_text(IMAGE)
    await expect(detail.locator(".text", has_text=IMAGE).first).to_be_visible()
    assert await page.locator("[onerror]").count() == 0
    links = [await link.get_attribute("href") for link in await detail.get_by_role("link").all()]
    assert links == ["https://openlibrary.org/works/OL1W"]
    await page.get_by_role("button", name="History", exact=True).click()
    await expect(page.get_by_role("dialog").get_by_text(SCRIPT).first).to_be_visible()
    assert "taken over" not in await page.title()
    assert not [url for url in asked if "evil.example" in url or url.startswith("javascript")]


async def test_the_session_leaves_the_address_and_the_history(page, site, sign_in) -> None:
    """The token of a sign-in link is not to be seen in a screenshot, nor found by going back."""
    await page.goto("about:blank")
    await sign_in(page)
    assert page.url == f"{site.address}/enrichment"
    assert await page.evaluate("localStorage.getItem('book-enrichment-session')") is None
    assert "access_token" in await page.evaluate("sessionStorage.getItem('book-enrichment-session')")
    await page.go_back()
    await page.go_forward()
    assert "access_token" not in page.url


async def test_a_broken_link_says_so(page, site) -> None:
    """Also one that Supabase sends for an e-mail link that has expired."""
    await page.goto(f"{site.address}/enrichment#access_token=nonsense")
    await expect(page.get_by_role("alert")).to_contain_text("This sign-in link is broken")
    error = "error=access_denied&error_description=Email+link+is+invalid+or+has+expired"
    await page.goto(f"{site.address}/enrichment#{error}")
    await expect(page.get_by_role("alert")).to_contain_text("Email link is invalid or has expired")
