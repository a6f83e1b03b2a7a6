"""The review panel: by mouse and by keyboard, one book and many, and the way back from each."""

import re
from typing import Any

import pytest
from playwright.async_api import Page, expect

from book_enrichment.web import FILES

pytestmark = pytest.mark.asyncio(loop_scope="session")

KEYS = "keys.js"
FOCUSED = """(
  document.activeElement.closest('a, button')?.textContent.trim() ?? document.activeElement.type ?? ''
)"""


STATE = """
select q.status::text from enrichment_queue as q join works as w on w.id = q.work_id where w.title = %s
"""


# Books in review that say the same as another one.
ALIKE = """
select w.title
from enrichment_queue as q
join works as w on w.id = q.work_id
where q.is_in_review and w.title <> %s and q.match_details ->> 'sentence' = (
    select p.match_details ->> 'sentence' from enrichment_queue as p join works as o on o.id = p.work_id
    where o.title = %s
)
order by w.title
"""
RIVALS = """
update enrichment_queue as q
set match_details = q.match_details || jsonb_build_object(
    'rivals', jsonb_build_array(q.match_details #>> '{candidates,0,candidate}'),
    'candidates', jsonb_set(q.match_details -> 'candidates', '{0,values}', '{"edition.publisher": "Ace"}')
)
from works as w
where w.id = q.work_id and w.title = %s
"""


async def title(page: Page) -> str:
    return await page.locator("#detail-title").inner_text()


async def state_of(rows: Any, book: str) -> str:
    [row] = rows(STATE, book)
    return str(row["status"])


def alike(rows: Any, book: str) -> int:
    """How many rows in review say the same as the one of this book."""
    sentence = (
        "select match_details ->> 'sentence' as said from enrichment_queue where status = 'needs_review'"
    )
    [row] = rows(f"{sentence} and work_id = (select id from works where title = %s)", book)
    said = [each["said"] for each in rows(sentence)]
    assert said.count(row["said"]) > 3
    return said.count(row["said"])


async def test_every_decision_by_keyboard(page, stocked, sign_in, go, rows, eventually) -> None:
    """J and K move, a number ticks, A approves, U undoes, S leaves for later, D dismisses; ? lists them."""
    await sign_in(page, "review")
    first = await title(page)
    await page.keyboard.press("j")
    second = await title(page)
    assert second != first
    await page.keyboard.press("k")
    assert await title(page) == first

    await page.keyboard.press("1")
    await expect(page.get_by_role("button", name=re.compile(r"^Approve \d of \d"))).to_be_visible()
    await page.keyboard.press("1")
    await expect(page.get_by_role("button", name=re.compile(r"^Approve$"))).to_be_visible()
    await page.keyboard.press("a")
    await expect(page.locator(".toast")).to_contain_text(f"“{first}” got")
    await expect(page.locator("#detail-title")).to_have_text(second)
    assert await state_of(rows, first) == "completed"
    undone = "select 1 from enrichment_queue where undone_at is not null"
    await page.keyboard.press("u")
    await eventually(lambda: rows(undone))
    await expect(page.locator(".toast").last).to_contain_text("Undone")

    await page.keyboard.press("s")
    third = await title(page)
    assert third not in (first, second)
    await expect(page.locator(".queue li").last).to_contain_text("Left for later")

    await page.keyboard.press("d")
    await expect(page.locator(".toast").last).to_contain_text(f"“{third}” was dismissed")
    await page.keyboard.press("u")
    await expect(page.locator("#detail-title")).to_have_text(third)
    await page.wait_for_timeout(300)
    assert await state_of(rows, third) == "needs_review", "an undone dismissal was never sent"
    await page.keyboard.press("d")
    await page.locator(".toast").last.get_by_role("button", name="Close this message").click()
    await eventually(lambda: rows(STATE, third) == [{"status": "skipped"}])

    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_contain_text("Approve what is ticked")


async def test_nothing_is_approved_while_nothing_is_ticked(page, stocked, sign_in, rows) -> None:
    """Neither by the button nor by its key: the book stays where it is, and the page says why."""
    await sign_in(page, "review")
    first = await title(page)
    for number in range(await page.locator("article input[type=checkbox]").count()):
        await page.keyboard.press(str(number + 1))
    await expect(page.get_by_role("button", name=re.compile(r"^Approve 0 of \d"))).to_be_disabled()
    await page.keyboard.press("a")
    await expect(page.locator(".toast")).to_contain_text("Nothing is ticked")
    assert await title(page) == first
    assert await state_of(rows, first) == "needs_review"


async def test_keys_can_be_switched_off_and_never_act_on_text(page, stocked, sign_in) -> None:
    """For people whose machine presses keys for them (WCAG 2.1.4)."""
    await sign_in(page, "review")
    first = await title(page)
    await page.keyboard.press("?")
    await page.get_by_role("checkbox", name="Use single keys as shortcuts").uncheck()
    await page.keyboard.press("j")
    await page.keyboard.press("Escape")
    await page.keyboard.press("j")
    await page.keyboard.press("d")
    await page.keyboard.press("Control+a")
    assert await title(page) == first
    await page.reload()
    await page.locator("#detail-title").wait_for()
    await page.keyboard.press("j")
    assert await title(page) == first, "the choice is remembered"


async def test_everything_is_reached_with_the_tab_key(page, stocked, sign_in, go) -> None:
    """From the top to the decision without a mouse; a dialog keeps the focus and gives it back."""
    await sign_in(page, "review")
    await page.get_by_role("button", name=re.compile("The Great Gatsby")).first.click()
    await page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    seen = []
    for _ in range(60):
        await page.keyboard.press("Tab")
        seen.append(await page.evaluate(FOCUSED))
    words = " | ".join(seen)
    for expected in (
        "Skip to content",
        "Library",
        "History",
        "ApproveA",
        "DismissD",
        "SkipS",
        "Approve all that say this",
    ):
        assert expected in words
    opener = page.get_by_role("button", name="Approve all that say this …")
    await opener.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_be_visible()
    for _ in range(12):
        await page.keyboard.press("Tab")
        assert await page.evaluate(
            "document.activeElement === document.body || Boolean(document.activeElement.closest('dialog'))"
        )
    await page.keyboard.press("Escape")
    await expect(opener).to_be_focused()


async def test_undo_is_offered_where_the_database_would_take_it(page, stocked, sign_in, rows) -> None:
    """Not to somebody who only has the book, too: the cover came because another reader had asked."""
    await sign_in(page, "review")
    dialog = page.get_by_role("dialog")
    history = page.get_by_role("button", name="History", exact=True)
    await history.click()
    await expect(dialog.get_by_role("listitem").filter(has_text="Filled in")).to_contain_text("Cover")
    await expect(dialog.get_by_role("button", name="Undo")).to_have_count(1)
    await page.keyboard.press("Escape")
    rows("update enrichment_queue set triggered_by = null")
    await history.click()
    await expect(dialog.get_by_role("listitem").filter(has_text="Filled in")).to_contain_text("Cover")
    await expect(dialog.get_by_role("button", name="Undo")).to_have_count(0)


async def test_alike_rows_are_counted_before_they_are_approved_and_can_be_undone(
    page, stocked, sign_in, rows, eventually
) -> None:
    """A dry run first; a field can be left out for all; the message's Undo takes all of it back."""
    await sign_in(page, "review")
    await page.get_by_role("button", name=re.compile("The Great Gatsby")).first.click()
    async with page.expect_request("**/bulk") as asked:
        await page.get_by_role("button", name="Approve all that say this …").click()
    assert (await asked.value).post_data_json["dry_run"] is True
    dialog = page.get_by_role("dialog")
    books = alike(rows, "The Great Gatsby")
    await expect(dialog.get_by_role("heading")).to_have_text(f"Approve {books} books?")
    assert rows("select 1 from works where description is not null") == []
    await dialog.get_by_role("checkbox", name="Description").uncheck()
    await dialog.get_by_role("button", name=f"Approve {books} books").click()
    await expect(page.locator(".toast").last).to_contain_text(f"{books} books approved")
    assert rows("select 1 from works where description is not null") == []
    languages = "select 1 from editions where language is not null"
    assert len(rows(languages)) == books
    await page.locator(".toast").last.get_by_role("button", name="Undo").click()
    await eventually(lambda: not rows(languages))
    await expect(page.locator(".toast").last).to_contain_text(f"in {books} books")


async def test_what_was_dismissed_a_moment_ago_is_not_approved_with_the_rest(
    page, stocked, sign_in, rows, eventually
) -> None:
    """Its message is still there, so the server has not heard of it: it does before the rest is counted."""
    await sign_in(page, "review")
    books = alike(rows, "The Great Gatsby")
    [other] = rows(ALIKE, "The Great Gatsby", "The Great Gatsby")[:1]
    await page.get_by_role("button", name=re.compile("^The Great Gatsby")).first.click()
    await page.keyboard.press("d")
    await expect(page.locator(".toast")).to_contain_text("was dismissed")
    await page.locator(".queue button", has_text=other["title"]).click()
    await page.get_by_role("button", name="Approve all that say this …").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name=f"Approve {books - 1} books").click()
    await expect(page.locator(".toast").last).to_contain_text(f"{books - 1} books approved")
    assert await state_of(rows, "The Great Gatsby") == "skipped"


async def test_what_was_dismissed_a_moment_ago_is_sent_before_an_import_is_undone(
    page, stocked, sign_in, go
) -> None:
    """The undo ends what is in review: the dismissal would come too late and be refused."""
    await sign_in(page, "review")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.method == "POST" else None)
    await page.keyboard.press("d")
    await go(page, "imports")
    await page.get_by_role("button", name="Undo this import").click()
    await page.get_by_role("dialog").get_by_role("button", name=re.compile("^Undo")).click()
    await expect(page.locator(".toast").last).to_contain_text("Undone")
    assert [url.rsplit("/", 1)[1] for url in asked][:2] == ["dismiss", "undo"]


async def test_undoing_many_leaves_alone_what_was_not_approved(
    page, stocked, sign_in, rows, eventually
) -> None:
    """With all but a rare field unticked, and with a row that wants a choice, only some are approved."""
    [rival] = rows(ALIKE, "The Great Gatsby", "The Great Gatsby")[:1]
    rows(RIVALS, rival["title"])
    await sign_in(page, "review")
    await page.get_by_role("button", name=re.compile("^The Great Gatsby")).first.click()
    await page.get_by_role("button", name="Approve all that say this …").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("checkbox", name="Description").uncheck()
    await dialog.get_by_role("checkbox", name="Language").uncheck()
    await dialog.get_by_role("button", name=re.compile("^Approve")).click()
    toast = page.locator(".toast").last
    await expect(toast).to_contain_text("approved")
    approved = len(rows("select 1 from enrichment_queue where status = 'completed'"))
    assert 0 < approved < alike(rows, "The Great Gatsby")
    await toast.get_by_role("button", name="Undo").click()
    await expect(page.locator(".toast").last).to_contain_text("Undone")
    assert len(rows("select 1 from enrichment_queue where undone_at is not null")) == approved
    assert len(rows("select 1 from enrichment_queue where status = 'needs_review'")) == 19 - approved


async def test_many_are_not_asked_for_again_and_again_while_nothing_answers(
    page, stocked, sign_in, short_pages
) -> None:
    """The whole list is needed before many are approved; where it does not come, the page says so."""
    await short_pages(page, "REVIEW_PAGE = 100", 12)
    await sign_in(page, "review")
    alike = page.get_by_role("button", name="Approve all that say this …")
    for _ in range(11):
        if await alike.count():
            break
        await page.keyboard.press("j")
    await alike.click()
    dialog = page.get_by_role("dialog")
    approve = dialog.get_by_role("button", name=re.compile("^Approve"))
    await expect(approve).to_be_enabled()
    asked = []

    async def refuse(route: Any) -> None:
        asked.append(route.request.url)
        await route.fulfill(status=503, json={"detail": "the database gave no answer"})

    await page.route("**/enrichment/queue?*", refuse)
    await approve.click()
    await expect(dialog).to_contain_text("the database gave no answer")
    assert len(asked) < 5


async def test_a_book_far_down_the_list_is_the_one_that_is_opened(
    page, stocked, sign_in, rows, short_pages
) -> None:
    """From the library, also where the review list has more pages than are shown."""
    await short_pages(page, "REVIEW_PAGE = 100", 3)
    await sign_in(page)
    oldest = "select w.title from enrichment_queue q join works w on w.id = q.work_id where q.is_in_review"
    [book] = rows(f"{oldest} order by q.id limit 1")
    await page.get_by_role("button", name=book["title"], exact=True).click()
    await page.get_by_role("link", name="Review it").click()
    await expect(page.locator("#detail-title")).to_have_text(book["title"])


async def test_alike_rows_can_be_dismissed_after_a_warning(page, stocked, sign_in, rows, eventually) -> None:
    """That cannot be undone, so it says so before."""
    await sign_in(page, "review")
    await page.get_by_role("button", name=re.compile("The Great Gatsby")).first.click()
    await page.get_by_role("button", name="Dismiss them …").click()
    await expect(page.get_by_role("dialog")).to_contain_text("This cannot be undone")
    books = alike(rows, "The Great Gatsby")
    await page.get_by_role("dialog").get_by_role("button", name=f"Dismiss {books} books").click()
    skipped = "select 1 from enrichment_queue where status = 'skipped'"
    await eventually(lambda: len(rows(skipped)) == books + 1)


async def test_a_rival_is_chosen_with_its_own_values(page, stocked, sign_in, change_replies) -> None:
    """Where two works are nearly equal, picking one shows what it would write, and sends which."""

    def with_rivals(reply: dict[str, Any]) -> dict[str, Any]:
        row = reply["items"][0]
        best = row["match_details"]["candidates"][0]
        other = best | {
            "candidate": "openlibrary:/works/OL9W",
            "title": "The other one",
            "authors": "Somebody Else",
            "values": {"edition.publisher": "Ace"},
        }
        row["match_details"]["candidates"] = [best | {"values": {}}, other]
        row["match_details"]["rivals"] = [best["candidate"], other["candidate"]]
        return reply

    await change_replies(page, "queue", with_rivals)
    await sign_in(page, "review")
    group = page.get_by_role("group", name="Which of these is your book?")
    await expect(group.get_by_role("radio").first).to_be_checked()
    await group.get_by_role("radio", name=re.compile("The other one")).check()
    detail = page.get_by_role("article")
    await expect(detail.locator(".fields tbody tr")).to_have_count(1)
    await expect(detail.locator(".fields")).to_contain_text("Ace")
    async with page.expect_request("**/approve") as asked:
        await page.keyboard.press("a")
    assert (await asked.value).post_data_json == {
        "fields": ["edition.publisher"],
        "candidate": "openlibrary:/works/OL9W",
    }


async def test_somebody_was_quicker(page, stocked, sign_in, rows) -> None:
    """A row that was decided elsewhere is refused in words, and the list is read again."""
    await page.route_web_socket("**/realtime/**", lambda socket: socket.close())  # which would tell of it
    await sign_in(page, "review")
    first = await title(page)
    [row] = rows("select id from works where title = %s", first)
    rows("select approve_enrichment(id) from enrichment_queue where work_id = %s", row["id"])
    await page.keyboard.press("a")
    await expect(page.locator(".toast.error")).to_contain_text(f"“{first}” was not approved")
    await expect(page.locator("#detail-title")).not_to_have_text(first)


async def test_a_value_that_came_meanwhile_is_kept_and_told(page, stocked, sign_in, rows) -> None:
    """Approve writes into empty fields only, whatever the panel showed."""
    await sign_in(page, "review")
    first = await title(page)
    rows("update works set description = 'Mine' where title = %s", first)
    await page.keyboard.press("a")
    await expect(page.locator(".toast")).to_contain_text("description had a value by now")
    assert rows("select description from works where title = %s", first) == [{"description": "Mine"}]


async def test_chosen_books_are_looked_up(page, stocked, sign_in, rows) -> None:
    """The tick boxes of the library start a look-up of these books alone, and say what comes of it."""
    await sign_in(page)
    await page.get_by_role("checkbox", name=re.compile("Born a Crime")).check()
    await page.get_by_role("checkbox", name=re.compile("^Select 1984")).check()
    bar = page.get_by_role("region", name="Selected books")
    await expect(bar).to_contain_text("2 books selected")
    await bar.get_by_role("button", name="Enrich").click()
    await expect(page.locator(".toast")).to_contain_text("waits for your review")
    await expect(bar).to_have_count(0)


def documented_keys() -> list[tuple[str, str]]:
    text = (FILES / KEYS).read_text(encoding="utf-8")
    return re.findall(r"^  \['([^']+)', '([^']+)'\],$", text, flags=re.MULTILINE)


async def test_the_list_of_keys_is_whole(page, stocked, sign_in) -> None:
    """Every key that acts is listed."""
    text = (FILES / KEYS).read_text(encoding="utf-8")
    acting = set(re.findall(r"^  (\w): \(", text, flags=re.MULTILINE)) | {"u", "?"}
    listed = {key.lower() for key, _ in documented_keys()} - {"1 – 9"}
    assert acting == listed
