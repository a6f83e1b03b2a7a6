"""A broken reply ends in a recorded reason and a later try; the worker goes on, and no attempt is spent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from misbehaving import BROKEN, misbehaving

from .conftest import PATIENT, PROVIDERS, QUICK, Rows, Work


async def assert_nothing_happened_yet(rows: Rows, name: str, reason: str) -> None:
    """The row waits and says why; no attempt, no record, no value, no audit row; the reason is on record."""
    (row,) = await rows("select * from enrichment_queue")
    assert (row["status"], row["attempt_count"], row["last_error"]) == ("pending", 0, None)
    assert row["wait_reason"]
    assert row["next_attempt_after"] > datetime.now(UTC)
    (provider,) = await rows(f"select last_error from enrichment.providers where provider = '{name}'")
    assert provider["last_error"].startswith(f"{name}: {reason}: ")
    assert await rows("select * from source_records") == []
    assert await rows("select * from enrichment_audit_log") == []
    (book,) = await rows("select * from works join editions on editions.work_id = works.id")
    empty = ("default_cover_url", "description", "first_publish_year", "publisher", "isbn10", "total_pages")
    assert [book[field] for field in empty] == [None] * len(empty)


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize(("reason", "reply"), BROKEN.values(), ids=BROKEN.keys())
async def test_a_broken_reply_leaves_a_reason_and_nothing_else(
    work: Work, rows: Rows, name: str, reason: str, reply: Any
) -> None:
    async with misbehaving(reply) as address:
        stats = await work(name, address, timeouts=QUICK if reason == "timeout" else PATIENT)

    await assert_nothing_happened_yet(rows, name, reason)
    assert sum(stats.released.values()) == 1


@pytest.mark.parametrize("name", PROVIDERS)
async def test_a_server_that_is_not_there_leaves_a_reason(work: Work, rows: Rows, name: str) -> None:
    async with misbehaving(b"") as address:
        pass
    await work(name, address)

    await assert_nothing_happened_yet(rows, name, "unreachable")
