"""A reader's first evening through the API, from the upload to the undo: what each route answered.

The API's description shows these answers (`make examples` writes them), so ids and moments are made the same
for every run, and what is long is cut.
"""

import re
import uuid
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

import httpx

from demo import CSV

from .conftest import eventually

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MOMENT = re.compile(r"^\d{4}-\d\d-\d\dT[\d:.]+Z$")
# In a cursor of the library: microseconds before an id.
MICROSECONDS = re.compile(r"^\d{14,17}(?=_)")
LONGEST_TEXT, LONGEST_LIST = 120, 3
BOOKS = 3


async def first_evening(client: httpx.AsyncClient, work: Callable[[], Awaitable[Any]]) -> dict[str, Any]:
    """What each route answers a reader, by the routes' names. `work` runs a worker."""
    answers: dict[str, Any] = {}

    async def call(name: str, method: str, path: str, **request: Any) -> Any:
        response = await client.request(method, path, **request)
        answers[name] = response.raise_for_status().json()
        return answers[name]

    await call("health", "GET", "/health")
    await call("config", "GET", "/config")
    lines = CSV.read_bytes().splitlines(keepends=True)[: BOOKS + 1]
    files = {"file": (CSV.name, b"".join([*lines, lines[-1]]), "text/csv")}
    import_id = (await call("import_file", "POST", "/import", files=files))["import_id"]

    async def is_sent() -> bool:
        return bool((await client.get(f"/imports/{import_id}")).json()["state"] == "complete")

    await eventually(is_sent)
    await work()
    await call("show_import", "GET", f"/imports/{import_id}", params={"limit": 1})
    await call("imports", "GET", "/imports")
    await call("library", "GET", "/library", params={"limit": 1})
    await call("summary", "GET", "/summary")
    await call("usage", "GET", "/usage")

    rows = (await client.get("/queue", params={"status": "needs_review"})).json()["items"]
    first, second, third = sorted(rows, key=lambda row: row["title"])
    works, ticked = {"work_ids": [first["work_id"]]}, sorted(first["proposals"])[:2]
    await call("queue", "GET", "/queue", params={"status": "needs_review", "limit": 1})
    await call("status", "GET", "/status", params=works)
    await call("preview", "POST", "/preview", json=works)
    await call("explain", "GET", f"/works/{first['work_id']}/explain")
    await call("bulk", "POST", "/bulk", json={"action": "approve"})
    await call("approve", "POST", f"/{first['queue_id']}/approve", json={"fields": ticked})
    await call("history", "GET", f"/works/{first['work_id']}/history")
    await call("undo", "POST", f"/{first['queue_id']}/undo")
    await call("dismiss", "POST", f"/{second['queue_id']}/dismiss")
    locks = f"/works/{third['work_id']}/locks"
    await call("lock", "POST", locks, json={"fields": ["work.description", "work.cover_url"]})
    await call("unlock", "DELETE", locks, json={"fields": ["work.cover_url"]})
    await call("trigger", "POST", "/trigger", json=works)
    await call("trigger_all", "POST", "/trigger-all")
    await call("undo_import", "POST", f"/imports/{import_id}/undo")
    return answers


def settled(answers: dict[str, Any], settings: Any) -> dict[str, Any]:
    """Answers without what chance, the clock and this machine decide."""
    numbers = count(1)
    ids: dict[str, str] = {}
    machine = {
        settings.supabase_url: "https://abcdefghijklmnopqrst.supabase.co",
        settings.supabase_anon_key: "sb_publishable_…",
    }

    def id_of(found: re.Match[str]) -> str:
        return ids.setdefault(found[0], str(uuid.UUID(int=next(numbers), version=4)))

    def settle(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: settle(each) for key, each in value.items()}
        if isinstance(value, list):
            return [settle(each) for each in value[:LONGEST_LIST]]
        if not isinstance(value, str):
            return value
        text = MICROSECONDS.sub("1795378660000000", UUID.sub(id_of, machine.get(value, value)))
        text = MOMENT.sub("2026-11-22T20:17:40Z", text)
        return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"

    for line in answers["usage"]["items"]:
        if line["meter"] == "database":
            line["used"] = 25_000_000
    return {name: settle(answer) for name, answer in answers.items()}
