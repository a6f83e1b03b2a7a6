"""What the docs show to somebody who builds a front end of their own is what the API answers."""

import json
import re
import textwrap
from pathlib import Path
from typing import Any

import httpx
import pytest

from book_enrichment.database import open_database

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
API = (ROOT / "supabase" / "docs" / "api.md").read_text(encoding="utf-8")
CHAPTER = API.split("## The JSON of a badge and a review panel")[1].split("\n## ")[0]
STATUS, QUEUE, APPROVE, APPROVED = (
    json.loads(block) for block in re.findall(r"```json\n(.*?)```", CHAPTER, re.DOTALL)
)
# Keyed by field: which ones are there depends on the book.
BY_FIELD = ("current_values", "proposals")


def assert_alike(shown: Any, real: Any, place: str = "") -> None:
    """The same keys all the way down, and the same kinds of values as far as both have some."""
    if isinstance(shown, dict) and isinstance(real, dict):
        if place.endswith(BY_FIELD):
            assert all(re.fullmatch(r"(work|edition)\.\w+", field) for field in [*shown, *real]), place
            shown, real = ({"a field": next(iter(each.values()), None)} for each in (shown, real))
        elif not place.endswith(".parts"):
            assert set(shown) == set(real), place
        for key in set(shown) & set(real):
            assert_alike(shown[key], real[key], f"{place}.{key}")
    elif isinstance(shown, list) and isinstance(real, list):
        if shown and real:
            assert_alike(shown[0], real[0], f"{place}[]")
    elif shown is not None and real is not None and not place.endswith("a field"):
        assert type(shown) is type(real), place


async def test_the_examples_are_what_the_api_answers(stocked, rows) -> None:
    """A badge, a review panel, an approval: key by key against real replies."""
    session = await stocked.sign_in()
    headers = {"Authorization": f"Bearer {session['access_token']}"}
    async with httpx.AsyncClient(
        base_url=stocked.api, headers=headers, trust_env=False, timeout=30
    ) as client:
        queue = (await client.get("/queue", params={"status": "needs_review"})).raise_for_status().json()
        assert_alike(QUEUE, queue)
        row = next(item for item in queue["items"] if item["title"] == "1984")
        status = await client.get("/status", params={"work_ids": row["work_id"]})
        assert_alike(STATUS, status.raise_for_status().json())
        approved = await client.post(f"/{row['queue_id']}/approve", json=APPROVE)
        answer = approved.raise_for_status().json()
        assert answer == APPROVED | {"queue_id": row["queue_id"]}


async def test_the_lines_for_import_services_run(settings, reader, rows) -> None:
    """As they stand in the README."""
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    [lines] = [textwrap.dedent(block) for block in blocks if "enqueue_enrichment(work_ids" in block]
    [work] = rows("insert into works (title) values ('Dune') returning id")
    place = {"open_database": open_database, "Settings": lambda: settings}
    place |= {"work_ids": [work["id"]], "user_id": reader}
    exec(f"async def run():\n{textwrap.indent(lines, '    ')}", place)
    await place["run"]()  # type: ignore[operator]
    [queued] = rows("select triggered_by, trigger_source::text from enrichment_queue")
    assert queued == {"triggered_by": reader, "trigger_source": "post_import"}
