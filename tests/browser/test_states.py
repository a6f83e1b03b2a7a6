"""What the page says when there is nothing yet or something is wrong; and how sessions live and end."""

import asyncio
import re
import time
from typing import Any

import jwt
import pytest
from playwright.async_api import Page, Route, expect

import serve

pytestmark = pytest.mark.asyncio(loop_scope="session")

API = "**/api/v1/enrichment"


async def refuse(route: Route) -> None:
    problem = {
        "title": "Conflict",
        "status": 409,
        "detail": "queue row 7 is completed",
        "hint": "reload the review list",
    }
    await route.fulfill(status=409, json=problem, content_type="application/problem+json")


async def test_an_empty_library_invites(page, sign_in, go) -> None:
    """Every view has something to say before there is a book."""
    await sign_in(page)
    await expect(page.get_by_role("heading", name="Bring your books")).to_be_visible()
    await go(page, "review")
    await expect(page.get_by_role("heading", name="All reviewed")).to_be_visible()
    await go(page, "imports")
    await expect(page.get_by_role("heading", name="Bring your books")).to_be_visible()
    await go(page, "usage")
    await expect(page.get_by_text("Nothing waits")).to_be_visible()


async def test_loading_shows_where_books_will_be(page, stocked, sign_in) -> None:
    """Grey books until the answer is there, then the books."""
    answers: list[Route] = []
    await page.route(f"{API}/library?*", lambda route: answers.append(route))
    await sign_in(page)
    await expect(page.locator(".ghost").first).to_be_visible()
    await answers[0].continue_()
    await expect(page.locator(".card .badge")).to_have_count(20)
    await expect(page.locator(".ghost")).to_have_count(0)


async def test_more_of_a_filter_is_not_shown_under_the_next_one(page, stocked, sign_in, short_pages) -> None:
    """An answer that comes after another filter was chosen is dropped."""
    await short_pages(page, "LIBRARY_PAGE = 60", 4)
    await sign_in(page)
    late: list[Route] = []
    await page.route(f"{API}/library?*cursor=*", lambda route: late.append(route))
    await page.get_by_role("button", name="Show more").click()
    await page.get_by_role("button", name=re.compile("^No match")).click()
    await expect(page.locator(".card .badge")).to_have_text(["No match"])
    async with page.expect_response(f"{API}/library?*cursor=*"):
        await late[0].continue_()
    # An answer that is asked for and read later than the late one.
    await page.evaluate("fetch('api/v1/enrichment/health').then((answer) => answer.text())")
    assert await page.locator(".card .badge").all_inner_texts() == ["No match"]


async def test_an_error_is_told_with_its_hint_and_tried_again(page, stocked, sign_in) -> None:
    """What the server advises is shown; the button asks again."""
    await page.route(f"{API}/library?*", refuse)
    await sign_in(page)
    alert = page.get_by_role("alert")
    await expect(alert).to_contain_text("queue row 7 is completed")
    await expect(alert).to_contain_text("reload the review list")
    await page.unroute(f"{API}/library?*")
    await alert.get_by_role("button", name="Try again").click()
    await expect(page.locator(".card .badge")).to_have_count(20)


async def test_offline_keeps_what_is_shown_and_comes_back(page, stocked, sign_in) -> None:
    """A banner, the books stay, an action says why it does nothing; then all goes on by itself."""
    await sign_in(page)
    await expect(page.locator(".card .badge")).to_have_count(20)
    await expect(page.get_by_role("button", name="Enrich missing")).to_be_enabled()
    await page.context.set_offline(True)
    banner = page.locator(".banner.offline")
    await expect(banner).to_contain_text("You are offline")
    await page.get_by_role("button", name="Enrich missing").click()
    await expect(page.locator(".toast.error")).to_contain_text("cannot be reached")
    await expect(page.locator(".card .badge")).to_have_count(20)
    await page.context.set_offline(False)
    await expect(banner).to_have_count(0)


async def test_an_answer_from_before_an_outage_does_not_end_it(page, stocked, sign_in) -> None:
    """What was asked for while there was a connection may come in later than the news that there is none."""
    await sign_in(page)
    await expect(page.locator(".card .badge")).to_have_count(20)
    asked: asyncio.Future[Route] = asyncio.get_running_loop().create_future()
    await page.route(f"{API}/summary", lambda route: asked.set_result(route), times=1)
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    late = await asked
    news = await (await late.fetch()).json()
    await page.context.set_offline(True)
    banner = page.locator(".banner.offline")
    await expect(banner).to_contain_text("You are offline")
    await late.fulfill(json=news | {"missing_cover": 7})
    await expect(page.get_by_text("7 without a cover")).to_be_visible()
    assert await banner.count() == 1
    await page.context.set_offline(False)
    await expect(banner).to_have_count(0)


async def test_a_dialog_says_that_nothing_answers(page, stocked, sign_in, go) -> None:
    """It covers the banner; what could not be read is not said to be empty, and is asked for again."""
    await sign_in(page, "review")
    await page.get_by_role("button", name=re.compile("^The Great Gatsby")).first.click()
    dialog = page.get_by_role("dialog")
    await page.context.set_offline(True)
    await page.get_by_role("button", name="Approve all that say this …").click()
    await expect(dialog).to_contain_text("The server cannot be reached.")
    await page.context.set_offline(False)
    await dialog.get_by_role("button", name="Try again").click()
    await expect(dialog).to_contain_text("Only what is empty now is written")
    await page.keyboard.press("Escape")
    await page.context.set_offline(True)
    await page.get_by_role("button", name="History", exact=True).click()
    await expect(dialog).to_contain_text("The server cannot be reached.")
    await expect(dialog).not_to_contain_text("Nothing was done")
    await page.context.set_offline(False)
    await dialog.get_by_role("button", name="Try again").click()
    await expect(dialog).to_contain_text("Put up for review")


async def test_why_something_waits_is_told_in_the_servers_words(
    page, site, sign_in, go, change_replies
) -> None:
    """GET /config brings the sentences; a word without one, of somebody else's worker, is shown itself."""
    line = {"meter": "waiting", "used": 1, "allowed": None, "unit": "rows", "until": None}
    waiting = [line | {"subject": "daily"}, line | {"subject": "of_their_own"}]
    await change_replies(page, "usage", lambda reply: {"items": [*reply["items"], *waiting]})
    await change_replies(page, "config", lambda reply: reply | {"reasons": {"daily": "Tomorrow, then."}})
    await sign_in(page)
    await go(page, "usage")
    await expect(page.get_by_role("listitem").filter(has_text="Tomorrow, then.")).to_have_count(1)
    await expect(page.get_by_role("listitem").filter(has_text="Of their own.")).to_have_count(1)


async def test_an_import_that_is_not_there_is_not_waited_for(page, sign_in, go) -> None:
    """A link to one that was pruned, or is somebody else's."""
    await sign_in(page)
    await go(page, "imports/81a31c03-dd4e-45ad-9264-52fba979adc5")
    await expect(page.locator(".lead")).to_have_text("It could not be loaded.")


async def test_the_same_file_again_says_that_its_books_are_there(page, stocked, sign_in) -> None:
    """They are not twice in the file; and what the first import filled in is not this one's to undo."""
    await sign_in(page, "imports")
    await page.locator("input[type=file]").first.set_input_files(serve.CSV)
    lines = page.locator(".import")
    await expect(lines).to_have_count(2)
    await expect(lines.first).to_contain_text("20 rows: 20 in your library already.")
    await expect(page.get_by_role("button", name="Undo this import")).to_have_count(1)


async def test_a_server_that_is_away_at_the_start_can_be_tried_again(page, site) -> None:
    """No endless spinner."""
    await page.route(f"{API}/config", lambda route: route.abort())
    await page.goto(f"{site.address}/enrichment")
    await expect(page.get_by_role("heading", name="cannot be reached")).to_be_visible()
    await page.unroute(f"{API}/config")
    await page.get_by_role("button", name="Try again").click()
    await expect(page.get_by_label("Password")).to_be_visible()


async def test_signing_in_and_out_with_a_password(page, site, reader) -> None:
    """A wrong password is said to be one; signing out ends the session at Supabase, too."""
    await page.goto(f"{site.address}/enrichment")
    await page.get_by_label("E-mail").fill(serve.EMAIL)
    await page.get_by_label("Password").fill("wrong")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("Invalid login credentials")
    await page.get_by_label("E-mail").fill(serve.EMAIL)
    await page.get_by_label("Password").fill(serve.PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", name="Your library")).to_be_visible()
    await page.reload()
    await expect(page.get_by_text(serve.EMAIL)).to_be_visible()
    async with page.expect_response("**/auth/v1/logout?scope=local") as reply:
        await page.get_by_role("button", name="Sign out").click()
    assert (await reply.value).status == 204
    await expect(page.get_by_label("Password")).to_be_visible()
    assert await page.evaluate("sessionStorage.length") == 0


async def test_a_session_is_renewed_before_it_ends(page, site, reader, stack) -> None:
    """A token with half a minute left is exchanged before anything is asked with it."""
    session = await site.sign_in()
    claims = jwt.decode(session["access_token"], options={"verify_signature": False})
    claims |= {"exp": int(time.time()) + 30}
    old = jwt.encode(claims, stack.secrets.jwt_secret, algorithm="HS256")
    used: list[Any] = []
    page.on("request", lambda request: used.append(request.headers.get("authorization")))
    async with page.expect_response("**/auth/v1/token?grant_type=refresh_token"):
        await page.goto(site.link(session | {"access_token": old}))
    await expect(page.get_by_role("heading", name="Your library")).to_be_visible()
    await expect(page.get_by_role("heading", name="Bring your books")).to_be_visible()
    assert f"Bearer {old}" not in used


async def test_a_session_that_has_ended_asks_to_sign_in_again(page, site, reader, stack, sign_in) -> None:
    """Once it cannot be renewed the page says so, and forgets what it showed."""
    session = await site.sign_in()
    claims = jwt.decode(session["access_token"], options={"verify_signature": False})
    claims |= {"exp": int(time.time()) - 3600}
    old = jwt.encode(claims, stack.secrets.jwt_secret, algorithm="HS256")
    await page.goto(site.link({"access_token": old, "refresh_token": "used-before"}))
    await expect(page.get_by_role("alert")).to_contain_text("Your session has ended")
    await expect(page.get_by_label("Password")).to_be_visible()


async def test_a_file_that_is_no_export_is_refused_with_advice(page, sign_in) -> None:
    """The card says what is wrong with it, and can be closed."""
    await sign_in(page)
    file = {"name": "notes.csv", "mimeType": "text/csv", "buffer": b"a,b\n1,2\n"}
    await page.locator("input[type=file]").first.set_input_files(file)
    card = page.get_by_role("region", name="Import of notes.csv")
    await expect(card).to_contain_text("notes.csv was not imported")
    await card.get_by_role("button", name="Close").click()
    await expect(card).to_have_count(0)


async def test_it_says_that_imports_wait_for_a_person(page, sign_in, rows) -> None:
    """With ENRICHMENT_AUTO_ENABLED off, which is the default, nothing goes on by itself; a button does it."""
    rows("update enrichment.settings set auto_enabled = false")
    await sign_in(page)
    await page.locator("input[type=file]").first.set_input_files(serve.CSV)
    card = page.get_by_role("region", name="Import of demo.csv")
    await expect(card).to_contain_text("Look-ups after an import are switched off here")
    await card.get_by_role("button", name="look them up now").click()
    await expect(card).to_contain_text("being looked up")
    reasons = rows("select wait_reason, trigger_source::text as source from enrichment_queue")
    assert reasons == [{"wait_reason": "queued", "source": "manual_bulk"}] * 20


async def test_a_file_can_be_dropped_anywhere(page, sign_in, rows, eventually) -> None:
    """Drag and drop does what the button does."""
    await sign_in(page)
    await expect(page.get_by_role("heading", name="Bring your books")).to_be_visible()
    await drop_file(page)
    await expect(page.get_by_role("region", name="Import of mine.csv")).to_contain_text("20 new")
    await eventually(lambda: len(rows("select 1 from library_items")) == 20)


@pytest.mark.parametrize("route", ["review", "usage"])
async def test_a_dropped_file_is_followed_from_every_view(page, sign_in, route) -> None:
    """Views that have no place for an import's progress make room for one that has."""
    await sign_in(page, route)
    await drop_file(page)
    await expect(page.get_by_role("region", name="Import of mine.csv")).to_contain_text("20 new")


async def drop_file(page: Page) -> None:
    """Drags demo.csv over the page and lets go."""
    await page.evaluate(
        """text => {
          const data = new DataTransfer();
          data.items.add(new File([text], 'mine.csv', { type: 'text/csv' }));
          const over = new DragEvent('dragover', { dataTransfer: data, bubbles: true, cancelable: true });
          document.body.dispatchEvent(over);
          const drop = new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true });
          document.body.dispatchEvent(drop);
        }""",
        serve.CSV.read_text(encoding="utf-8"),
    )
