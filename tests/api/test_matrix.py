"""Who may call what, and sees whose: every verb through PostgREST, every route through the API, every table.

A line says what happens when, one after another in the same world (see world.py), somebody calls it: a
status, and how many rows come back where that depends on who asks. A verb or a route without a line fails.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
import schemathesis

from book_enrichment.api import create_app
from book_enrichment.database import postgres_pool
from book_enrichment.settings import Settings

from .conftest import PREFIX
from .world import World, create

Cell = int | tuple[int, int]
"""A status, or a status and a number of rows."""
Arguments = Callable[[World], dict[str, Any]]

NOBODY = uuid.UUID(int=0)


@pytest.fixture
async def world(database_url, sign_in) -> AsyncIterator[World]:
    """What there is, anew for each line."""
    async with postgres_pool(database_url) as pool:
        yield await create(pool, sign_in("ada"), sign_in("bob"))


# Verbs, through PostgREST

NOT_FOR_READERS = (401, 403, 403)
VERBS: dict[str, tuple[Arguments, tuple[Cell, Cell, Cell, Cell]]] = {
    # anon, bob, ada, service
    "import_library": (
        lambda w: {"user_id": str(w.ada.id), "import_source": "goodreads", "rows": []},
        (*NOT_FOR_READERS, (200, 0)),
    ),
    "enqueue_enrichment": (lambda w: {"work_ids": [str(w.shared)]}, (*NOT_FOR_READERS, (200, 1))),
    "sweep_enrichment": (lambda w: {}, (*NOT_FOR_READERS, (200, 0))),
    "claim_enrichment": (lambda w: {"worker_name": "x"}, (*NOT_FOR_READERS, (200, 2))),
    "reserve_provider_calls": (lambda w: {"provider": "openlibrary"}, (*NOT_FOR_READERS, (200, 1))),
    "report_provider_calls": (lambda w: {"provider": "openlibrary"}, (*NOT_FOR_READERS, (200, 1))),
    "apply_enrichment": (lambda w: {"results": [w.held | {"lookups": []}]}, (*NOT_FOR_READERS, (200, 1))),
    "fail_enrichment": (lambda w: w.held | {"error": "x"}, (*NOT_FOR_READERS, (200, 1))),
    "release_enrichment": (lambda w: w.held | {"reason": "x"}, (*NOT_FOR_READERS, (200, 1))),
    "claim_covers": (lambda w: {"worker_name": "x"}, (*NOT_FOR_READERS, (200, 0))),
    "apply_covers": (lambda w: {"results": []}, (*NOT_FOR_READERS, (200, 0))),
    "fail_cover": (
        lambda w: {"cover_id": str(NOBODY), "claim_token": str(NOBODY), "error": "x"},
        (*NOT_FOR_READERS, 404),
    ),
    "release_cover": (
        lambda w: {"cover_id": str(NOBODY), "claim_token": str(NOBODY), "reason": "x"},
        (*NOT_FOR_READERS, 404),
    ),
    "reset_stale_enrichment": (lambda w: {}, (*NOT_FOR_READERS, (200, 0))),
    "prune_enrichment": (lambda w: {}, (*NOT_FOR_READERS, 200)),
    "configure_enrichment": (lambda w: {"changes": {"batch_size": 3}}, (*NOT_FOR_READERS, 200)),
    "enrichment_due": (lambda w: {}, (*NOT_FOR_READERS, (200, 1))),
    "enrichment_overview": (lambda w: {}, (*NOT_FOR_READERS, 200)),
    "enrichment_providers": (lambda w: {}, (*NOT_FOR_READERS, (200, 3))),
    "enrichment_covers": (lambda w: {}, (*NOT_FOR_READERS, (200, 1))),
    "enrichment_health": (lambda w: {}, (*NOT_FOR_READERS, 200)),
    "enrichment_version": (lambda w: {}, (*NOT_FOR_READERS, 200)),
    "trigger_enrichment": (lambda w: {"work_ids": [str(w.bare)]}, (401, (200, 1), (200, 1), 403)),
    "trigger_missing_enrichment": (lambda w: {}, (401, (200, 0), (200, 1), 403)),
    "enrichment_status": (
        lambda w: {"work_ids": [str(w.reviewed), str(w.waiting), str(w.shared), str(w.bobs)]},
        (401, (200, 2), (200, 3), (200, 4)),
    ),
    "list_enrichment": (lambda w: {}, (401, (200, 2), (200, 4), (200, 5))),
    "enrichment_library": (lambda w: {}, (401, (200, 2), (200, 5), 403)),
    "enrichment_summary": (lambda w: {}, (401, (200, 1), (200, 1), 403)),
    "enrichment_usage": (lambda w: {}, (401, 200, 200, 200)),
    "enrichment_history": (lambda w: {"work_id": str(w.reviewed)}, (401, 403, 200, 200)),
    "enrichment_imports": (lambda w: {}, (401, (200, 1), (200, 1), (200, 2))),
    "enrichment_import": (lambda w: {"import_id": str(w.import_id)}, (401, 403, (200, 1), (200, 1))),
    "enrichment_import_rows": (lambda w: {"import_id": str(w.import_id)}, (401, 403, (200, 2), (200, 2))),
    "explain_enrichment": (lambda w: {"work_id": str(w.reviewed)}, (401, 403, (200, 1), (200, 1))),
    "preview_enrichment": (lambda w: {"work_ids": [str(w.reviewed)]}, (401, 403, (200, 1), (200, 1))),
    "approve_enrichment": (lambda w: {"queue_id": str(w.review)}, (401, 403, (200, 1), 409)),
    "dismiss_enrichment": (lambda w: {"queue_id": str(w.review)}, (401, 403, (200, 1), 409)),
    "approve_matching": (lambda w: {"is_dry_run": False}, (401, 200, 200, 200)),
    "dismiss_matching": (lambda w: {"is_dry_run": False}, (401, 200, 200, 200)),
    "undo_enrichment": (lambda w: {"queue_id": str(w.approved)}, (401, 403, (200, 1), 409)),
    "undo_import": (lambda w: {"import_id": str(w.import_id)}, (401, 403, 200, 200)),
    "lock_fields": (
        lambda w: {"work_id": str(w.reviewed), "fields": ["work.description"]},
        (401, 403, (200, 1), (200, 1)),
    ),
    "unlock_fields": (
        lambda w: {"work_id": str(w.reviewed), "fields": ["work.description"]},
        (401, 403, (200, 0), (200, 0)),
    ),
}


async def test_every_verb_has_a_line(connect) -> None:
    """A new verb is to be thought about."""
    query = """
    select p.proname as name from pg_proc as p
    where p.pronamespace = 'public'::regnamespace and p.prosrc like '%enrichment.%'
    """
    rows = await (await (await connect()).execute(query)).fetchall()
    assert {row["name"] for row in rows} == set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
async def test_verbs_through_postgrest(verb, world, supabase_url, anon_key, service_key) -> None:
    """anon, bob, ada, service, in this order."""
    arguments, expected = VERBS[verb]
    tokens = [anon_key, world.bob.token, world.ada.token, service_key]
    found: list[Cell] = []
    async with httpx.AsyncClient(trust_env=False, base_url=f"{supabase_url}/rest/v1", timeout=30) as client:
        for token, cell in zip(tokens, expected, strict=True):
            headers = {"apikey": anon_key, "Authorization": f"Bearer {token}"}
            answer = await client.post(f"/rpc/{verb}", json=arguments(world), headers=headers)
            found.append(seen(answer, answer.json(), cell))
    assert tuple(found) == expected


def seen(answer: httpx.Response, rows: Any, cell: Cell) -> Cell:
    """What came back, as precisely as the cell."""
    return answer.status_code if isinstance(cell, int) else (answer.status_code, len(rows))


# Tables, through PostgREST

TABLES = ["enrichment_queue", "enrichment_audit_log"]


@pytest.mark.parametrize("table", TABLES)
async def test_readers_see_rows_of_their_own_library(
    table, world, supabase_url, anon_key, service_key
) -> None:
    """And nobody writes them, not even their own."""
    async with httpx.AsyncClient(trust_env=False, base_url=f"{supabase_url}/rest/v1", timeout=30) as client:

        async def works(token: str) -> set[str] | int:
            headers = {"apikey": anon_key, "Authorization": f"Bearer {token}"}
            answer = await client.get(f"/{table}", params={"select": "work_id"}, headers=headers)
            if answer.status_code != 200:
                return answer.status_code
            return {row["work_id"] for row in answer.json()}

        adas, bobs = await works(world.ada.token), await works(world.bob.token)
        assert isinstance(adas, set)
        assert isinstance(bobs, set)
        assert {str(world.reviewed), str(world.shared)} <= adas
        assert str(world.bobs) not in adas
        assert str(world.shared) in bobs
        assert bobs <= {str(world.shared), str(world.bobs)}
        assert await works(anon_key) == 401
        everything = await works(service_key)
        assert isinstance(everything, set)
        assert adas | bobs <= everything
        for token in (anon_key, world.bob.token, world.ada.token, service_key):
            headers = {"apikey": anon_key, "Authorization": f"Bearer {token}"}
            which = {"work_id": f"eq.{world.reviewed}"}
            refused = [
                await client.post(f"/{table}", json={"work_id": str(world.reviewed)}, headers=headers),
                await client.patch(f"/{table}", json={"confidence": "high"}, params=which, headers=headers),
                await client.delete(f"/{table}", params=which, headers=headers),
            ]
            assert {answer.status_code for answer in refused} <= {401, 403}


# Routes, through the API

Line = tuple[Callable[[World], dict[str, Any]], tuple[Cell, Cell]]
ROUTES: dict[str, Line] = {
    # what is sent, and what bob and ada get; nobody gets 401, API keys get 403
    "GET /health": (lambda w: {}, (200, 200)),
    "GET /config": (lambda w: {}, (200, 200)),
    "GET /status": (
        lambda w: {"params": {"work_ids": f"{w.reviewed},{w.waiting},{w.shared},{w.bobs}"}},
        ((200, 2), (200, 3)),
    ),
    "GET /queue": (lambda w: {}, ((200, 2), (200, 4))),
    "GET /library": (lambda w: {}, ((200, 2), (200, 5))),
    "GET /summary": (lambda w: {}, (200, 200)),
    "GET /usage": (lambda w: {}, (200, 200)),
    "POST /trigger": (lambda w: {"json": {"work_ids": [str(w.bare)]}}, ((202, 1), (202, 1))),
    "POST /trigger-all": (lambda w: {}, ((202, 0), (202, 1))),
    "POST /preview": (lambda w: {"json": {"work_ids": [str(w.reviewed)]}}, (403, (200, 1))),
    "POST /bulk": (lambda w: {"json": {"action": "approve", "dry_run": False}}, (200, 200)),
    "POST /{queue_id}/approve": (lambda w: {"queue_id": w.review, "json": {}}, (403, 200)),
    "POST /{queue_id}/dismiss": (lambda w: {"queue_id": w.review}, (403, 200)),
    "POST /{queue_id}/undo": (lambda w: {"queue_id": w.approved}, (403, 200)),
    "GET /works/{work_id}/explain": (lambda w: {"work_id": w.reviewed}, (403, (200, 1))),
    "GET /works/{work_id}/history": (lambda w: {"work_id": w.reviewed}, (403, 200)),
    "POST /works/{work_id}/locks": (
        lambda w: {"work_id": w.reviewed, "json": {"fields": ["work.description"]}},
        (403, (200, 1)),
    ),
    "DELETE /works/{work_id}/locks": (
        lambda w: {"work_id": w.reviewed, "json": {"fields": ["work.description"]}},
        (403, (200, 0)),
    ),
    "POST /import": (
        lambda w: {"files": {"file": ("a.csv", b"Title,Authors,ISBN/UID,Read Status\n")}},
        (202, 202),
    ),
    "GET /imports": (lambda w: {}, ((200, 1), (200, 1))),
    "GET /imports/{import_id}": (lambda w: {"import_id": w.import_id}, (403, (200, 2))),
    "POST /imports/{import_id}/undo": (lambda w: {"import_id": w.import_id}, (403, 200)),
}
OPEN = {"GET /health", "GET /config"}
SETTINGS = Settings(_env_file=None, supabase_url="http://127.0.0.1:1", supabase_anon_key="x")
DESCRIPTION = create_app(SETTINGS, worker=False).openapi()
schema = schemathesis.openapi.from_dict(DESCRIPTION)


def test_every_route_has_a_line() -> None:
    """A new route is to be thought about."""
    routes = {
        f"{method.upper()} {path.removeprefix(PREFIX)}"
        for path, methods in DESCRIPTION["paths"].items()
        for method in methods
    }
    assert routes == set(ROUTES)


@pytest.mark.parametrize("route", ROUTES)
async def test_routes_through_the_api(route, world, api, anon_key, service_key) -> None:
    """Nobody, both keys, bob, ada; each answer is as described."""
    arguments, (bobs, adas) = ROUTES[route]
    request = arguments(world)
    method, path = route.split()
    for name in ("queue_id", "work_id", "import_id"):
        path = path.replace(f"{{{name}}}", str(request.pop(name, "")))
    operation = schema[f"{PREFIX}{route.split()[1]}"][method]

    async def ask(token: str | None, cell: Cell) -> Cell:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        answer = await api.request(method, path, headers=headers, **request)
        await answer.request.aread()  # a form was streamed
        operation.validate_response(answer)
        body = answer.json()
        return seen(answer, body.get("items", body), cell)

    found = [await ask(None, 401), await ask(anon_key, 403), await ask(service_key, 403)]
    assert found == ([200] * 3 if route in OPEN else [401, 403, 403])
    assert (await ask(world.bob.token, bobs), await ask(world.ada.token, adas)) == (bobs, adas)


async def test_a_work_that_is_not_on_the_shelf_is_not_queued(world, api) -> None:
    """To bob it is unknown, whether he names it or asks for everything."""
    body = {"work_ids": [str(world.bare)]}
    answer = await api.post("/trigger", json=body, headers=world.bob.headers)
    assert answer.json()["outcomes"] == {"unknown": 1}
    await api.post("/trigger-all", headers=world.bob.headers)
    badges = await api.get("/status", params={"work_ids": str(world.bare)}, headers=world.ada.headers)
    assert [item["status"] for item in badges.json()["items"]] == [None]


async def test_bobs_bulk_decision_leaves_adas_rows_alone(world, api) -> None:
    """A filter that matches everything matches the own library."""
    for action in ("approve", "dismiss"):
        answer = await api.post("/bulk", json={"action": action, "dry_run": False}, headers=world.bob.headers)
        assert (answer.json()["matched"], answer.json()["changed"]) == (0, 0)
    page = await api.get("/queue", params={"status": "needs_review"}, headers=world.ada.headers)
    assert [item["queue_id"] for item in page.json()["items"]] == [str(world.review)]


async def test_what_is_shared_is_seen_by_both_and_undone_by_one(world, api) -> None:
    """Bob has the book, too: he sees the row and what happened, and that it is not his to undo."""
    for reader, is_mine in ((world.bob, False), (world.ada, True)):
        page = await api.get("/queue", params={"status": "completed"}, headers=reader.headers)
        assert [
            (item["queue_id"], item["is_mine"], item["is_undoable"]) for item in page.json()["items"]
        ] == [(str(world.approved), is_mine, is_mine)]
        history = await api.get(f"/works/{world.shared}/history", headers=reader.headers)
        approvals = [item for item in history.json()["items"] if item["action"] == "approved"]
        assert [item["is_mine"] for item in approvals] == [is_mine] * len(approvals)
        assert [item["is_undoable"] for item in approvals] == [is_mine] * len(approvals)
        assert approvals
    assert (await api.post(f"/{world.approved}/undo", headers=world.bob.headers)).status_code == 403
    answer = await api.post(f"/{world.approved}/undo", headers=world.ada.headers)
    assert "work.description" in answer.json()["fields_restored"]
