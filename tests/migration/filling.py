"""A living database of release 0: two readers, and a book for every state that a queue row, a cover or an
import can be in. What people and workers do is done by the public verbs (deeds.py); only what the host owns,
and what has to have happened earlier, is written as plain SQL. What stays due comes last, so that each claim
on the way gets the one row it is meant for."""

import uuid
from dataclasses import dataclass, field
from typing import Any

from books import RIVALS, Book, host_book, reply, two_long_walks
from deeds import (
    answer,
    answered,
    approve,
    as_ada,
    ask,
    asked_for,
    claim,
    claim_cover,
    configure,
    cover_answer,
    fail,
    import_half,
    import_whole,
    limit_provider,
    lock,
)
from host_app import ADA, BOB, HostApp
from snapshots import Snapshot, snapshot

FINAL_SETTINGS = {
    "auto_enabled": False,
    "auto_apply_covers": True,
    "auto_apply_metadata": True,
    "batch_size": 7,
    "keep_queue_days": 400,
    "cover_mode": "thumbnail",
}
PROVIDER_LIMITS = {"rate_per_second": 3, "burst_size": 12, "daily_limit": 5000}


@dataclass(frozen=True)
class Filled:
    """Who and what there is. Where nothing else is said, ada asked for the book and only she has it."""

    pending: Book
    """Due, and nobody has begun."""
    backing_off: Book
    """Failed once; due again in ten minutes."""
    held: Book
    """Claimed by a worker, who has its answer ready."""
    held_answer: dict[str, Any]
    """What that worker will hand in: queue_id, claim_token, lookups."""
    given_back: Book
    """Claimed by a worker who is about to stop."""
    given_back_token: uuid.UUID
    in_review: Book
    """Its cover was applied unasked, the rest is proposed."""
    rivals: Book
    """Two candidates fit equally well; see `books.RIVALS`."""
    chosen: Book
    """The second of the two rivals was approved, so the first was passed over."""
    applied: Book
    """Completed unasked."""
    approved: Book
    """Completed by ada's approval of all that was proposed."""
    unticked: Book
    """Approved without the publisher."""
    shared: Book
    """Approved by ada, on bob's shelf too."""
    dismissed: Book
    """Nothing was applied, and ada dismissed what was proposed."""
    undone: Book
    """Applied unasked and undone by ada."""
    unknown: Book
    """No provider knows it."""
    failed: Book
    """Its attempts are spent."""
    locked: Book
    """Due, with cover and publisher locked."""
    locked_for_sweep: Book
    """The same, and the host's own records can answer it."""
    stored_cover: Book
    """Applied, its cover stored and shown from the bucket."""
    queued_cover: Book
    """Applied, its cover in line to be stored."""
    held_cover: Book
    """Applied, its cover claimed by a worker."""
    held_cover_answer: dict[str, Any]
    """What that worker will hand in."""
    half_import: uuid.UUID
    """Ada's, of whose rows two were sent; they wait for the master switch."""
    half_import_file: list[dict[str, Any]]
    """All its rows. The last is the book of the first again."""
    whole_import: uuid.UUID
    """Bob's."""
    imported: Book
    """Made by that import, and applied."""
    matched: Book
    """In the catalogue before it; the file filled its publisher, a provider the rest."""
    rows: Snapshot = field(repr=False)
    """All of it, as `snapshot` saw it in the end."""


def fill(host: HostApp) -> Filled:
    """Puts all of it into a host's database that runs release 0."""
    phases = (finish_unasked, decide, store_covers, import_files, leave_open)
    states = {name: state for phase in phases for name, state in phase(host).items()}
    return Filled(**states, rows=snapshot(host))


def finish_unasked(host: HostApp) -> dict[str, Any]:
    """What ends, or comes to review, without a person."""
    configure(host, auto_enabled=True, contact="tests@example.org", backoff_base_seconds=600)
    in_review = answered(host, asked_for(host, 1, "An Open Question"))
    configure(host, auto_apply_metadata=True)
    undone = answered(host, asked_for(host, 2, "The Second Winter"))
    as_ada(host, "undo_enrichment", queue_id=undone.row)
    whole_import, imported, matched = import_whole(host)
    return {
        "in_review": in_review,
        "undone": undone,
        "applied": answered(host, asked_for(host, 3, "A Lamp at the Harbour")),
        "unknown": answered(host, asked_for(host, 4, "Nobody Has Heard of It"), {}),
        "failed": fail(host, asked_for(host, 5, "The Broken Staircase"), times=3),
        "backing_off": fail(host, asked_for(host, 6, "Patience in Four Parts"), times=1),
        "whole_import": whole_import,
        "imported": imported,
        "matched": matched,
    }


def decide(host: HostApp) -> dict[str, Any]:
    """What a person was asked: nothing is applied here before somebody approves it."""
    configure(host, auto_apply_covers=False, auto_apply_metadata=False)
    dismissed = answered(host, asked_for(host, 7, "Not This One"))
    as_ada(host, "dismiss_enrichment", queue_id=dismissed.row)
    chosen = answered(host, asked_for(host, 8, "The Long Walk"), two_long_walks())
    as_ada(host, "approve_enrichment", queue_id=chosen.row, candidate=RIVALS[1])
    unticked = answered(host, asked_for(host, 9, "All but the Publisher"))
    return {
        "dismissed": dismissed,
        "chosen": chosen,
        "unticked": approve(host, unticked, "edition.publisher"),
        "approved": approve(host, answered(host, asked_for(host, 10, "Every Field Agreed"))),
        "shared": approve(host, answered(host, asked_for(host, 11, "A Book for Two", readers=(ADA, BOB)))),
        "rivals": answered(host, asked_for(host, 12, "The Long Walk"), two_long_walks()),
    }


def store_covers(host: HostApp) -> dict[str, Any]:
    """Settings and limits become what they are in the end; three covers are applied, and stored or not."""
    configure(host, **FINAL_SETTINGS)
    limit_provider(host, "openlibrary", **PROVIDER_LIMITS)
    stored = answered(host, asked_for(host, 13, "Kept in the Bucket"))
    host.call("apply_covers", results=[cover_answer(claim_cover(host, stored), "a")])
    held = answered(host, asked_for(host, 14, "On Its Way to the Bucket"))
    return {
        "stored_cover": stored,
        "held_cover": held,
        "held_cover_answer": cover_answer(claim_cover(host, held), "b"),
        "queued_cover": answered(host, asked_for(host, 15, "In Line for the Bucket")),
    }


def import_files(host: HostApp) -> dict[str, Any]:
    """The half-read file, whose books wait for the switch."""
    half_import, half_import_file = import_half(host)
    return {"half_import": half_import, "half_import_file": half_import_file}


def leave_open(host: HostApp) -> dict[str, Any]:
    """What is claimed, and what is due."""
    held = asked_for(host, 16, "In Good Hands")
    held_answer = answer(claim(host, held), reply(held))
    given_back = asked_for(host, 17, "In Tired Hands")
    return {
        "held": held,
        "held_answer": held_answer,
        "given_back": given_back,
        "given_back_token": claim(host, given_back)["claim_token"],
        "pending": asked_for(host, 18, "Next, Please"),
        "locked": lock(host, asked_for(host, 19, "Behind Two Locks")),
        "locked_for_sweep": lock(host, ask(host, host_book(host, "The Left Hand of Darkness"))),
    }
