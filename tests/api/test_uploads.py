"""A file comes in: read at once, sent behind the answer, and watched until its rows are in the queue."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from book_enrichment.api.problems import problem_of
from book_enrichment.database import Database, open_database
from book_enrichment.errors import DatabaseUnavailable, EnrichmentError, NotFound
from book_enrichment.imports import MAX_FILE_BYTES, ImportFileError, sending
from book_enrichment.imports import uploads as uploads_module
from book_enrichment.imports.uploads import Uploads, UploadUnderWay

from .conftest import Reader, eventually

DEMO = (Path(__file__).parents[2] / "tests/demo/demo.csv").read_bytes()
HEADER = "Book Id,Title,Author,ISBN,ISBN13,My Rating,Exclusive Shelf,Date Added,Bookshelves,Number of Pages"


@pytest.fixture
def upload(api):
    """`await upload(reader, data)` sends a file."""

    async def upload(reader: Reader, data: bytes, name: str = "export.csv", **form: str) -> httpx.Response:
        files = {"file": (name, data, "text/csv")}
        return await api.post("/import", files=files, data=form, headers=reader.headers)

    return upload


@pytest.fixture
def arrived(api):
    """`await arrived(reader, import_id)`: the import, once no more rows are on their way."""

    async def arrived(reader: Reader, import_id: str) -> dict[str, Any]:
        async def ended() -> Any:
            progress = (await api.get(f"/imports/{import_id}", headers=reader.headers)).json()
            return progress if progress["state"] != "sending" else None

        return await eventually(ended)

    return arrived


async def test_an_upload_ends_as_rows_in_the_queue(api, upload, arrived, sign_in) -> None:
    """The answer says where to watch; there each line tells what became of it."""
    ada = sign_in("ada")
    answer = await upload(ada, DEMO)
    assert answer.status_code == 202, answer.text
    accepted = answer.json()
    assert (accepted["source"], accepted["rows"]) == ("goodreads", 20)
    assert answer.headers["location"] == f"/api/v1/enrichment/imports/{accepted['import_id']}"
    progress = await arrived(ada, accepted["import_id"])
    assert (progress["state"], progress["expected_rows"], progress["rows"]) == ("complete", 20, 20)
    assert [item["row_number"] for item in progress["items"]] == list(range(2, 22))
    assert {item["outcome"] for item in progress["items"]} == {"created"}
    queue = (await api.get("/queue", headers=ada.headers)).json()["items"]
    assert len(queue) == 20
    assert {item["import_id"] for item in queue} == {accepted["import_id"]}
    listed = (await api.get("/imports", headers=ada.headers)).json()["items"]
    assert [each["import_id"] for each in listed] == [accepted["import_id"]]


async def test_the_lines_of_an_import_come_in_pages(api, upload, arrived, sign_in) -> None:
    """Each page ends with the cursor of the next, the last with none."""
    ada = sign_in("ada")
    import_id = (await upload(ada, DEMO)).json()["import_id"]
    await arrived(ada, import_id)
    seen: list[int] = []
    cursor: str | None = "1"
    while cursor is not None:
        params = {"limit": 8, "cursor": cursor}
        page = (await api.get(f"/imports/{import_id}", params=params, headers=ada.headers)).json()
        seen += [item["row_number"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert seen == list(range(2, 22))


async def test_the_same_file_again_changes_nothing(upload, arrived, sign_in, connect) -> None:
    """Every line is a duplicate, and no book is queued twice."""
    ada = sign_in("ada")
    for outcome in ("created", "duplicate"):
        progress = await arrived(ada, (await upload(ada, DEMO)).json()["import_id"])
        assert progress[outcome] == 20
    rows = await (await (await connect()).execute("select id from public.enrichment_queue")).fetchall()
    assert len(rows) == 20


async def test_books_go_to_whose_token_it_is(upload, arrived, sign_in, connect) -> None:
    """A user id in the form is nobody's business."""
    ada, bob = sign_in("ada"), sign_in("bob")
    answer = await upload(ada, DEMO, user_id=str(bob.id))
    await arrived(ada, answer.json()["import_id"])
    rows = await (
        await (await connect()).execute("select distinct user_id from public.library_items")
    ).fetchall()
    assert [row["user_id"] for row in rows] == [ada.id]


async def test_an_import_is_its_readers_alone(api, upload, arrived, sign_in) -> None:
    """Anybody else is refused, and finds it in no list."""
    ada, bob = sign_in("ada"), sign_in("bob")
    import_id = (await upload(ada, DEMO)).json()["import_id"]
    await arrived(ada, import_id)
    assert (await api.get(f"/imports/{import_id}", headers=bob.headers)).status_code == 403
    assert (await api.get("/imports", headers=bob.headers)).json() == {"items": []}


async def test_windows_files_are_read(upload, arrived, sign_in) -> None:
    """With their accents, and a note to look at them."""
    ada = sign_in("ada")
    text = f"{HEADER}\n7,Les Misérables,Victor Hugo,,,0,to-read,2024/01/01,,\n"
    answer = await upload(ada, text.encode("cp1252"))
    assert "Windows-1252" in answer.json()["notes"][0]
    (item,) = (await arrived(ada, answer.json()["import_id"]))["items"]
    assert item["title"] == "Les Misérables"


async def test_a_broken_line_is_rejected_and_the_rest_goes_on(upload, arrived, sign_in) -> None:
    """Its reason says which line."""
    ada = sign_in("ada")
    lines = [HEADER, "1,Dune,Frank Herbert,,,0,to-read,,,", '2,"Emma,Jane Austen,,,0,to-read,,,']
    text = "\n".join([*lines, "3,It,Stephen King,,,0,to-read,,,", ""])
    answer = await upload(ada, text.encode())
    progress = await arrived(ada, answer.json()["import_id"])
    assert (progress["state"], progress["created"], progress["rejected"]) == ("complete", 2, 1)
    (rejected,) = [item for item in progress["items"] if item["outcome"] == "rejected"]
    assert "line 3" in rejected["reason"]


UNREADABLE = {
    "a PDF": b"%PDF-1.7 ...",
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "a spreadsheet": b"PK\x03\x04" + bytes(100),
    "nothing": b"",
    "no text": bytes(range(256)) * 4,
    "another table": b"name,colour\nada,blue\n",
}


@pytest.mark.parametrize("kind", UNREADABLE)
async def test_what_is_no_export_is_refused_by_its_content(kind, upload, sign_in, connect) -> None:
    """Whatever its name says; with a hint, and without an import."""
    answer = await upload(sign_in("ada"), UNREADABLE[kind], name="export.csv")
    assert answer.status_code == 422, answer.text
    assert answer.json()["hint"]
    assert (await (await (await connect()).execute("select * from enrichment.imports")).fetchall()) == []


async def test_a_source_that_is_not_the_files_is_refused(upload, sign_in) -> None:
    """Named so that the reader sees what it is."""
    answer = await upload(sign_in("ada"), DEMO, source="storygraph")
    assert answer.status_code == 422
    assert "Goodreads" in answer.json()["detail"]


async def test_a_huge_file_is_refused_before_it_is_read(api, sign_in) -> None:
    """Announced or not; without a token nothing is read at all."""
    ada = sign_in("ada")
    size = MAX_FILE_BYTES + 1_000_000
    sent = 0

    async def unannounced() -> Any:
        nonlocal sent
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
        while sent < size:
            sent += 65536
            yield b"a" * 65536

    form = {"Content-Type": "multipart/form-data; boundary=x"}
    announced = await api.post("/import", content=b"a" * size, headers=ada.headers | form)
    assert (announced.status_code, announced.json()["hint"]) == (413, "send less at a time")
    streamed = await api.post("/import", content=unannounced(), headers=ada.headers | form)
    assert streamed.status_code == 413
    assert (await api.post("/import", content=b"a" * 65536, headers=form)).status_code == 401


async def test_a_form_that_is_none_is_refused(api, sign_in) -> None:
    """JSON, no file, or a form cut short."""
    ada = sign_in("ada")
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    for answer in (
        await api.post("/import", json={"file": "x"}, headers=ada.headers),
        await api.post("/import", data={"source": "goodreads"}, headers=ada.headers),
        await api.post("/import", content=b"--y\r\n", headers=ada.headers | form),
    ):
        assert answer.status_code == 422, answer.text
        assert answer.headers["content-type"] == "application/problem+json"


async def test_one_import_at_a_time(upload, sign_in, connect) -> None:
    """A second one of the same reader waits its turn; another reader's does not."""
    ada, bob = sign_in("ada"), sign_in("bob")
    blocker = await connect(autocommit=False)
    lock = "select pg_advisory_xact_lock(hashtextextended('enrichment.import_library', 0))"
    await blocker.execute(lock)
    first = asyncio.create_task(upload(ada, DEMO))
    connection = await connect()

    async def waiting() -> Any:
        query = """
        select count(*) as n from pg_locks as l join pg_database as d on d.oid = l.database
        where d.datname = current_database() and l.locktype = 'advisory' and not l.granted
        """
        return (await (await connection.execute(query)).fetchone())["n"]

    await eventually(waiting)
    second = await upload(ada, DEMO)
    assert (second.status_code, second.headers["retry-after"]) == (429, "5")
    other = asyncio.create_task(upload(bob, DEMO))
    await blocker.rollback()
    assert (await first).status_code == 202
    assert (await other).status_code == 202


async def test_a_reader_the_app_does_not_know_yet_is_told(upload, stack, supabase_url, database_url) -> None:
    """Signed up, and without a row in public.users."""
    stranger = uuid.uuid4()
    token = stack.token("authenticated", str(stranger), iss=f"{supabase_url}/auth/v1")
    answer = await upload(Reader(stranger, token), DEMO)
    assert (answer.status_code, answer.json()["code"]) == (404, "PT404")


# What can go wrong on the way: the sender itself, over a transport that fails when told to.


class Failing:
    """A transport that raises before some calls."""

    def __init__(self, transport: Any, errors: list[EnrichmentError | None]) -> None:
        self._transport = transport
        self._errors = errors

    async def call(self, function: str, arguments: Any) -> Any:
        if self._errors and (error := self._errors.pop(0)):
            raise error
        return await self._transport.call(function, arguments)


@pytest.fixture
async def service(settings):
    """The database in the service role."""
    async with open_database(settings) as database:
        yield database


@pytest.fixture
def sender(service):
    """`sender(None, error)` sends over a transport whose second call fails."""

    def sender(*errors: EnrichmentError | None) -> Uploads:
        return Uploads(Database(Failing(service.transport, list(errors))), lambda: None, problem_of)

    return sender


def held(data: bytes) -> Callable[[], Awaitable[bytes]]:
    """A file that was uploaded."""

    async def read() -> bytes:
        return data

    return read


async def progress_of(service: Database, importing: Uploads, import_id: uuid.UUID) -> str:
    return importing.state(await service.enrichment_import(import_id))


async def test_a_database_that_is_away_for_a_moment_costs_nothing(
    service, sender, sign_in, monkeypatch
) -> None:
    """The chunk is sent again, and changes nothing where it had arrived."""
    monkeypatch.setattr(sending, "LONGEST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(sending, "IMPORT_ROWS", 8)
    away = DatabaseUnavailable("gone")
    importing = sender(None, None, away, away, None)
    import_id, _ = await importing.accept(sign_in("ada").id, held(DEMO), None)
    assert await progress_of(service, importing, import_id) == "sending"
    await importing.close()
    assert await progress_of(service, importing, import_id) == "complete"
    assert (await service.enrichment_import(import_id)).created == 20


async def test_what_cannot_be_sent_stays_visible(service, sender, sign_in, monkeypatch) -> None:
    """The import says how far it came, and why not further; the same file then brings the rest."""
    monkeypatch.setattr(sending, "IMPORT_ROWS", 8)
    importing = sender(None, None, EnrichmentError("a rule nobody knew", code="23514"))
    ada = sign_in("ada")
    import_id, _ = await importing.accept(ada.id, held(DEMO), None)
    await importing.close()
    assert await progress_of(service, importing, import_id) == "incomplete"
    assert importing.problems[import_id].status_code == 500
    assert (await service.enrichment_import(import_id)).rows == 8
    again, _ = await importing.accept(ada.id, held(DEMO), None)
    await importing.close()
    progress = await service.enrichment_import(again)
    assert (progress.rows, progress.created, progress.duplicate) == (20, 12, 8)


async def test_an_app_that_ends_leaves_an_import_that_says_so(
    service, sender, sign_in, monkeypatch, connect
) -> None:
    """Another app takes it for being sent until that cannot be any more."""
    monkeypatch.setattr(sending, "IMPORT_ROWS", 8)
    monkeypatch.setattr(uploads_module, "GRACE_SECONDS", 0.1)
    importing = sender(None, None, *[DatabaseUnavailable("gone")] * 100)
    import_id, _ = await importing.accept(sign_in("ada").id, held(DEMO), None)
    await eventually(lambda: rows_in(service, import_id))
    await importing.close()
    assert await progress_of(service, sender(), import_id) == "sending"
    age = timedelta(seconds=uploads_module.LONGEST_SENDING_SECONDS + 60)
    await (await connect()).execute("update enrichment.imports set created_at = created_at - %s", [age])
    assert await progress_of(service, sender(), import_id) == "incomplete"


async def rows_in(service: Database, import_id: uuid.UUID) -> int:
    return (await service.enrichment_import(import_id)).rows


async def test_a_refused_file_does_not_keep_the_reader_waiting(sender, sign_in) -> None:
    """Neither does one that the database refuses to announce."""
    ada = sign_in("ada")
    importing = sender(NotFound("no user", code="PT404"))
    with pytest.raises(ImportFileError, match="empty"):
        await importing.accept(ada.id, held(b""), None)
    with pytest.raises(NotFound):
        await importing.accept(ada.id, held(DEMO), None)
    await importing.accept(ada.id, held(DEMO), None)
    await importing.close()


async def test_files_wait_their_turn_on_disk(sender, sign_in) -> None:
    """However many are uploaded at once, two are in memory; a second one of a reader never is."""
    readers = [sign_in(handle).id for handle in ("ada", "bob", "cyd", "dan")]
    importing, go_on, read = sender(), asyncio.Event(), 0

    async def slowly() -> bytes:
        nonlocal read
        read += 1
        await go_on.wait()
        return DEMO

    uploads = [asyncio.create_task(importing.accept(reader, slowly, None)) for reader in readers]
    await asyncio.sleep(0)
    with pytest.raises(UploadUnderWay, match="still being sent"):
        await importing.accept(readers[0], slowly, None)
    assert read == 2
    go_on.set()
    await asyncio.gather(*uploads)
    assert read == 4
    await importing.close()
