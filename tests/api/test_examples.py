"""What the API's description shows as answers is what the API answered.

`make examples` records it anew.
"""

import json
import os
from typing import Any

import httpx
import pytest

import open_library
from book_enrichment.api import create_app
from book_enrichment.api.examples import FILE
from book_enrichment.work import open_worker

from .recording import first_evening, settled


def shape(value: Any) -> Any:
    """The fields all the way down, with the kinds of their values."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value[:1]]
    return type(value).__name__


def without_nulls(value: Any) -> Any:
    """As FastAPI writes a description: it leaves out what is null, in examples, too."""
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [without_nulls(each) for each in value]
    return value


@pytest.fixture
async def answers(settings_for, serve, sign_in) -> dict[str, Any]:
    """What a reader was answered just now."""
    async with open_library.serve() as library:
        settings = settings_for(
            auto_enabled=True,
            provider_delay_ms=0,
            contact="reader@example.org",
            open_library_url=library.base_url,
        )
        server = serve(settings)

        async def work() -> None:
            async with open_worker(settings, name="evening") as worker:
                await worker.run(drain=True, patience=20)

        headers = sign_in("ada").headers
        async with httpx.AsyncClient(
            base_url=server.url, headers=headers, timeout=30, trust_env=False
        ) as client:
            return settled(await first_evening(client, work), settings)


async def test_the_examples_are_what_is_answered(answers) -> None:
    """Field by field, all the way down; their values may be of another day."""
    if os.environ.get("RECORD_EXAMPLES"):
        FILE.write_text(json.dumps(answers, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    assert shape(answers) == shape(json.loads(FILE.read_text(encoding="utf-8")))


def test_each_route_shows_its_example(settings_for) -> None:
    """In the description of what it answers when all is well."""
    examples = json.loads(FILE.read_text(encoding="utf-8"))
    paths = create_app(settings_for(), worker=False).openapi()["paths"]
    shown = {
        operation["operationId"].removeprefix("enrichment_"): answer["content"]["application/json"].get(
            "example"
        )
        for path in paths.values()
        for operation in path.values()
        for status, answer in operation["responses"].items()
        if status in ("200", "202")
    }
    assert shown == without_nulls(examples)
