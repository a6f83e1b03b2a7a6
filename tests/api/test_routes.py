"""What the routes do, through both doors."""

import uuid


async def test_health_needs_no_token(api) -> None:
    """And says whether the database answers, has our functions, and a worker runs."""
    answer = await api.get("/health")
    assert answer.status_code == 200
    assert answer.json() | {"version": ""} == {
        "status": "ok",
        "database": "ok",
        "migrations": "ok",
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
