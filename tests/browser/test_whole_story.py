"""A reader's first evening: twenty books come in, are looked up, reviewed, undone; the database agrees."""

import re
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from demo import CSV

pytestmark = pytest.mark.asyncio(loop_scope="session")

BOOK = """
select w.default_cover_url as cover, w.description, e.language, q.status::text, q.undone_at
from works as w
join enrichment_queue as q on q.work_id = w.id
join editions as e on e.id = q.edition_id
where w.title = %s
"""


async def test_from_the_file_to_the_undone_import(
    page, site, sign_in, go, work, rows, reader, eventually
) -> None:
    """Upload, watch, untick and approve, dismiss, approve the rest together, undo one, undo all, reload."""
    await sign_in(page)
    await expect(page.get_by_role("heading", name="Bring your books")).to_be_visible()
    upload = await uploaded(page)
    badges = page.locator(".card .badge")
    await expect(badges).to_have_text(["Waiting"] * 20)

    # Badges change while the worker works, without a reload.
    await work()
    await expect(badges.filter(has_text="To review")).to_have_count(19)
    await expect(upload).to_contain_text("19 got a cover")
    await page.reload()
    await expect(page.locator(".card img.cover")).to_have_count(19)

    await go(page, "review")
    await approve_without_description(page, rows)
    await dismiss_and_reload(page, rows, eventually)
    await approve_the_rest_together(page, rows, eventually)

    await go(page, "library")
    await undo_one_book(page, rows)
    await page.reload()
    await go(page, "imports")
    await undo_the_import(page, rows)
    assert len(rows("select 1 from library_items where user_id = %s", reader)) == 20


async def uploaded(page: Page) -> Locator:
    """The region that tells of the file, which is in."""
    await page.locator("input[type=file]").first.set_input_files(CSV)
    upload = page.get_by_role("region", name=f"Import of {CSV.name}")
    await expect(upload).to_contain_text("being looked up")
    await expect(upload).to_contain_text("Watch the badges in your library")
    return upload


async def approve_without_description(page: Page, rows: Any) -> None:
    """Gatsby, but for its description."""
    await page.get_by_role("button", name=re.compile("The Great Gatsby")).first.click()
    detail = page.get_by_role("article")
    await expect(detail.get_by_role("heading")).to_have_text("The Great Gatsby")
    await detail.get_by_role("checkbox", name="Description").uncheck()
    await detail.get_by_role("button", name=re.compile("^Approve 1 of 2")).click()
    await expect(page.locator(".toast")).to_contain_text("“The Great Gatsby” got language")
    [gatsby] = rows(BOOK, "The Great Gatsby")
    assert (gatsby["description"], gatsby["language"], gatsby["status"]) == (None, "eng", "completed")


async def dismiss_and_reload(page: Page, rows: Any, eventually: Any) -> None:
    """Neuromancer; the message has not gone when the page is reloaded: the dismissal is sent all the same."""
    await page.get_by_role("button", name=re.compile("Neuromancer")).first.click()
    detail = page.get_by_role("article")
    await expect(detail.get_by_role("heading")).to_have_text(re.compile("Neuromancer"))
    await detail.get_by_role("button", name="Dismiss", exact=True).click()
    await expect(page.locator(".toast").last).to_contain_text("was dismissed")
    await page.reload()
    await eventually(lambda: rows(BOOK, "Neuromancer (Sprawl, #1)")[0]["status"] == "skipped")


async def approve_the_rest_together(page: Page, rows: Any, eventually: Any) -> None:
    """In a few steps: all that say the same, counted first."""
    waiting = "select 1 from enrichment_queue where status = 'needs_review'"
    while left := len(rows(waiting)):
        alike = page.get_by_role("button", name="Approve all that say this …")
        await expect(page.get_by_role("heading", name="Review", exact=True)).to_be_visible()
        await expect(page.locator(".view-head .lead")).to_contain_text(f"{left} book")
        if await alike.count():
            await alike.click()
            dialog = page.get_by_role("dialog")
            await dialog.get_by_role("button", name=re.compile(r"^Approve \d+ books$")).click()
            await expect(dialog).to_be_hidden()
        else:
            detail = page.get_by_role("article")
            await detail.get_by_role("button", name="Approve", exact=True).click()
        await eventually(lambda before=left: len(rows(waiting)) < before)
    await expect(page.get_by_role("heading", name="All reviewed")).to_be_visible()
    assert len(rows("select 1 from works where description is not null")) == 17


async def undo_one_book(page: Page, rows: Any) -> None:
    """Gatsby, from its history."""
    await page.get_by_role("button", name="The Great Gatsby", exact=True).click()
    await page.get_by_role("dialog").get_by_role("button", name="Undo").click()
    await expect(page.locator(".toast").last).to_contain_text("Undone: cover and language")
    [gatsby] = rows(BOOK, "The Great Gatsby")
    assert (gatsby["cover"], gatsby["language"]) == (None, None)
    assert gatsby["undone_at"]
    card = page.locator(".card", has_text="The Great Gatsby")
    await expect(card.locator(".badge")).to_have_text("Undone")


async def undo_the_import(page: Page, rows: Any) -> None:
    """All of it; its books stay."""
    await page.get_by_role("button", name="Undo this import").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("What was filled into 18 books")
    await dialog.get_by_role("button", name="Undo 18 books").click()
    await expect(page.locator(".toast").last).to_contain_text("Undone")
    await expect(page.get_by_role("button", name="Undo this import")).to_have_count(0)
    filled = "select 1 from works where default_cover_url is not null or description is not null"
    assert rows(filled) == []
