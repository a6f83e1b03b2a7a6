"""From a hot-link to a copy of our own: real database, real HTTP, Storage by its protocol."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys

import httpx
import pytest
from typer.testing import CliRunner

from book_enrichment.cli import app
from book_enrichment.database import open_database
from book_enrichment.images import StorageUnavailable
from book_enrichment.work import Worker, covers, open_covers, open_worker
from cover_server import encoded, picture

QUEUE = """
    select work_id, status::text, wait_reason, last_error, attempt_count, sha256
    from enrichment.cover_queue order by id
"""


async def test_a_cover_is_stored_and_then_shown(worker, server, show, query, files, supabase_url) -> None:
    """Downloaded once, shrunk, uploaded under its hash, and only then does the work show it, to everybody."""
    server.replies["/b/id/1-M.jpg"] = encoded(picture(1))
    work_id = await show("/b/id/1-M.jpg")
    stats = await worker.run()
    (work,) = await query("select default_cover_url, default_cover_storage_path from public.works")
    (image,) = await query("select i.*, enrichment.cover_path(i.sha256) from enrichment.stored_covers as i")
    (row,) = await query(QUEUE)
    assert files() == [image["storage_path"]] == [image["cover_path"]]
    assert work["default_cover_storage_path"] == image["storage_path"]
    assert (
        work["default_cover_url"] == f"{supabase_url}/storage/v1/object/public/covers/{image['storage_path']}"
    )
    assert (row["work_id"], row["status"], row["sha256"]) == (work_id, "completed", image["sha256"])
    async with httpx.AsyncClient() as visitor:  # no key: the bucket is public
        shown = await visitor.get(work["default_cover_url"])
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/webp")
    assert "31536000" in shown.headers["cache-control"]
    assert hashlib.sha256(shown.content).hexdigest() == image["sha256"]
    assert len(shown.content) == image["bytes"] == stats.bytes
    assert server.requests == [("covers.openlibrary.org", "/b/id/1-M.jpg")]
    assert (await worker.database.enrichment_covers()).bytes == image["bytes"]


async def test_the_same_image_for_two_works_is_stored_once(worker, server, show, query, files) -> None:
    """Under two cover ids: two downloads, one object, one line in the total."""
    server.replies["/b/id/1-M.jpg"] = server.replies["/b/id/2-M.jpg"] = encoded(picture(1))
    await show("/b/id/1-M.jpg")
    await show("/b/id/2-M.jpg")
    stats = await worker.run()
    assert stats.applied == {"applied": 2}
    assert len(files()) == 1
    assert await query("select images from enrichment.cover_storage") == [{"images": 1}]
    assert len(await query("select distinct default_cover_url from public.works")) == 1


async def test_a_work_that_shows_another_cover_meanwhile_keeps_it(
    worker, server, show, query, connect
) -> None:
    """Somebody chooses a cover while the old one is on its way: the choice stays."""
    connection = await connect()
    await show("/b/id/1-M.jpg")

    store = worker.storage.store

    async def meddle(thumbnail):
        await connection.execute("update public.works set default_cover_url = 'https://example.org/mine.jpg'")
        return await store(thumbnail)

    worker.storage.store = meddle
    server.replies["/b/id/1-M.jpg"] = encoded(picture(1))
    stats = await worker.run()
    assert stats.applied == {"url_changed": 1}
    assert await query(
        "select default_cover_url as url, default_cover_storage_path as path from public.works"
    ) == [{"url": "https://example.org/mine.jpg", "path": None}]


async def test_images_that_will_not_do_are_skipped_with_the_reason(
    worker, server, show, query, files, service
) -> None:
    """Each alone; the work keeps its hot-link, and nothing is uploaded."""
    largest = (await service.enrichment_covers()).download_bytes
    await query(
        "insert into enrichment.placeholder_images values (%s, 'ours')",
        hashlib.md5(b := encoded(picture(2))).hexdigest(),
    )
    server.replies |= {
        "/gone.jpg": (404, {}, b""),
        "/page.jpg": (200, {"content-type": "image/jpeg"}, b"<html>sorry</html>"),
        "/none.jpg": b,
        "/away.jpg": (302, {"location": "https://169.254.169.254/latest/meta-data"}, b""),
        "/big.jpg": bytes(largest + 1),
        "/good.jpg": (200, {"content-type": "text/html"}, encoded(picture(3))),
    }
    works = {path: await show(path) for path in server.replies}
    await worker.run()
    rows = {row["work_id"]: row for row in await query(QUEUE)}
    said = {path: (rows[work]["status"], rows[work]["last_error"]) for path, work in works.items()}
    assert said == {
        "/gone.jpg": ("skipped", "HTTP 404"),
        "/page.jpg": ("skipped", "not a JPEG, PNG, WebP or GIF"),
        "/none.jpg": ("skipped", "a placeholder that says there is no image"),
        "/away.jpg": ("skipped", "not from a host on the list: 169.254.169.254"),
        "/big.jpg": ("skipped", f"a file larger than {largest} bytes"),
        "/good.jpg": ("completed", None),
    }
    assert len(files()) == 1
    assert (
        len(await query("select 1 from public.works where default_cover_url like 'https://covers.%%'")) == 5
    )
    assert not [path for _, path in server.requests if "meta-data" in path]


async def test_a_server_in_trouble_costs_no_attempt(worker, server, show, query) -> None:
    """429: the rows wait as long as it asks, with the reason, and the provider is paused for all."""
    server.replies["/1.jpg"] = server.replies["/2.jpg"] = (429, {"retry-after": "90"}, b"")
    await show("/1.jpg")
    await show("/2.jpg")
    stats = await worker.run()
    rows = await query(QUEUE)
    assert {(row["status"], row["attempt_count"]) for row in rows} == {("pending", 0)}
    assert {row["wait_reason"] for row in rows} == {"rate_limited"}
    assert sum(stats.released.values()) == 2
    assert len(server.requests) == 1
    report = await worker.database.enrichment_covers()
    assert report.wait_reason == "retry_after"
    assert 80 < report.due_in <= 600


async def test_storage_in_trouble_costs_no_attempt(worker, server, show, query) -> None:
    """A full or missing bucket, a wrong key: the covers wait, and say it was the storage."""
    server.replies["/1.jpg"] = encoded(picture(1))
    await show("/1.jpg")

    async def full(thumbnail):
        raise StorageUnavailable("413 Payload too large")

    worker.storage.store = full
    await worker.run()
    (row,) = await query(QUEUE)
    assert (row["status"], row["wait_reason"], row["attempt_count"]) == ("pending", "storage", 0)
    assert await query("select images from enrichment.cover_storage") == [{"images": 0}]


async def test_a_wrong_key_stores_nothing(settings, server, show, query, service, anon_key, files) -> None:
    """Storage refuses it by its protocol; that is not the cover's fault."""
    server.replies["/1.jpg"] = encoded(picture(1))
    await show("/1.jpg")
    wrong = settings.model_copy(
        update={"supabase_service_role_key": type(settings.supabase_service_role_key)(anon_key)}
    )
    async with open_covers(wrong, service) as worker:
        worker.finish(patience=1)
        await worker.run()
    (row,) = await query(QUEUE)
    assert (row["status"], row["wait_reason"]) == ("pending", "storage")
    assert files() == []


async def test_the_budget_is_kept_to_by_all_workers_together(
    worker, server, show, query, files, settings, service
) -> None:
    """Three workers, room for two images of the largest size: they stay within it, the rest waits."""
    largest = (await service.enrichment_covers()).image_bytes
    await service.configure_enrichment({"cover_budget_bytes": 2 * largest})
    for number in range(16):
        server.replies[f"/{number}.jpg"] = encoded(picture(number))
        await show(f"/{number}.jpg")
    async with open_covers(settings, service) as second, open_covers(settings, service) as third:
        for each in (second, third):
            each.finish(patience=1)
        await asyncio.gather(worker.run(), second.run(), third.run())
    while (await service.enrichment_covers()).due_in == 0:
        await worker.run()
    report = await service.enrichment_covers()
    assert largest < report.bytes <= report.budget_bytes
    assert (report.wait_reason, report.due_at) == ("storage_budget", None)
    assert report.pending == 16 - report.images == 16 - len(files())
    (total,) = await query("select sum(bytes)::bigint as bytes from enrichment.stored_covers")
    assert total["bytes"] == report.bytes
    hot_linked = await query("select 1 from public.works where default_cover_url like 'https://covers.%%'")
    assert len(hot_linked) == report.pending  # they are shown as before


async def test_the_calls_keep_to_the_providers_limit(worker, server, show, query) -> None:
    """Every download has a grant of the bucket openlibrary_covers."""
    await query(
        "update enrichment.providers set rate_per_second = 0.001, burst_size = 3, tokens = 3"
        " where provider = 'openlibrary_covers'"
    )
    for number in range(6):
        server.replies[f"/{number}.jpg"] = encoded(picture(number))
        await show(f"/{number}.jpg")
    await worker.run()
    assert len(server.requests) == worker.stats.calls == 3
    assert {row["wait_reason"] for row in await query(QUEUE) if row["status"] == "pending"} == {"rate"}


async def test_a_worker_with_a_slow_server_keeps_its_claims(
    worker, server, show, query, service, clock
) -> None:
    """Claims live two minutes, and each download takes 25 s of them: what is not asked for in time goes back,
    so that no claim grows stale and no attempt is spent."""
    await service.configure_enrichment({"stale_after_seconds": 120})
    for number in range(8):
        server.replies[f"/{number}.jpg"] = encoded(picture(number))
        await show(f"/{number}.jpg")
    download = worker.downloader.download

    async def slow(*arguments):
        image = await download(*arguments)
        clock.seconds += 25
        await query(
            "update enrichment.cover_queue set started_at = started_at - interval '25 s'"
            " where status = 'in_progress'"
        )
        await query("select enrichment.reset_stale_covers(null)")
        return image

    worker.downloader.download = slow
    stats = await worker.run()
    assert clock.seconds == 8 * 25
    assert (stats.dropped, stats.applied) == (0, {"applied": 8})
    assert stats.released["stopped"] > 0
    assert {(row["status"], row["attempt_count"]) for row in await query(QUEUE)} == {("completed", 1)}


async def test_google_covers_are_never_asked_for(worker, server, show, query) -> None:
    """They stay hot-linked, in either mode."""
    await show("/books/content?id=x&zoom=1", "https://books.google.com")
    await worker.run()
    assert server.requests == []
    assert await query(QUEUE) == []


async def test_hot_linking_downloads_nothing(worker, server, show, query, service) -> None:
    """The default mode: no row, no call, no object."""
    await service.configure_enrichment({"cover_mode": "hotlink"})
    server.replies["/1.jpg"] = encoded(picture(1))
    await show("/1.jpg")
    await worker.run()
    assert server.requests == []
    assert await query(QUEUE) == []
    assert worker.stats.calls == 0


async def test_without_storage_covers_wait_with_a_sentence(settings, server, show, query, caplog) -> None:
    """Only DATABASE_URL: nothing is claimed, the log says what is missing."""
    server.replies["/1.jpg"] = encoded(picture(1))
    await show("/1.jpg")
    bare = settings.model_copy(update={"supabase_url": None, "supabase_service_role_key": None})
    async with open_worker(bare) as worker:
        assert isinstance(worker, Worker)
        await worker.run(drain=True, patience=1)
    assert "SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY" in caplog.text
    assert server.requests == []
    assert {row["status"] for row in await query(QUEUE)} <= {"pending"}


async def test_the_worker_for_books_brings_its_cover_worker(settings, server, show, query, files) -> None:
    """`book-enrichment run --drain` in thumbnail mode stores the covers, too, and ends."""
    server.replies["/1.jpg"] = encoded(picture(1))
    await show("/1.jpg")
    async with open_worker(settings) as worker:
        async with asyncio.timeout(20):
            await worker.run(drain=True, patience=1)
        assert worker.covers is not None
        assert worker.covers.stats.applied == {"applied": 1}
        assert len(files()) == 1
        server.replies["/2.jpg"] = encoded(picture(2))
        await show("/2.jpg")
        await query(
            "update enrichment.cover_backfill set next_work_id = '00000000-0000-0000-0000-000000000000'"
        )
        await worker.drain()  # as from BackgroundTasks, again and again
    assert len(files()) == 2


async def test_stop_gives_back_what_is_held(worker, server, show, query) -> None:
    """Also while an upload hangs: what is stored counts, the others are in line again at once."""
    for number in range(5):
        server.replies[f"/{number}.jpg"] = encoded(picture(number))
        await show(f"/{number}.jpg")
    store = worker.storage.store
    stored = []

    async def hanging(thumbnail):
        if stored:
            asyncio.get_running_loop().call_later(0.1, worker.stop)
            await asyncio.sleep(60)
        stored.append(thumbnail)
        return await store(thumbnail)

    worker.storage.store = hanging
    async with asyncio.timeout(10):
        await worker.run()
    rows = await query(QUEUE)
    assert sorted(row["status"] for row in rows) == ["completed", "pending", "pending", "pending", "pending"]
    assert {row["wait_reason"] for row in rows} == {None, "stopped"}
    assert {row["attempt_count"] for row in rows if row["status"] == "pending"} == {0}


async def test_a_fault_of_ours_spends_an_attempt(worker, server, show, query, monkeypatch) -> None:
    """Or a cover that makes us stumble would come back for ever."""
    server.replies["/1.jpg"] = encoded(picture(1))
    await show("/1.jpg")

    def stumble(*_):
        raise RuntimeError("a bug")

    monkeypatch.setattr(covers, "make_thumbnail", stumble)
    await worker.run()
    (row,) = await query(QUEUE)
    assert (row["status"], row["wait_reason"], row["attempt_count"]) == ("pending", "backoff", 1)
    assert row["last_error"] == "RuntimeError: a bug"


@pytest.mark.parametrize("transport", ["postgrest", "postgres"])
async def test_both_transports_lead_there(transport, settings, server, show, query, files) -> None:
    """Storage is HTTP either way; the database may be reached straight or by PostgREST."""
    server.replies["/1.jpg"] = encoded(picture(1))
    await show("/1.jpg")
    if transport == "postgrest":
        settings = settings.model_copy(update={"database_url": None})
    async with open_database(settings) as database:
        await database.configure_enrichment({"cover_mode": "thumbnail", "contact": "tests@example.org"})
        async with open_covers(settings, database) as worker:
            worker.finish(patience=1)
            await worker.run()
    assert len(files()) == 1
    assert [row["status"] for row in await query(QUEUE)] == ["completed"]


async def test_covers_are_asked_for_by_whom_the_database_names(
    settings, service, show, server, files
) -> None:
    """The contact may have been set there alone, and may be another by now."""
    server.replies["/1.jpg"] = encoded(picture(1))
    await show("/1.jpg")
    await service.configure_enrichment({"contact": "shelf@readers.dev"})
    async with open_covers(settings.model_copy(update={"contact": None}), service) as worker:
        worker.finish(patience=1)
        await worker.run()
    assert len(files()) == 1
    assert all("shelf@readers.dev" in agent for agent in server.agents)


async def test_the_command_line_says_when_the_budget_is_reached(service, show, settings, monkeypatch) -> None:
    """In words for people, as numbers for machines; and `run` says what is missing to store covers."""
    monkeypatch.setenv("DATABASE_URL", settings.database_url.get_secret_value())
    await show("/1.jpg")
    await service.configure_enrichment({"cover_budget_bytes": 1000})
    await service.claim_covers("ada")

    def told(*words: str) -> str:
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, result.output
        return " ".join(result.output.split())

    said = await asyncio.to_thread(told, "status")
    assert "Covers: 0 stored, 0.0 MB of 0.0 MB; 1 to go. The budget is reached (storage_budget)" in said
    report = json.loads(await asyncio.to_thread(told, "status", "--json"))["covers"]
    assert (report["wait_reason"], report["budget_bytes"], report["pending"]) == ("storage_budget", 1000, 1)
    monkeypatch.setenv("ENRICHMENT_COVER_MODE", "thumbnail")
    command = [sys.executable, "-c", "from book_enrichment.cli import app; app()", "run", "--drain"]
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, said_by_run = await process.communicate()
    assert process.returncode == 0
    assert b"takes SUPABASE_URL and" in said_by_run
