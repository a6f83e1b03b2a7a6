"""`approve`: what was proposed is written, where the field is still empty."""

from __future__ import annotations

from typing import Annotated

import typer

from book_enrichment.cli.common import (
    BAD_USAGE,
    DECIDING,
    AsJson,
    ForReader,
    acting_database,
    app,
    finish,
    give_up,
)
from book_enrichment.cli.decisions import (
    All,
    OfConfidence,
    OfFields,
    OfImport,
    OfProvider,
    OfSentence,
    QueueId,
    Yes,
    decide_all,
    is_for_all,
    show_decision,
)
from book_enrichment.cli.showing import field_names
from book_enrichment.database import Database
from book_enrichment.database.records import MatchingOutcome, ReviewOutcome


@app.command(
    rich_help_panel=DECIDING,
    epilog="Example: book-enrichment approve 0199… --field cover   or   "
    "book-enrichment approve --all --confidence high --yes",
)
def approve(
    queue_id: QueueId = None,
    fields: OfFields = None,
    candidate: Annotated[
        str | None,
        typer.Option(help="Of several books that fit, this one (provider:work_key, as status lists it)."),
    ] = None,
    all_: All = False,
    confidence: OfConfidence = None,
    provider: OfProvider = None,
    sentence: OfSentence = None,
    import_id: OfImport = None,
    yes: Yes = False,
    user: ForReader = None,
    as_json: AsJson = False,
) -> None:
    """Write what was proposed for a row in review, where the field is still empty.

    With --all first counts what would be written, and asks; where nobody can be asked, --yes writes."""
    wanted = None if not fields else field_names(fields)
    if is_for_all(queue_id, all_, confidence, provider, sentence, import_id):
        if candidate:
            give_up(BAD_USAGE, "--candidate chooses for one row, by its id")

        async def decide(database: Database, is_dry_run: bool) -> MatchingOutcome:
            return await database.approve_matching(
                confidence, provider, sentence, import_id, wanted, is_dry_run
            )

        decide_all("approve", decide, yes, user, as_json)
    else:
        assert queue_id is not None

        async def work() -> ReviewOutcome | None:
            async with acting_database(user) as database:
                return await database.approve_enrichment(queue_id, wanted, candidate)

        show_decision("approved", finish(work()), as_json)
