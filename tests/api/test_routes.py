"""What the routes do, through both transports."""

import re
import uuid
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from book_enrichment.api import create_app
from book_enrichment.database import transports
from book_enrichment.reasons import REASONS
from book_enrichment.settings import Settings

PAGE = (Path(__file__).parents[2] / "supabase" / "docs" / "api.md").read_text(encoding="utf-8")


def test_every_route_has_a_row() -> None:
    """In supabase/docs/api.md: a route that is added, renamed or takes another parameter needs its row, and
    no row lacks its route."""
    settings = Settings(_env_file=None, supabase_url="http://127.0.0.1:1", supabase_anon_key="x")
    routes = set()
    for path, methods in create_app(settings, worker=False).openapi()["paths"].items():
        for method, operation in methods.items():
            query = [each["name"] for each in operation.get("parameters", []) if each["in"] == "query"]
            route = f"{method.upper()} {path.removeprefix('/api/v1/enrichment')}"
            routes.add((route, tuple(query) if route != "GET /imports" else ()))
    rows = re.findall(r"^\| `([A-Z]+ /[^?`]*)\??([^`]*)` \|", PAGE, flags=re.MULTILINE)
    shown = {(route, tuple(re.findall(r"(\w+)=", query))) for route, query in rows}
    assert shown == routes


async def test_health_needs_no_token(api) -> None:
    """And says whether the database answers, has our functions, and a worker runs."""
    answer = await api.get("/health")
    assert answer.status_code == 200
    assert answer.json() | {"version": ""} == {
        "status": "ok",
        "database": "ok",
        "migrations": "ok",
        "problem": None,
        "worker": "off",
        "version": "",
    }


async def test_badges_are_for_works_of_the_own_library(api, sign_in, shelve) -> None:
    """In the order asked for; others are left out."""
    ada, bob = sign_in("ada"), sign_in("bob")
    dune, emma, foreign = await shelve(ada, "Dune"), await shelve(ada, "Emma"), await shelve(bob, "It")
    answer = await api.get("/status", params={"work_ids": f"{emma},{foreign},{dune}"}, headers=ada.headers)
    assert answer.status_code == 200, answer.text
    assert [item["work_id"] for item in answer.json()["items"]] == [str(emma), str(dune)]


async def test_a_trigger_queues_and_is_listed(api, sign_in, shelve) -> None:
    """One outcome per work, and counts."""
    ada = sign_in("ada")
    dune = await shelve(ada, "Dune")
    answer = await api.post("/trigger", json={"work_ids": [str(dune)]}, headers=ada.headers)
    assert answer.status_code == 202, answer.text
    assert answer.json()["outcomes"] == {"enqueued": 1}
    page = (await api.get("/queue", headers=ada.headers)).json()
    assert [(item["title"], item["status"]) for item in page["items"]] == [("Dune", "pending")]
    assert page["next_cursor"] is None


async def test_refusals_come_with_the_hint_of_the_database(api, sign_in, shelve) -> None:
    """As problem+json."""
    ada = sign_in("ada")
    answer = await api.post(f"/{uuid.uuid4()}/dismiss", headers=ada.headers)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "PT404"
    assert answer.json()["hint"] == "see list_enrichment()"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/queue", "GET"),
        ("GET", "/trigger", "POST"),
        ("PUT", f"/works/{uuid.UUID(int=1)}/locks", "DELETE, POST"),
        ("PATCH", f"/{uuid.UUID(int=1)}/approve", "POST"),
    ],
)
async def test_a_method_that_is_not_there_is_405(api, method, path, allowed) -> None:
    """With every method that is."""
    answer = await api.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_path_that_is_not_there_is_404(api) -> None:
    """As a problem, like everything."""
    answer = await api.get("/nothing")
    assert (answer.status_code, answer.json()["title"]) == (404, "Not Found")


async def test_what_cannot_be_understood_is_named(api, sign_in) -> None:
    """Each part, without repeating what was sent."""
    ada = sign_in("ada")
    answer = await api.post(
        "/bulk", json={"action": "burn", "filter": {"confidence": "secret"}}, headers=ada.headers
    )
    assert answer.status_code == 422
    assert [each["location"] for each in answer.json()["errors"]] == ["body.action", "body.filter.confidence"]
    assert "secret" not in answer.text
    for body in (b"{", b'"\xff"', b'{"work_ids": ["\\u0000"]}', b'{"work_ids": ["\\ud800"]}', b"[" * 100_000):
        headers = ada.headers | {"Content-Type": "application/json"}
        answer = await api.post("/trigger", content=body, headers=headers)
        assert answer.status_code == 422, body[:20]


async def test_a_body_beyond_its_limit_is_not_read(api, sign_in) -> None:
    """A list of a thousand ids fits; a megabyte does not."""
    ada = sign_in("ada")
    ids = [str(uuid.uuid4()) for _ in range(1000)]
    assert (await api.post("/trigger", json={"work_ids": ids}, headers=ada.headers)).status_code == 202
    answer = await api.post("/trigger", json={"work_ids": [*ids, ids[0]]}, headers=ada.headers)
    assert answer.status_code == 422
    answer = await api.post("/trigger", content=b" " * 2**20, headers=ada.headers)
    assert answer.status_code == 413


async def test_a_reader_waits_no_longer_for_a_lock_than_through_postgrest(
    serve, settings_for, sign_in, shelve, connect, monkeypatch
) -> None:
    """A statement ends after a while over the direct connection, too, and says that it may be tried anew."""
    monkeypatch.setattr(transports, "READER_TIMEOUT", "200ms")
    server = serve(settings_for("postgres"))
    ada = sign_in("ada")
    work_id = await shelve(ada, "Dune")
    blocker = await connect(autocommit=False)
    await blocker.execute("lock table public.enrichment_queue in access exclusive mode")
    async with httpx.AsyncClient(base_url=server.url, headers=ada.headers, trust_env=False) as client:
        answer = await client.get("/status", params={"work_ids": str(work_id)})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        await blocker.rollback()
        monkeypatch.undo()
        assert (await client.get("/status", params={"work_ids": str(work_id)})).status_code == 200


async def test_a_front_end_on_another_host_may_be_let_in(serve, settings_for, sign_in) -> None:
    """By name; its browser asks first. Others, and all while none is named, get no word that lets them."""
    ada, origin = sign_in("ada"), "https://books.example.org"
    asking = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    allowed = settings_for(allowed_origins=f"https://staging.example.org,{origin}")
    async with httpx.AsyncClient(base_url=serve(allowed).url, trust_env=False) as api:
        first = await api.options("/trigger-all", headers=asking | {"Origin": origin})
        assert (first.status_code, first.headers["access-control-allow-origin"]) == (200, origin)
        answer = await api.get("/summary", headers=ada.headers | {"Origin": origin})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, origin)
        refused = await api.get("/summary", headers={"Origin": origin})
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, origin)
        other = await api.get("/summary", headers=ada.headers | {"Origin": "https://evil.example.org"})
        assert "access-control-allow-origin" not in other.headers
    async with httpx.AsyncClient(base_url=serve(settings_for()).url, trust_env=False) as api:
        answer = await api.get("/summary", headers=ada.headers | {"Origin": origin})
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("origins", ["*", "books.example.org", "https://a.example.org/path", "https://*"])
def test_a_front_end_is_an_origin(origins) -> None:
    """Anything else would silently never match, or match everybody."""
    with pytest.raises(ValidationError, match=r"(?i)allowed_origins"):
        Settings(_env_file=None, allowed_origins=origins)


async def test_the_page_is_told_what_each_reason_means(api) -> None:
    """Nobody has to be signed in for that."""
    assert (await api.get("/config")).json()["reasons"] == REASONS
