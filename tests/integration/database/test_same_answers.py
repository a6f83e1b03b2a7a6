"""Claim and apply, once over each transport, in two equal worlds: answers are equal, to the last value."""

import dataclasses
import os
import uuid
from typing import Any

import psycopg
import pytest

from book_enrichment.database import Database, open_database
from book_enrichment.settings import Settings

READER = uuid.UUID(int=7)
ROWS = [
    {
        "row_number": 2,
        "external_id": "goodreads:2767052",
        "title": "The Hunger Games (The Hunger Games, #1)",
        "authors": ["Suzanne Collins"],
        "isbn": "9780439023481",
        "status": "completed",
    },
    {
        "row_number": 3,
        "title": "Dune (Dune, #1)",
        "authors": ["Frank Herbert"],
        "status": "to_read",
        "rating": 9,
    },
    {"row_number": 4, "title": "", "authors": [], "status": "to_read"},
    {"row_number": 5, "title": "Les Misérables", "authors": ["Victor Hugo"], "isbn": "9780451525260"},
]
DOC = {
    "key": "/works/OL5735363W",
    "title": "The Hunger Games",
    "author_name": ["Suzanne Collins"],
    "cover_i": 12646459,
    "first_publish_year": 2008,
    "description": "Katniss volunteers.",
    "editions": {
        "docs": [{"key": "/books/OL1M", "isbn": ["9780439023481"], "language": ["eng"], "cover_i": 12646459}]
    },
}


@pytest.fixture
def worlds(stack):
    """The settings of two fresh databases with one reader each: one for either transport."""
    names = {transport: f"pytest_{os.getpid()}_{transport}" for transport in ("postgres", "postgrest")}
    for name in names.values():
        with psycopg.connect(stack.create_database(name, template=stack.migrated_template())) as connection:
            connection.execute("insert into auth.users (id, email) values (%s, 'ada@example.org')", [READER])
            connection.execute("insert into public.users (id, handle) values (%s, 'ada')", [READER])
    direct = Settings(_env_file=None, database_url=stack.database_url(names["postgres"]))
    url = stack.rest(names["postgrest"]).url
    yield direct, Settings(_env_file=None, supabase_url=url, supabase_service_role_key=stack.service_key)
    for name in names.values():
        stack.drop_database(name)


async def life_of_a_library(database: Database) -> list[Any]:
    """Everything a client hears while a small library is imported, claimed, answered and looked at."""
    heard: list[Any] = []
    changes = {"auto_enabled": True, "auto_apply_metadata": True, "contact": "me@example.org"}
    heard += await database.configure_enrichment(changes)
    imported = await database.import_library(READER, "goodreads", ROWS)
    heard += imported
    works = [outcome.work_id for outcome in imported if outcome.work_id]
    heard += await database.enqueue_enrichment([*works, READER])
    heard += await database.sweep_enrichment()
    heard += await database.preview_enrichment(works)
    claimed = sorted(await database.claim_enrichment("ada", 10), key=lambda row: row.title)
    heard += claimed
    heard.append(await database.reserve_provider_calls("openlibrary", 2))
    heard.append(await database.report_provider_calls("openlibrary", succeeded=2))
    results = [
        {
            "queue_id": row.queue_id,
            "claim_token": row.claim_token,
            "lookups": [
                {"provider": lookup.provider, "kind": lookup.kind, "key": lookup.key}
                | ({"raw": {"docs": [DOC]}} if "Hunger" in row.title else {"no_match": True})
                for lookup in row.lookups
            ],
        }
        for row in claimed
    ]
    stale = {"queue_id": claimed[0].queue_id, "claim_token": uuid.UUID(int=1), "lookups": []}
    heard += await database.apply_enrichment([*results, stale, {"queue_id": "no uuid"}])
    heard += [each for work in works for each in await database.explain_enrichment(work)]
    heard += sorted(await database.enrichment_status(works), key=lambda state: works.index(state.work_id))
    listed = sorted(await database.list_enrichment(), key=lambda row: row.title)
    heard += listed
    (progress,) = await database.enrichment_imports()
    heard += [progress, await database.enrichment_import(progress.import_id)]
    heard += await database.enrichment_import_rows(progress.import_id)
    heard += [line for line in await database.enrichment_usage() if line.meter != "database"]
    heard.append(await database.approve_matching("low"))
    heard.append(await database.dismiss_matching(import_id=progress.import_id))
    (hunger_games,) = (row for row in listed if "Hunger" in row.title)
    heard.append(await database.undo_enrichment(hunger_games.queue_id))
    heard += await database.enrichment_history(hunger_games.work_id)
    heard += sorted(await database.undo_import(progress.import_id), key=lambda row: works.index(row.work_id))
    heard += await database.lock_fields(works[0], ["work.description", "work.cover_url"])
    heard += await database.unlock_fields(works[0], ["work.description"])
    heard += sorted(
        await database.enrichment_overview(), key=lambda line: (line.status, line.wait_reason or "")
    )
    heard.append(await database.enrichment_due())
    heard += await database.reset_stale_enrichment()
    heard += await database.prune_enrichment()
    return heard


def without_chance(record: Any, seen: dict[Any, str]) -> dict[str, Any]:
    """The record as a dict; what chance and the clock decide is replaced by its type or its order."""

    def plain(name: str, value: Any) -> Any:
        if name in ("cursor", "due_in") and value is not None:
            return type(value).__name__
        if isinstance(value, uuid.UUID):
            return seen.setdefault(value, f"id {len(seen)}")
        if hasattr(value, "tzinfo"):
            return f"moment in {value.tzinfo}"
        return value

    return {"record": type(record).__name__} | {
        field.name: plain(field.name, getattr(record, field.name)) for field in dataclasses.fields(record)
    }


async def test_both_transports_give_identical_answers(worlds) -> None:
    """Not only equal after a cast: the same types, the same nulls, the same order."""
    lives = []
    for settings in worlds:
        async with open_database(settings) as database:
            seen: dict[Any, str] = {}
            lives.append([without_chance(record, seen) for record in await life_of_a_library(database)])
    direct, by_http = lives
    assert direct == by_http
    assert [repr(record) for record in direct] == [repr(record) for record in by_http]
    kinds = {record["record"] for record in direct}
    assert {
        "ClaimedRow",
        "ApplyOutcome",
        "ImportOutcome",
        "EnqueueOutcome",
        "ExplainedCandidate",
        "Preview",
        "ListedRow",
        "WorkState",
        "ImportState",
        "ImportLine",
        "UsageLine",
        "MatchingOutcome",
        "UndoOutcome",
        "HistoryLine",
        "FieldLock",
    } <= kinds
    outcomes = [record["outcome"] for record in direct if record["record"] == "ApplyOutcome"]
    assert {"applied", "stale_claim", "rejected"} == set(outcomes)
