"""What the tests of moving in and out speak of: two readers, and a worker's answer."""

from collections.abc import Callable
from typing import Any

import pytest

from host_app import ADA, BOB


@pytest.fixture
def ada() -> str:
    """The reader who has most of the books, and has opted in to Google."""
    return ADA


@pytest.fixture
def bob() -> str:
    """The other reader."""
    return BOB


@pytest.fixture
def answer() -> Callable[[dict[str, Any]], dict[str, Any]]:
    """`answer(claimed_row)`: what a worker sends back when the provider knows the book."""

    def document(row: dict[str, Any], isbn: str | None) -> dict[str, Any]:
        edition = {"key": f"/books/OL{isbn}M", "title": row["title"], "isbn": [isbn], "publisher": ["Tor"]}
        return {
            "key": f"/works/OL{row['work_id']}W",
            "title": row["title"],
            "author_name": row["authors"],
            "first_publish_year": 1968,
            "cover_i": 17,
            "editions": {"docs": [edition] if isbn else []},
        }

    def answer(row: dict[str, Any]) -> dict[str, Any]:
        lookups = [
            {name: lookup[name] for name in ("provider", "kind", "key")}
            | {"raw": {"docs": [document(row, lookup["key"] if lookup["kind"] == "isbn" else None)]}}
            for lookup in row["lookups"]
        ]
        return {"queue_id": str(row["queue_id"]), "claim_token": str(row["claim_token"]), "lookups": lookups}

    return answer
